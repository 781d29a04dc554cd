"""The definitions as `feast apply` finds them; they stand in the package, where runs find them as well."""

from sparkhu_features.definitions import (
    model_inputs,
    model_targets,
    origin,
    parts,
    series,
    series_parts,
    series_scaler,
    series_state,
    series_statistics,
    snapshots,
    targets,
    truths,
)

__all__ = [
    "model_inputs",
    "model_targets",
    "origin",
    "parts",
    "series",
    "series_parts",
    "series_scaler",
    "series_state",
    "series_statistics",
    "snapshots",
    "targets",
    "truths",
]
