"""A pipeline run on this machine: each task a process or a container, its progress, its end and its failures."""
