"""What the feature store holds: entities, views and services. What a model may see and what it predicts lie apart.

A row of a view is a snapshot as of a moment, `available_at`: nothing that became known later went into it. Feast takes
this as the event time, so a look-up as of a moment gives the newest snapshot that could have been known by then.
"""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, ValueType
from feast.types import Array, Bool, FeastType, Float64, Int64, String, UnixTimestamp

from sparkhu_features.sources import LakeSource

FOREVER = timedelta(days=36_500)
"""A snapshot counts until a newer one comes. (Feast reads no time to live as one year where it materialises.)"""

series = Entity(name="series", join_keys=["unique_id"], value_type=ValueType.STRING, description="A time series.")
origin = Entity(
    name="origin",
    join_keys=["cutoff"],
    value_type=ValueType.UNIX_TIMESTAMP,
    description="The moment from which a forecast looks ahead.",
)

snapshots = LakeSource(table="snapshots", description="State of each series as of a moment.")
parts = LakeSource(table="parts", description="Newest cleaned point of each series, and its parts, as of a moment.")
truths = LakeSource(table="targets", description="Observed values behind a cutoff, once they are known.")


def _view(name: str, source: LakeSource, features: dict[str, FeastType], description: str) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[series],
        ttl=FOREVER,
        schema=[Field(name="unique_id", dtype=String), *(Field(name=each, dtype=features[each]) for each in features)],
        source=source,
        description=description,
    )


series_state = _view(
    "series_state",
    snapshots,
    {
        "last_ds": UnixTimestamp,
        "last_value": Float64,
        "last_values": Array(Float64),
        "period_label": String,
        "season_length": Int64,
        "decision": String,
        "decision_version": Int64,
    },
    "Latest observed values and the period decided on.",
)
series_statistics = _view(
    "series_statistics",
    snapshots,
    {
        "n": Int64,
        **dict.fromkeys(("missing_share", "mean", "std", "min", "q1", "median", "q3", "max"), Float64),
        **dict.fromkeys(("trend_strength", "seasonal_strength"), Float64),
    },
    "Moments, quartiles, strengths of trend and season.",
)
series_scaler = _view(
    "series_scaler",
    snapshots,
    {"scaler": String, "center": Float64, "scale": Float64, "scaler_version": String},
    "The scaler that was fitted on the training part.",
)
series_parts = _view(
    "series_parts",
    parts,
    {
        "ds": UnixTimestamp,
        **dict.fromkeys(("y", "trend", "seasonal", "resid"), Float64),
        **dict.fromkeys(("is_outlier", "is_anomaly"), Bool),
        "fill_strategy": String,
    },
    "Newest cleaned value, its trend, season and remainder, and what was done to it.",
)
targets = FeatureView(
    name="targets",
    entities=[series, origin],
    ttl=FOREVER,
    schema=[
        Field(name="unique_id", dtype=String),
        Field(name="cutoff", dtype=UnixTimestamp),
        Field(name="truth", dtype=Array(Float64)),
    ],
    source=truths,
    online=False,  # what is to be predicted is served to nobody
    description="Observed values behind a cutoff: what a model is to predict, never what it sees.",
)

model_inputs = FeatureService(
    name="model_inputs",
    features=[series_state, series_statistics, series_scaler, series_parts],
    description="All that a model may see of a series.",
)
model_targets = FeatureService(name="model_targets", features=[targets], description="What a model is to predict.")

DEFINITIONS = (
    *(series, origin),
    *(snapshots, parts, truths),
    *(series_state, series_statistics, series_scaler, series_parts, targets),
    *(model_inputs, model_targets),
)
"""All of it, as `feast apply` finds it."""
