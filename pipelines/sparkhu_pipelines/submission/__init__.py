"""Runs and schedules sent to Kubeflow Pipelines, once each, and followed to their end."""
