"""Studies against a real MLflow on SQLite."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.registry.store import registry
from sparkhu.registry.studies import DIGEST, FINGERPRINT, Study, _digest, find_study, log_study
from sparkhu.tuning.document import BestTrial, Tried
from sparkhu.tuning.trials import Measurement

pytestmark = pytest.mark.xdist_group("registry")

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EXPERIMENT = "kind: Experiment\n"
TRIALS = pl.DataFrame(
    {
        "trial": [0, 1, 2, 3],
        "name": [f"linear-{number}" for number in range(4)],
        "status": ["Succeeded", "EarlyStopped", "MetricsUnavailable", "Killed"],
        "objective": [0.4, 0.6, None, None],
        "started": [BEGIN + number * SECOND for number in range(4)],
        "ended": [BEGIN + (number + 1) * SECOND for number in range(3)] + [None],
        "seconds": [1.0, 1.0, 1.0, None],
        "param.strength": [0.001, 10.0, 0.1, 1.0],
        "param.depth": [3, 4, 5, 6],
        "metric.mse": [0.4, 0.6, None, None],
        "metric.mae": [0.5, 0.7, None, None],
        "message": ["", "", "no line told mse", ""],
    }
)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with registry() as (client, _):
        yield client


@pytest.fixture
def study() -> Study:
    """A study under a fingerprint that no other test has."""
    best = {"strength": "0.001", "depth": "3"}
    return Study(
        fingerprint=uuid.uuid4().hex,
        model="linear",
        group="1h/24",
        metric="mse",
        direction="minimize",
        algorithm="tpe",
        defaults=Tried(objective=0.5, assignment={"strength": "0.01", "depth": "3"}),
        best=BestTrial(trial=0, objective=0.4, assignment=best),
        chosen="best",
        assignment=best,
        trials=4,
        reason="all trials have been made",
        found_at=BEGIN,
        importance={"strength": 0.75, "depth": 0.25},
    )


def log(study: Study, trials: pl.DataFrame = TRIALS, **measured: Any) -> str:
    return log_study(study, trials, experiment=EXPERIMENT, measurements=measured.get("measurements", {}))


def quiet(message: str) -> None:
    raise AssertionError(message)


def nested(client: Any, run: str) -> list[Any]:
    """The runs of a study's trials, in their order."""
    found = client.search_runs([client.get_run(run).info.experiment_id], f"tags.`mlflow.parentRunId` = '{run}'")
    return sorted(found, key=lambda each: str(each.info.run_name))


def files(client: Any, run: str) -> Path:
    return Path(client.get_run(run).info.artifact_uri.removeprefix("file://"))


def test_a_study_comes_back_with_its_trials(study: Study) -> None:
    run = log(study)
    found = find_study(study.fingerprint, quiet)
    assert found is not None
    assert found[0] == replace(study, run_id=run)
    assert found[1].equals(TRIALS)
    assert found[1].schema == TRIALS.schema


def test_what_is_found_says_the_same_in_tuning_json(study: Study) -> None:
    log(study)
    found = find_study(study.fingerprint, quiet)
    assert found is not None
    assert found[0].told("search") == study.told("search")
    told = found[0].told("store").model_dump(mode="json")
    assert (told["origin"], told["found_at"]) == ("store", "2026-01-01T00:00:00Z")
    assert told["best"] == {"trial": 0, "objective": 0.4, "assignment": {"strength": "0.001", "depth": "3"}}


def test_another_fingerprint_finds_nothing(study: Study) -> None:
    log(study)
    assert find_study(uuid.uuid4().hex, quiet) is None


def test_a_fingerprint_is_hex_digits() -> None:
    with pytest.raises(ValueError, match="must be hex digits, got 'a' or"):
        find_study("a' or tags.x = 'y", quiet)


def test_the_newest_study_counts_and_no_deleted_one(client: Any, study: Study) -> None:
    first = log(study)
    second = log(replace(study, assignment={"strength": "5"}))
    found = find_study(study.fingerprint, quiet)
    assert found is not None
    assert (found[0].run_id, found[0].assignment) == (second, {"strength": "5"})
    client.delete_run(second)
    found = find_study(study.fingerprint, quiet)
    assert found is not None
    assert found[0].run_id == first
    client.delete_run(first)
    assert find_study(study.fingerprint, quiet) is None


def test_a_study_whose_writing_failed_or_was_cut_off_does_not_count(client: Any, study: Study) -> None:
    broken = TRIALS.with_columns(status=pl.when(pl.col("trial") == 2).then(pl.lit("Odd")).otherwise("status"))
    with pytest.raises(KeyError, match="Odd"):
        log(study, broken)
    experiment = client.get_experiment_by_name("sparkhu").experiment_id
    ((failed),) = client.search_runs([experiment], f"tags.`{FINGERPRINT}` = '{study.fingerprint}'")
    assert failed.info.status == "FAILED"
    assert find_study(study.fingerprint, quiet) is None
    client.update_run(log(study), status="RUNNING")  # as a process that is killed leaves it
    assert find_study(study.fingerprint, quiet) is None


def delete(file: Path) -> None:
    file.unlink()


