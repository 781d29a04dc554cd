"""What each component needs of a cluster: the size of its resources, whether it is cached, and tried again.

Kubeflow Pipelines takes a task's results from an earlier run where image, parameters and input artifacts are the same.
That is right for whatever computes from its inputs alone. It is wrong for what looks at the outside world, which may
have changed, and for what writes into it, which would not be written.
"""

from typing import Final, Literal, NamedTuple

Size = Literal["light", "shards", "training"]
"""How much a task works: at a few small files, at every shard of the data, or at all series together."""

Cached = Literal["computes", "reads", "writes"]
"""Why a task's results may come from the cache, or not: `computes` may; `reads` may not, unless the cluster's settings
say that what it reads never changes; `writes` may never."""


class Need(NamedTuple):
    """What a component needs."""

    size: Size
    cached: Cached
    why: str
    """What it reads or writes outside the run; empty where it computes from its inputs alone."""
    once: str = ""
    """Why it is not tried again when it fails; empty where it may be."""


_LIGHT: Final = Need("light", "computes", "")
_SHARDS: Final = Need("shards", "computes", "")
_TRAINING: Final = Need("training", "computes", "")

NEEDS: Final[dict[str, Need]] = {
    "ingest": Need("shards", "reads", "reads a source or a lake, which gain rows"),
    "sync_metadata": Need("light", "writes", "writes the catalogue of metadata"),
    "load_champion": Need("light", "reads", "reads the registry, whose champion changes"),
    "detect_regularity": Need("shards", "reads", "reads what earlier runs found of the periods"),
    "gather_groups": Need("shards", "reads", "reads what earlier runs found of the periods"),
    "tune": Need("training", "reads", "reads and writes the registry, which keeps what was found for the same data"),
    "evaluate": Need("training", "reads", "reads the registry, whose champion is scored beside the run's models"),
    "learn_new": Need(
        "training",
        "writes",
        "writes what the champion becomes into the registry",
        once="a try that was killed leaves the version that it had registered, and the next registers another",
    ),
    "promote": Need(
        "training",
        "writes",
        "writes models and the champion into the registry",
        once="a try that was killed leaves the versions that it had registered, and the next registers them again",
    ),
    "publish_interval": Need("shards", "writes", "writes the results into the lake"),
    "store_features": Need("shards", "writes", "writes the feature store"),
    "take_group": _SHARDS,
    "pack_group": _SHARDS,
    "validate": _SHARDS,
    "drop_duplicates": _SHARDS,
    "describe": _SHARDS,
    "split_by_regularity": _SHARDS,
    "flag_outliers": _SHARDS,
    "mark_gaps": _SHARDS,
    "fill_mean": _SHARDS,
    "fill_median": _SHARDS,
    "fill_mode": _SHARDS,
    "fill_last": _SHARDS,
    "fill_next": _SHARDS,
    "fill_linear": _SHARDS,
    "fill_spline": _SHARDS,
    "fill_seasonal": _SHARDS,
    "fill_moving_average": _SHARDS,
    "pool_fills": _SHARDS,
    "resample": _SHARDS,
    "decompose": _SHARDS,
    "flag_anomalies": _SHARDS,
    "find_level_changes": _SHARDS,
    "handle_clip": _SHARDS,
    "handle_ema": _SHARDS,
    "handle_ema_flagged": _SHARDS,
    "handle_seasonal_mean": _SHARDS,
    "pool_handling": _SHARDS,
    "resample_irregular": _SHARDS,
    "join_series": _SHARDS,
    "choose_cleaning": _SHARDS,
    "fit_scalers": _SHARDS,
    "index_windows": _SHARDS,
    "store_sequences": _SHARDS,
    "train_linear": _TRAINING,
    "train_models": _TRAINING,
    "train_seasonal_naive": _LIGHT,
    "make_forecasts": _TRAINING,
    "forecast_new": _TRAINING,
    "publish": _SHARDS,
    "publish_forecasts": _SHARDS,
    "render_report": _SHARDS,
}
"""Every component, by the name that `sparkhu step` knows it by."""
