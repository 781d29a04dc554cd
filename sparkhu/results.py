"""The results of a run that other programs read: its documents, as models with a version.

The files of a results folder:

| file | what |
| --- | --- |
| `run.json` | what ran: source, parameters, fingerprints, every step with seconds, rows and status |
| `metrics.json` | errors of every model: over all series, per group, per series |
| `tuning.json` | what was tuned, where the values come from, and what they bring on the validation part |
| `trials.parquet` | every trial of the tuning: what it was given, what it reached, how it ended |
| `clean.parquet` | every observation with its flags, its raw value and how it was filled |
| `stats.parquet` | one row of descriptive statistics a series |
| `forecasts.parquet` | point forecasts and intervals |
| `ledger.parquet` | what became of every series at every step |
| `quarantine.parquet` | refused rows, each with its reason |
| `unregistered/` | the models, where the registry was away: `sparkhu register` registers them |

`run.json` is written last: where it stands, the folder is whole.
"""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparkhu.backtesting.schema import BacktestMetrics
from sparkhu.errors import SparkhuError
from sparkhu.lineage import StepRecord, Trail, code_fingerprint
from sparkhu.tuning.document import Tuning

SCHEMA_VERSION = 1
RUN, METRICS, TUNING = "run.json", "metrics.json", "tuning.json"
TABLES = (
    *("clean", "stats", "forecasts", "ledger", "quarantine", "profile", "choices", "scores", "scalers", "duplicates"),
    *("categories", "estimates", "seasons", "limits", "level_changes", "handling", "handling_scores", "cleaning"),
    *("metadata", "history", "trials"),
)
DOCUMENTS = (RUN, METRICS, TUNING, "history.json", "published.json")
UNREGISTERED, REGISTRATION = "unregistered", "registration.json"
"""Where the models lie that the registry could not take, and what beside them says how to register them."""
FILES = (*DOCUMENTS, "report.html", "run.log", UNREGISTERED, *(f"{table}.parquet" for table in TABLES))
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Run(BaseModel):
    """What ran: `run.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="run.json")

    schema_version: Literal[1] = Field(default=1, description="Version of this schema.")
    pipeline: str = Field(description="Pipeline that ran: forecast or predict.")
    status: Literal["ok"] = Field(default="ok", description="A run that fails leaves no run.json.")
    started: str = Field(description="When the first step began: UTC, ISO 8601.")
    finished: str = Field(description="When the last step ended: UTC, ISO 8601.")
    seconds: float = Field(ge=0, description="From start to finish.")
    parameters: dict[str, Any] = Field(description="Every parameter of the run, defaults included.")
    sources: list[dict[str, Any]] = Field(description="Fingerprints of what was read from outside the run.")
    code: str = Field(description="Version and fingerprint of the library that ran.")
    versions: dict[str, str] = Field(description="Versions of the interpreter and of the libraries that compute.")
    notes: list[str] = Field(description="What was found from the data or chosen by default.")
    warnings: list[str] = Field(description="What needs attention: refused rows, series left out.")
    steps: list[StepRecord] = Field(description="Every step, in order of its start.")


class Scores(BaseModel):
    """Errors of one model; null where they are not defined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mse: float | None = Field(description="Mean squared error, in standardised units.")
    mae: float | None = Field(description="Mean absolute error, in standardised units.")
    rmse: float | None = Field(description="Root of the mean squared error, in standardised units.")
    smape: float | None = Field(description="Symmetric mean absolute percentage error, 0 to 200.")
    mase: float | None = Field(description="Mean absolute error over that of the in-sample seasonal naive forecast.")
    wape: float | None = Field(description="Sum of absolute errors over the sum of absolute observed values.")
    coverage_80: float | None = Field(description="Share of observed values inside the 80 % interval.")
    coverage_95: float | None = Field(description="Share of observed values inside the 95 % interval.")
    windows: int = Field(ge=0, description="Test windows scored.")
    points: int = Field(ge=0, description="Observed points scored.")


class SeriesScores(BaseModel):
    """Errors of every model on one series; the models' names are keys beside `unique_id` and `group`."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Scores]

    unique_id: str = Field(description="The series.")
    group: str = Field(description="The group that it is forecast in, such as 1h/24.")


class ReigningScore(BaseModel):
    """The champion of an earlier run, beside which the models of this one were scored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str | None = Field(description="Its number; null: there was none, or the registry was away.")
    score: float | None = Field(description="Its score on the windows that all candidates can forecast.")
    told: str = Field(description="How many series it can forecast, or why it could not be compared.")
    takes_part: bool = Field(description="Whether it was scored, as far as there were windows.")
    gives_way: bool = Field(description="Whether it gives way where it could not be compared.")
    challenger: float | None = Field(None, description="Score of the best model of this run on the same windows.")
    yardstick: float | None = Field(None, description="Score of seasonal naive on the same windows.")
    windows: int = Field(0, ge=0, description="Windows that it was compared on.")
    series: int = Field(0, ge=0, description="Series that these are of.")


