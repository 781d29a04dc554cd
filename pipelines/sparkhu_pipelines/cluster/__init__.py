"""What tasks ask of a cluster, declared beneath the graph and given to it in one place."""
