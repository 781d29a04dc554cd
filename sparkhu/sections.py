"""Settings of a step that few change, grouped: one mapping a step in a parameter file and on the Kubeflow page."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sparkhu.errors import InputError
from sparkhu.explaining import explained

Fill = Literal["mean", "median", "mode", "last", "next", "linear", "spline", "seasonal", "moving_average"]


class Section(BaseModel):
    """Settings of one step."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    title: ClassVar[str]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Read settings; what is not there has its default.

        Raises:
            InputError: A name is unknown or a value cannot be used; the message names both.
        """
        try:
            return cls(**settings)
        except ValidationError as error:
            raise InputError(explained(cls, error, (cls.title,))) from error

    def plain(self) -> dict[str, Any]:
        """Give the settings as JSON values, which a pipeline takes; one that is not set (None) is left out."""
        return self.model_dump(mode="json", exclude_none=True)


def names_of(given: Any) -> Any:
    """Take names with commas between, as options give them, as a list of names; anything else as it is."""
    if not isinstance(given, str):
        return given
    found = tuple(name.strip() for name in given.split(",") if name.strip())
    if given.strip() and not found:
        raise ValueError(f"must be names with commas between, got '{given}'")
    return found


class Reading(Section):
    """How a source is read. An empty text means: found from the source, and said."""

    title: ClassVar[str] = "reading"
    table: str = Field("", description="Table of a database to read.")
    query: str = Field("", description="SQL query to read, instead of a table.")
    delimiter: str = Field("", description="Sign between the fields of a line.")
    encoding: str = Field("", description="Encoding of text files, such as cp949.")
    decimal: Literal["", ".", ","] = Field("", description="Decimal sign of the values.")


class Catalogue(Section):
    """How the metadata of series are read."""

    title: ClassVar[str] = "catalogue"
    table: str = Field("", description="Table of a database to read the metadata from.")
    query: str = Field("", description="SQL query to read, instead of a table.")
    id: str = Field("", description="Column of the series' names.")
    encoding: str = Field("", description="Encoding of a text file, such as cp949.")
    name: str = Field("", description="What the catalogue keeps the metadata under; empty: the source's address.")


class Statistics(Section):
    """How series are described."""

    title: ClassVar[str] = "statistics"
    stationarity_points: int = Field(1000, ge=0, description="Latest points that ADF and KPSS look at; 0: no tests.")
    sample_start: str = Field("", description="Time from which quartiles are fitted; empty: from the first row.")
    sample_end: str = Field("", description="Time before which they are fitted; empty: the end of the training part.")


class Filling(Section):
    """How gaps are filled, beside strategy and limits."""

    title: ClassVar[str] = "filling"
    variants: tuple[Fill, ...] = Field(
        ("mean", "median", "last", "next", "linear", "spline", "seasonal"),
        min_length=1,
        description="Strategies that the best is chosen from.",
    )
    window: int = Field(5, ge=1, description="Known points on each side that the moving average looks at.")
    max_new_rows: int = Field(
        1_000_000, ge=1, description="Most rows that the gaps of a series may get; one that needs more fails."
    )


class Resampling(Section):
    """Whether and how regular series are brought to another period."""

    title: ClassVar[str] = "resampling"
    to: str = Field("", description="Period to resample to at once, such as 1h or 1mo; empty: none.")
    how: Literal["mean", "sum", "min", "max", "last", "ohlcv", "vwap"] = Field(
        "mean", description="What stands for the points of a longer period."
    )
    up: Literal["last", "linear", "none"] = Field(
        "last", description="What stands in the rows inserted for a shorter period."
    )
    edges: Literal["drop", "keep"] = Field(
        "drop", description="What becomes of a first or last period that a series covers in part."
    )
    max_grid_points: int = Field(
        1_000_000, ge=1, description="Most points that the even grid of an irregular series may have."
    )


class Decomposition(Section):
    """How series are split into trend, season and remainder."""

    title: ClassVar[str] = "decomposition"
    method: Literal["auto", "stl", "mstl", "none"] = Field(
        "auto", description="STL, MSTL where several seasons fit (auto), or none."
    )
    seasons: tuple[int, ...] = Field((), description="Points of each season; empty: from the calendar.")
    robust: bool = Field(True, description="Outlying points get less weight; takes some six times as long.")
    fast: bool = Field(
        True, description="Smooth long seasons at some points and join them by lines; else at every point."
    )


class Anomalies(Section):
    """Where the limits lie beyond which a remainder is an anomaly."""

    title: ClassVar[str] = "anomalies"
    limits: Literal["sigma", "mad", "given"] = Field(
        "sigma", description="Mean and standard deviation, median and deviation from it, or `low` and `high`."
    )
    width: float = Field(7.0, gt=0, description="Distance of the limits from the middle, in deviations.")
    low: float | None = Field(None, description="Lower limit of the remainder, where limits are given.")
    high: float | None = Field(None, description="Upper limit of the remainder, where limits are given.")
    fit_start: str = Field("", description="Time from which limits are fitted; empty: from the first row.")
    fit_end: str = Field(
        "", description="Time before which they are fitted; empty, or behind it: the end of the training part."
    )


class LevelChanges(Section):
    """From where on a change of the level is told. It changes no value."""

    title: ClassVar[str] = "level_changes"
    window: int = Field(
        0, ge=0, description="Points before and behind an instant whose medians are compared; 0: whole seasons."
    )
    shift_width: float = Field(
        6.0, gt=0, description="Their difference from what is usual beyond which it is a shift, in deviations."
    )
    drift_width: float = Field(5.0, gt=0, description="The t-statistic beyond which a change of the slope is a drift.")


class Handling(Section):
    """What becomes of anomalies."""

    title: ClassVar[str] = "handling"
    choice: str = Field("", description="What is done to every series; empty: what recovers injected spikes best.")
    variants: tuple[str, ...] = Field(
        ("leave", "clip", "ema", "ema_flagged", "seasonal_mean"),
        description="Strategies that the best is chosen from.",
    )
    alpha: float = Field(0.3, gt=0, le=1, description="Weight of the newest point in the exponential average.")


class Guard(Section):
    """Whether cleaning is kept for forecasting."""

    title: ClassVar[str] = "guard"
    mode: Literal["measured", "always", "never"] = Field(
        "measured", description="Keep cleaning where it lowers the backtest error, everywhere, or nowhere."
    )
    min_gain: float = Field(0.01, ge=0, lt=1, description="Least share by which it must lower the error.")


class Tuning(Section):
    """How the parameters of models are searched for, once for the same data, model and space."""

    title: ClassVar[str] = "tuning"
    models: tuple[str, ...] = Field(("linear",), description="Models that are tuned, of those that are trained.")
    trials: int = Field(24, ge=0, description="Trials of each group of series; 0: models keep their defaults.")
    algorithm: str = Field("tpe", description="What suggests the trials, by Katib's name, such as tpe or cmaes.")
    parallel: int = Field(1, ge=1, description="Trials at a time, where each is a pod.")
    engine: Literal["local", "katib"] = Field(
        "local", description="Trials inside the step, or pods that Katib makes in a cluster."
    )
    namespace: str = Field("", description="Namespace of Katib's experiments; empty: that of the step.")
    storage: str = Field("", description="URI that Katib's trials read their data from, such as s3://bucket/tuning.")
    secret: str = Field("", description="Secret whose keys Katib's trials find as variables, for the storage.")
    image: str = Field("", description="Image of Katib's trials; empty: that of the steps that train.")

    @field_validator("models", mode="before")
    @classmethod
    def _named(cls, models: Any) -> Any:
        """Take names with commas between as well, as options give them."""
        return names_of(models)


class Training(Section):
    """Which models are fitted beside the linear one, and on how many workers."""

    title: ClassVar[str] = "training"
    models: tuple[str, ...] = Field((), description="Models that compete with the linear one, such as trees, lstm.")
    distribution: Literal["single", "torch", "horovod"] = Field(
        "single", description="What connects the workers that the linear and the neural models are fitted by."
    )
    workers: int = Field(1, ge=1, description="How many workers fit such a model together.")
    seed: int = Field(0, ge=0, description="Seed of every draw.")
    engine: Literal["local", "kubernetes"] = Field(
        "local", description="Workers inside the step, or pods of a TrainJob (torch) or an MPIJob (horovod)."
    )
    namespace: str = Field("", description="Namespace of such a job; empty: that of the step.")
    storage: str = Field("", description="URI that its pods read their data from, such as s3://bucket/training.")
    secret: str = Field("", description="Secret whose keys, named as variables, its pods open the storage with.")
    image: str = Field("", description="Image of its pods; empty: that of the steps that train, for torch alone.")
    service_account: str = Field("", description="Service account that its pods act as; empty: the default one.")

    @field_validator("models", mode="before")
    @classmethod
    def _named(cls, models: Any) -> Any:
        """Take names with commas between as well, as options give them."""
        return names_of(models)


class Promotion(Section):
    """When a model of a run takes the place of the champion."""

    title: ClassVar[str] = "promotion"
    metric: Literal["mae", "mse", "rmse", "smape", "mase", "wape"] = Field(
        "mae", description="Error that models are compared by, pooled over the choosing windows; the least wins."
    )
    min_improvement: float = Field(
        0.0, ge=0, lt=1, description="Least share by which it must be lower than that of the champion that stands."
    )


SECTIONS: tuple[type[Section], ...] = (
    Reading,
    Catalogue,
    Statistics,
    Filling,
    Resampling,
    Decomposition,
    Anomalies,
    LevelChanges,
    Handling,
    Guard,
    Tuning,
    Training,
    Promotion,
)
DEFAULTS: dict[str, dict[str, Any]] = {section.title: section().plain() for section in SECTIONS}
"""The settings of every section as they stand where nobody changes them."""