class GateScores(BaseModel):
    """What the candidates of the promotion were compared on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    champion: str = Field(description="The best of the models of this run.")
    metric: str = Field(description="Error that they were compared by, pooled over all points.")
    min_improvement: float = Field(description="Share by which a challenger has to be better than the champion.")
    window: str = Field(description="What the windows are, in words.")
    series: int = Field(ge=0, description="Series that the windows are of.")
    windows: int = Field(ge=0, description="Windows that all candidates can forecast.")
    points: int = Field(ge=0, description="Observed points of these windows.")
    scores: dict[str, float] = Field(description="Score of each model of this run; none where no window is common.")
    ratio: float | None = Field(description="The best model's score over that of seasonal naive, at most 1.")
    reigning: ReigningScore = Field(description="The champion of an earlier run.")
    test_ratio: float | None = Field(description="As `ratio`, on the test part, which chose nothing.")
    model_name: str = Field("", description="The registered model whose champion was looked for; empty: none was.")


class Metrics(BaseModel):
    """Errors of every model: `metrics.json`. The models' names are keys at the top."""

    model_config = ConfigDict(frozen=True, extra="allow", title="metrics.json")
    __pydantic_extra__: dict[str, Scores]

    schema_version: Literal[1] = Field(default=1, description="Version of this schema.")
    units: str = Field(description="Units of mse, mae and rmse, in words.")
    champion: str | None = Field(description="The model that forecasts; null where nothing could be evaluated.")
    gate: GateScores | None = Field(default=None, description="What the champion was chosen by; null: nothing was.")
    groups: dict[str, dict[str, Scores]] = Field(description="Errors by group, then by model.")
    series: list[SeriesScores] = Field(description="Errors by series.")


def run_record(trail: Trail, *, pipeline: str, parameters: Mapping[str, Any]) -> Run:
    """Describe a finished run from the history and the ledger that its results carry.

    Args:
        trail: The trail of the results artifact.
        pipeline: Name of the pipeline.
        parameters: Every parameter of the run.

    Raises:
        SparkhuError: The trail records no step.
    """
    steps = sorted(trail.history, key=lambda record: record.started)
    if not steps:
        raise SparkhuError("the results record no step, so nothing can be said of the run. Run the pipeline again.")
    # What another step read had ended when that began; the seconds of groups that ran side by side are a sum.
    read = {name for step in steps for name in step.inputs}
    last = [step for step in steps if step.step not in read]
    ends = [datetime.fromisoformat(step.started) + timedelta(seconds=step.seconds) for step in last]
    started, finished = datetime.fromisoformat(steps[0].started), max(ends)
    return Run(
        pipeline=pipeline,
        started=started.astimezone(UTC).isoformat(),
        finished=finished.astimezone(UTC).isoformat(),
        seconds=round((finished - started).total_seconds(), 3),
        parameters=dict(parameters),
        sources=[source for step in steps for source in step.sources],
        code=code_fingerprint(),
        versions={"python": platform.python_version(), **{name: version(name) for name in ("polars", "numpy")}},
        notes=list(dict.fromkeys(note for step in steps for note in step.notes)),
        warnings=warnings_of(trail),
        steps=steps,
    )


def warnings_of(trail: Trail) -> list[str]:
    """Say what needs attention after a run: refused rows, then series left out, the most frequent reason first."""
    refused = sum(record.counts.get("quarantined", 0) for record in trail.history)
    failed = trail.entries.filter(pl.col("status") == "failed")
    reasons = (
        failed.group_by("step", "reason")
        .agg(series=pl.col("unique_id").n_unique(), example=pl.col("unique_id").min())
        .sort(["series", "step", "reason"], descending=[True, False, False])
    )
    lines = [f"{refused:,} row{'s' * (refused != 1)} refused; see quarantine.parquet"] if refused else []
    conflicts = sum(record.counts.get("conflicts", 0) for record in trail.history)
    if conflicts:
        lines.append(f"{conflicts:,} instant{'s' * (conflicts != 1)} had several values; see duplicates.parquet")
    waiting = sum(record.counts.get("unregistered models", 0) for record in trail.history)
    if waiting:
        lines.append(
            f"the registry was away: {waiting} model{'s' * (waiting != 1)} wait in unregistered/; register them with "
            "sparkhu register and the folder of these results"
        )
    unfit = sum(record.counts.get("models not fitted", 0) for record in trail.history)
    if unfit:
        lines.append(
            f"{unfit} model{'s' * (unfit != 1)} could not be fitted and took no part; see the notes of the run"
        )
    misspelt = sum(record.counts.get("misspelt", 0) for record in trail.history)
    if misspelt:
        lines.append(
            f"{misspelt} column{'s' * (misspelt != 1)} of the metadata may be misspelt; see the notes of the run"
        )
    for step, reason, series, example in reasons.iter_rows():
        which = f"series '{example}'" if series == 1 else f"{series:,} series (such as '{example}')"
        lines.append(f"{which} left out at {step}: {reason}")
    return lines


def check_metrics(document: Mapping[str, Any]) -> Metrics:
    """Read the document `metrics.json`.

    Raises:
        SparkhuError: It does not follow the schema; the message names the first place that does not.
    """
    try:
        return Metrics.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SparkhuError(f"{METRICS} does not follow its schema at '{place}': {first['msg']}") from error


def write_run(run: Run, folder: Path) -> Path:
    """Write `run.json` into `folder` and give its path."""
    path = folder / RUN
    path.write_text(json.dumps(run.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def json_schemas() -> dict[str, dict[str, Any]]:
    """Give the JSON Schemas of these files, by the name of the file that publishes each."""
    models: dict[str, type[BaseModel]] = {
        "run.schema.json": Run,
        "metrics.schema.json": Metrics,
        "tuning.schema.json": Tuning,
        "backtest.schema.json": BacktestMetrics,
    }
    return {
        name: {"$schema": DIALECT, **model.model_json_schema(mode="serialization")} for name, model in models.items()
    }
