"""Tuned values in MLflow: what one search found is kept under its fingerprint, and found again by it."""

import hashlib
import io
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from sparkhu.errors import SparkhuError
from sparkhu.registry.store import registry
from sparkhu.tuning.document import BestTrial, Chosen, Origin, Tried, TunedGroup
from sparkhu.tuning.space import Direction
from sparkhu.tuning.trials import Measurement, Status

FINGERPRINT, DIGEST, STATUS = "sparkhu.tuning.fingerprint", "sparkhu.tuning.sha256", "sparkhu.tuning.status"
STUDY, TRIALS, EXPERIMENT = "study.json", "trials.parquet", "experiment.yaml"
MOST_METRICS, MOST_PARAMS = 900, 100  # at once: MLflow takes 100 parameters, and 1000 values of both
NEWEST = 3
ENDINGS: Mapping[Status, str] = {
    "Succeeded": "FINISHED",
    "EarlyStopped": "FINISHED",
    "Failed": "FAILED",
    "MetricsUnavailable": "FAILED",
    "Killed": "KILLED",
    "Running": "KILLED",  # a study that has ended has no trial that runs
}


@dataclass(frozen=True)
class Study:
    """What is kept of the tuning of one group of series.

    Attributes:
        fingerprint: Of data, model and its code, search space and objective: hex digits.
        model: The model that was tuned.
        group: The group of series, such as `1h/24`.
        metric: Name of the objective metric.
        direction: Whether a smaller or a larger value is better.
        algorithm: Name of the algorithm that suggested the trials.
        defaults: The model's defaults and what they reach.
        best: The best trial; None where none succeeded.
        chosen: Whether the best trial's values or the defaults are used.
        assignment: Those values, as texts.
        trials: How many trials there were.
        reason: Why the search ended.
        found_at: When it ended, with a zone.
        importance: Share of each parameter in the variance of the objective.
        run_id: MLflow's run that keeps the study; empty until it is stored.
    """

    fingerprint: str
    model: str
    group: str
    metric: str
    direction: Direction
    algorithm: str
    defaults: Tried
    best: BestTrial | None
    chosen: Chosen
    assignment: Mapping[str, str]
    trials: int
    reason: str
    found_at: datetime
    importance: Mapping[str, float] = field(default_factory=dict)
    run_id: str = ""

    def told(self, origin: Origin) -> TunedGroup:
        """Give what `tuning.json` says of the study."""
        return TunedGroup(
            model=self.model,
            group=self.group,
            fingerprint=self.fingerprint,
            origin=origin,
            found_at=self.found_at,
            algorithm=self.algorithm,
            trials=self.trials,
            reason=self.reason,
            defaults=self.defaults,
            best=self.best,
            chosen=self.chosen,
            assignment=dict(self.assignment),
            importance=dict(self.importance),
        )


def log_study(
    study: Study,
    trials: pl.DataFrame,
    *,
    experiment: str,
    measurements: Mapping[int, Sequence[Measurement]],
) -> str:
    """Store a study: one run with its files, and a nested run for each trial.

    The run is finished last, and only a finished one is found again, so that a study whose writing was cut off does
    not count.

    Args:
        study: What was found.
        trials: One row a trial (`sparkhu.tuning.tables`).
        experiment: The finished Katib Experiment, as YAML.
        measurements: What each trial reported while it ran, by its number; they become the steps of its metrics.

    Returns:
        The id of the run.

    Raises:
        SparkhuError: MLflow cannot be used, or refuses a name.
    """
    texts = TypeAdapter(Study).dump_json(study, indent=2), _parquet(trials)
    with registry() as (client, place), tempfile.TemporaryDirectory() as scratch:
        files = dict(zip((STUDY, TRIALS, EXPERIMENT), (*texts, experiment.encode()), strict=True))
        for name, content in files.items():
            (Path(scratch) / name).write_bytes(content)
        tags = {**_tags(study), DIGEST: _digest(*texts)}
        run = client.create_run(place, run_name=f"tune {study.model} {study.group}", tags=tags).info.run_id
        try:
            _log_values(client, run, study.assignment, _results(study))
            for row in trials.iter_rows(named=True):
                measured = measurements.get(row["trial"], ())
                _log_trial(client, place, row, measured, parent=run, metric=study.metric)
            client.log_artifacts(run, scratch)
        except BaseException:
            client.set_terminated(run, status="FAILED")
            raise
        client.set_terminated(run)
    return str(run)


def find_study(fingerprint: str, tell: Callable[[str], object]) -> tuple[Study, pl.DataFrame] | None:
    """Find the newest finished study of a fingerprint, with its trials; runs that were deleted do not count.

    Args:
        fingerprint: Hex digits.
        tell: Is given a sentence for each study that is there and cannot be read, as when its files were lost: an older
            one is taken then, or the search has to be made anew.

    Returns:
        The study and one row a trial; None where there is none that can be read.

    Raises:
        ValueError: The fingerprint has other letters than hex digits.
        SparkhuError: MLflow cannot be used.
    """
    if not re.fullmatch("[0-9a-f]+", fingerprint):
        raise ValueError(f"fingerprint must be hex digits, got '{fingerprint}'")
    with registry() as (client, place):
        wanted = f"tags.`{FINGERPRINT}` = '{fingerprint}' and attributes.status = 'FINISHED'"
        newest = ["attributes.end_time DESC"]
        for run in client.search_runs([place], wanted, order_by=newest, max_results=NEWEST):
            try:
                return _read(client, run, fingerprint)
            except SparkhuError as error:
                tell(str(error))
    return None


