"""Sparkhu's pipelines, their parameters, and where they run."""
