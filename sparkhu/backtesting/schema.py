"""The document of a backtest that other programs read: its `metrics.json`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class BacktestScores(BaseModel):
    """Errors of one model; null where they are not defined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mse: float | None = Field(description="Mean squared error, in standard deviations.")
    mae: float | None = Field(description="Mean absolute error, in standard deviations.")
    rmse: float | None = Field(description="Root of the mean squared error, in standard deviations.")
    smape: float | None = Field(description="Symmetric mean absolute percentage error, 0 to 200.")
    mase: float | None = Field(description="Mean absolute error over that of the in-sample seasonal naive forecast.")
    wape: float | None = Field(description="Sum of absolute errors over the sum of absolute observed values.")
    owa: float | None = Field(description="Mean of sMAPE and MASE, each over that of Naive2; null without Naive2.")
    pinball: float | None = Field(description="Pinball loss, a mean over the ends of the 80 and 95 % intervals.")
    coverage_80: float | None = Field(description="Share of observed values inside the 80 % interval.")
    coverage_95: float | None = Field(description="Share of observed values inside the 95 % interval.")
    relative_mae: float | None = Field(description="Mean absolute error over that of seasonal naive, pooled.")
    windows: int = Field(ge=0, description="Windows scored.")
    points: int = Field(ge=0, description="Observed points scored.")
    stood_in: int = Field(ge=0, description="Windows that the model could not forecast; seasonal naive stood in.")


class BacktestFold(BaseModel):
    """One fold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field(description="Period and season of its series, such as 1h/24.")
    number: int = Field(ge=1, description="Its place in time among those of its group.")
    cutoff: str = Field(description="The first instant forecast: models learnt from what lies before. UTC, ISO 8601.")
    until: str | None = Field(description="End of the targets where every later window is forecast; null: one is.")
    horizon: int = Field(ge=1, description="Points forecast.")
    input_size: int | None = Field(description="Points that models look at; null where no series could be forecast.")
    series: int = Field(ge=0, description="Series forecast.")
    seconds: dict[str, float] = Field(description="Seconds that the fit of each model took.")


class Leaks(BaseModel):
    """The check that no model has seen what it forecasts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["none found", "not looked for"] = Field(description="A leak ends a backtest in an error.")
    models: list[str] = Field(
        description="Models whose own forecasts another future did not change, to the bit. One that seasonal naive "
        "stood in for in all that was compared is not among them."
    )


class BacktestMetrics(BaseModel):
    """Errors of every model in a backtest: its `metrics.json`. The models' names are keys at the top."""

    model_config = ConfigDict(frozen=True, extra="allow", title="metrics.json of a backtest")
    __pydantic_extra__: dict[str, BacktestScores]

    schema_version: Literal[1] = Field(default=1, description="Version of this schema.")
    protocol: dict[str, Any] = Field(description="How the backtest asked.")
    units: str = Field(description="Units of mse, mae, rmse and pinball, in words.")
    best: str = Field(description="The model with the lowest error.")
    best_by: Literal["owa", "mae"] = Field(description="The error it is the lowest in.")
    leaks: Leaks = Field(description="The check for leaks.")
    series: int = Field(ge=0, description="Series scored; series.parquet has their errors.")
    left_out: int = Field(ge=0, description="Series left out of a fold or of all; ledger.parquet says why.")
    folds: list[BacktestFold] = Field(description="Every fold.")
    groups: dict[str, dict[str, BacktestScores]] = Field(description="Errors by group, then by model.")
    notes: list[str] = Field(description="What was chosen, and why.")