def _read(client: Any, run: Any, fingerprint: str) -> tuple[Study, pl.DataFrame]:
    from mlflow.exceptions import MlflowException

    number = run.info.run_id
    try:
        with tempfile.TemporaryDirectory() as scratch:
            texts = [Path(client.download_artifacts(number, name, scratch)).read_bytes() for name in (STUDY, TRIALS)]
        if _digest(*texts) != run.data.tags.get(DIGEST):
            raise ValueError(f"{STUDY} or {TRIALS} is not as it was written")
        study = TypeAdapter(Study).validate_json(texts[0])
        trials = pl.read_parquet(io.BytesIO(texts[1]))
        if study.fingerprint != fingerprint:
            raise ValueError(f"{STUDY} is of fingerprint {study.fingerprint}")
    except (MlflowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise SparkhuError(
            f"the stored study of MLflow run {number} cannot be read and is not used: {error}"
        ) from error
    return replace(study, run_id=number), trials


def _parquet(trials: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    trials.write_parquet(content)
    return content.getvalue()


def _digest(*texts: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()


def _tags(study: Study) -> dict[str, str]:
    return {
        FINGERPRINT: study.fingerprint,
        "sparkhu.tuning.model": study.model,
        "sparkhu.tuning.group": study.group,
        "sparkhu.tuning.algorithm": study.algorithm,
        "sparkhu.tuning.objective": f"{study.direction} {study.metric}",
        "sparkhu.tuning.chosen": study.chosen,
        "mlflow.note.content": study.reason,
    }


def _results(study: Study) -> Iterator[Any]:
    """Give the metrics of a study: what was chosen reaches, what the defaults reach, and the importances."""
    from mlflow.entities import Metric

    best = None if study.best is None else study.best.objective
    reached = best if study.chosen == "best" else study.defaults.objective
    named = {study.metric: reached, f"{study.metric}.defaults": study.defaults.objective, "trials": study.trials}
    named |= {f"importance.{name}": share for name, share in study.importance.items()}
    when = _milliseconds(study.found_at)
    for name, value in named.items():
        if value is not None and isfinite(value):
            yield Metric(name, float(value), when, 0)


def _log_trial(
    client: Any, place: str, row: Mapping[str, Any], measured: Sequence[Measurement], *, parent: str, metric: str
) -> None:
    began, ended = (_milliseconds(row[name]) if row[name] else None for name in ("started", "ended"))
    tags = {"mlflow.parentRunId": parent, STATUS: row["status"]}
    if row["message"] and row["status"] != "Succeeded":
        tags["mlflow.note.content"] = row["message"]
    run = client.create_run(place, start_time=began, run_name=row["name"], tags=tags).info.run_id
    params = {name.removeprefix("param."): value for name, value in row.items() if name.startswith("param.")}
    finals = {name.removeprefix("metric."): value for name, value in row.items() if name.startswith("metric.")}
    _log_values(client, run, params, _steps({**finals, metric: row["objective"]}, measured, ended or began or 0))
    client.set_terminated(run, status=ENDINGS[row["status"]], end_time=ended)


def _steps(finals: Mapping[str, float | None], measured: Sequence[Measurement], when: int) -> Iterator[Any]:
    """Give what a trial reported as the steps of its metrics; what counts in the end, where it is another, comes last.

    MLflow shows the last step of a metric as its value.
    """
    from mlflow.entities import Metric

    last: dict[str, tuple[int, float]] = {}
    for each in measured:
        value = _number(each.value)
        if value is not None:
            last[each.metric] = (last[each.metric][0] + 1 if each.metric in last else 0, value)
            yield Metric(each.metric, value, _milliseconds(each.at), last[each.metric][0])
    for name, final in finals.items():
        step, value = last.get(name, (-1, None))
        if final is not None and isfinite(final) and final != value:
            yield Metric(name, final, when, step + 1)


def _number(text: str) -> float | None:
    """Read a measured value; None where it is no finite number, which MLflow's database may not keep."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _log_values(client: Any, run: str, params: Mapping[str, Any], metrics: Iterator[Any]) -> None:
    from mlflow.entities import Param

    named = [Param(key, str(value)) for key, value in params.items() if value is not None]
    points = list(metrics)
    client.log_batch(run, metrics=points[:MOST_METRICS], params=named[:MOST_PARAMS])
    for first in range(MOST_METRICS, len(points), MOST_METRICS):
        client.log_batch(run, metrics=points[first : first + MOST_METRICS])
    for first in range(MOST_PARAMS, len(named), MOST_PARAMS):
        client.log_batch(run, params=named[first : first + MOST_PARAMS])


def _milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)
