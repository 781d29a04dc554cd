"""The model registry: log trained bundles to MLflow, promote the better one, go back, load the champion."""

from sparkhu.registry.comparing import Candidate, Comparison
from sparkhu.registry.promotion import Decision, Incumbent, Reach, promote
from sparkhu.registry.store import tracking_uri
from sparkhu.registry.versions import ModelVersion, champion_of, load_champion, log_model

__all__ = [
    "Candidate",
    "Comparison",
    "Decision",
    "Incumbent",
    "ModelVersion",
    "Reach",
    "champion_of",
    "load_champion",
    "log_model",
    "promote",
    "tracking_uri",
]
