"""Objects in a Kubernetes cluster, and what it means where it refuses them."""