def edit(file: Path) -> None:
    file.write_text(file.read_text().replace("0.001", "0.002"))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("name", "damage"),
    [("study.json", delete), ("study.json", edit), ("trials.parquet", truncate), ("trials.parquet", delete)],
)
def test_a_damaged_study_is_told_and_an_older_one_is_taken(client: Any, study: Study, name: str, damage: Any) -> None:
    older, newer = log(study), log(study)
    damage(files(client, newer) / name)
    told: list[str] = []
    found = find_study(study.fingerprint, told.append)
    assert found is not None
    assert found[0].run_id == older
    assert [text.partition(":")[0] for text in told] == [
        f"the stored study of MLflow run {newer} cannot be read and is not used"
    ]
    damage(files(client, older) / name)
    told.clear()
    assert find_study(study.fingerprint, told.append) is None
    assert len(told) == 2


def test_a_study_that_lacks_a_field_is_told(client: Any, study: Study) -> None:
    run = log(study)
    written = files(client, run)
    document = json.loads((written / "study.json").read_text())
    del document["chosen"]
    (written / "study.json").write_text(json.dumps(document))
    texts = [(written / name).read_bytes() for name in ("study.json", "trials.parquet")]
    client.set_tag(run, DIGEST, _digest(*texts))
    told: list[str] = []
    assert find_study(study.fingerprint, told.append) is None
    assert "chosen" in told[0]


def test_the_run_tells_what_was_tuned_and_what_came_of_it(client: Any, study: Study) -> None:
    run = client.get_run(log(study))
    assert (run.info.run_name, run.info.status) == ("tune linear 1h/24", "FINISHED")
    assert run.data.params == {"strength": "0.001", "depth": "3"}
    reached = {"mse": 0.4, "mse.defaults": 0.5, "trials": 4.0, "importance.strength": 0.75, "importance.depth": 0.25}
    assert run.data.metrics == reached
    tags = {
        "sparkhu.tuning.fingerprint": study.fingerprint,
        "sparkhu.tuning.model": "linear",
        "sparkhu.tuning.group": "1h/24",
        "sparkhu.tuning.algorithm": "tpe",
        "sparkhu.tuning.objective": "minimize mse",
        "sparkhu.tuning.chosen": "best",
        "mlflow.note.content": "all trials have been made",
    }
    assert tags.items() <= run.data.tags.items()
    kept = files(client, run.info.run_id)
    assert {path.name for path in kept.iterdir()} == {"study.json", "trials.parquet", "experiment.yaml"}
    assert (kept / "experiment.yaml").read_text() == EXPERIMENT


def test_where_the_defaults_stay_their_objective_is_the_runs(client: Any, study: Study) -> None:
    stays = replace(study, best=None, chosen="defaults", assignment=study.defaults.assignment)
    assert client.get_run(log(stays)).data.metrics["mse"] == 0.5


def test_each_trial_is_a_nested_run_with_its_parameters_times_and_ending(client: Any, study: Study) -> None:
    runs = nested(client, log(study))
    assert [run.info.run_name for run in runs] == TRIALS["name"].to_list()
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED", "FAILED", "KILLED"]
    assert [run.data.tags["sparkhu.tuning.status"] for run in runs] == TRIALS["status"].to_list()
    assert [run.data.params for run in runs[:2]] == [
        {"strength": "0.001", "depth": "3"},
        {"strength": "10.0", "depth": "4"},
    ]
    assert [run.data.metrics for run in runs] == [{"mse": 0.4, "mae": 0.5}, {"mse": 0.6, "mae": 0.7}, {}, {}]
    began = int(BEGIN.timestamp() * 1000)
    assert [run.info.start_time for run in runs] == [began + 1000 * number for number in range(4)]
    assert [run.info.end_time for run in runs[:3]] == [began + 1000 * number for number in range(1, 4)]
    assert runs[2].data.tags["mlflow.note.content"] == "no line told mse"


def test_what_a_trial_reported_becomes_the_steps_of_its_metric(client: Any, study: Study) -> None:
    # The first trial ends at what it reported last, the second (of which the least counts) does not: 0.6 comes last.
    reported = {0: ("0.9", "nan", "0.4"), 1: ("0.6", "0.8")}
    measurements = {
        number: [Measurement(BEGIN + at * SECOND, "mse", text) for at, text in enumerate(texts)]
        for number, texts in reported.items()
    }
    first, second, *_ = nested(client, log(study, measurements=measurements))
    history = client.get_metric_history(first.info.run_id, "mse")
    began = int(BEGIN.timestamp() * 1000)
    assert [(each.step, each.value, each.timestamp) for each in history] == [(0, 0.9, began), (1, 0.4, began + 2000)]
    assert [each.value for each in client.get_metric_history(second.info.run_id, "mse")] == [0.6, 0.8, 0.6]
    assert second.data.metrics["mse"] == 0.6


def test_more_values_than_mlflow_takes_at_once_are_kept(client: Any, study: Study) -> None:
    many = [Measurement(BEGIN, "mse", str(1 + number)) for number in range(2000)]
    first, *_ = nested(client, log(study, TRIALS.head(1), measurements={0: many}))
    values = [each.value for each in client.get_metric_history(first.info.run_id, "mse")]
    assert values == [*(1.0 + number for number in range(2000)), 0.4]


def test_a_name_that_mlflow_refuses_is_a_clear_failure(study: Study) -> None:
    with pytest.raises(SparkhuError, match=r"the model registry at .* failed: .*a\*b"):
        log(study, TRIALS.rename({"param.depth": "param.a*b"}))
    assert find_study(study.fingerprint, quiet) is None
