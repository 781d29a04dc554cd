"""Sparkhu's steps as Kubeflow Pipelines components, one a module of the same name."""
