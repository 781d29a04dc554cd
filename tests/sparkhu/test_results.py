"""`run.json` and `metrics.json`: what they say, and that their published schemas are the models'."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from sparkhu import ledger
from sparkhu.errors import SparkhuError
from sparkhu.lineage import StepRecord, Trail, code_fingerprint
from sparkhu.results import FILES, UNREGISTERED, check_metrics, json_schemas, run_record, warnings_of, write_run

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCORES = {
    "mse": 0.37,
    "mae": 0.39,
    "rmse": 0.61,
    "smape": 12.5,
    "mase": None,
    "wape": 0.1,
    "coverage_80": 0.81,
    "coverage_95": 0.95,
    "windows": 3,
    "points": 72,
}


def record(step: str, after: float, seconds: float, **fields: Any) -> StepRecord:
    return StepRecord(step=step, started=(BEGIN + timedelta(seconds=after)).isoformat(), seconds=seconds, **fields)


def metrics(**changes: Any) -> dict[str, Any]:
    series = [{"unique_id": "a", "group": "1h/24", "linear": SCORES}]
    return {
        "schema_version": 1,
        "units": "standardised",
        "champion": "linear",
        "linear": SCORES,
        "seasonal_naive": SCORES,
        "groups": {"1h/24": {"linear": SCORES}},
        "series": series,
        **changes,
    }


@pytest.fixture
def trail() -> Trail:
    failed = ledger.entries(["b", "c"], status="failed", reason="constant")
    skipped = ledger.entries(["a"], status="skipped", reason="too short")
    entries = ledger.merge([ledger.with_step(failed, "scale"), ledger.with_step(skipped, "test")])
    steps = (
        record("ingest", 0, 2.0, sources=({"uri": "s.csv", "sha256": "ab"},), notes=("time column: ds",)),
        record("slow", 1, 9.5, notes=("period 1h", "time column: ds")),
        record("validate", 2, 1.0, counts={"quarantined": 1_234}),
    )
    return Trail(steps, entries)


def test_the_run_lasts_from_the_first_start_to_the_last_end(trail: Trail) -> None:
    # ingest 0..2, slow 1..10.5, validate 2..3: the last end is slow's, at 10.5 s.
    run = run_record(trail, pipeline="forecast", parameters={"horizon": 24})
    assert (run.started, run.seconds) == (BEGIN.isoformat(), 10.5)
    assert run.finished == (BEGIN + timedelta(seconds=10.5)).isoformat()


def test_the_run_gathers_sources_notes_and_code(trail: Trail) -> None:
    run = run_record(trail, pipeline="forecast", parameters={"horizon": 24})
    assert run.sources == [{"uri": "s.csv", "sha256": "ab"}]
    assert run.notes == ["time column: ds", "period 1h"]
    assert run.parameters == {"horizon": 24}
    assert run.code == code_fingerprint()
    assert set(run.versions) == {"python", "polars", "numpy"}
    assert [step.step for step in run.steps] == ["ingest", "slow", "validate"]


def test_a_trail_without_steps_is_refused() -> None:
    with pytest.raises(SparkhuError, match="record no step"):
        run_record(Trail(), pipeline="forecast", parameters={})


def test_warnings_count_refused_rows_and_name_series_left_out(trail: Trail) -> None:
    assert warnings_of(trail) == [
        "1,234 rows refused; see quarantine.parquet",
        "2 series (such as 'b') left out at scale: constant",
    ]


def test_one_row_and_one_series_are_written_in_the_singular() -> None:
    failed = ledger.with_step(ledger.entries(["b"], status="failed", reason="constant"), "scale")
    trail = Trail((record("validate", 0, 1, counts={"quarantined": 1}),), failed)
    assert warnings_of(trail) == [
        "1 row refused; see quarantine.parquet",
        "series 'b' left out at scale: constant",
    ]


def test_metadata_that_may_be_misspelt_are_a_warning() -> None:
    assert warnings_of(Trail((record("sync_metadata", 0, 1, counts={"misspelt": 1}),))) == [
        "1 column of the metadata may be misspelt; see the notes of the run"
    ]


def test_a_clean_run_has_no_warnings() -> None:
    assert warnings_of(Trail((record("validate", 0, 1, counts={"quarantined": 0}),))) == []


def test_run_json_follows_its_schema_and_keeps_letters_readable(trail: Trail, tmp_path: Path) -> None:
    path = write_run(run_record(trail, pipeline="forecast", parameters={"source": "über.csv"}), tmp_path)
    text = path.read_text(encoding="utf-8")
    assert path.name == "run.json"
    assert "über.csv" in text
    jsonschema.validate(json.loads(text), json_schemas()["run.schema.json"])


def test_metrics_follow_their_schema() -> None:
    document = metrics()
    jsonschema.validate(document, json_schemas()["metrics.schema.json"])
    assert check_metrics(document).champion == "linear"


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        (metrics(schema_version=2), "schema_version"),
        (metrics(linear={**SCORES, "mse": "low"}), "linear.mse"),
        (metrics(linear={**SCORES, "extra": 1}), "linear.extra"),
        (metrics(series=[{"group": "1h/24"}]), "series.0.unique_id"),
    ],
)
def test_broken_metrics_are_refused_by_model_and_schema(broken: dict[str, Any], place: str) -> None:
    with pytest.raises(SparkhuError, match=f"at '{place}'"):
        check_metrics(broken)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json_schemas()["metrics.schema.json"])


@pytest.mark.parametrize("name", [*json_schemas()])
def test_the_published_schema_is_the_models(name: str) -> None:
    published = json.loads((REFERENCE / name).read_text(encoding="utf-8"))
    assert published == json_schemas()[name], "docs/reference is stale: make docs"
    jsonschema.Draft202012Validator.check_schema(published)


def test_every_result_file_is_named_once() -> None:
    assert len(set(FILES)) == len(FILES)
    assert {"run.json", "metrics.json", "clean.parquet", "quarantine.parquet"} <= set(FILES)
    folders = set(pl.Series(FILES).filter(~pl.Series(FILES).str.contains(r"\.(json|parquet|html|log)$")))
    assert folders == {UNREGISTERED}


def test_steps_that_ran_over_groups_side_by_side_do_not_lengthen_the_run() -> None:
    # 40 s of work in eight groups at once: what read them all began after 7 s and ended after 8.
    steps = (record("fill", 2, 40.0), record("gather_groups", 7, 1.0, inputs=("fill",)))
    run = run_record(Trail(steps, ledger.merge([])), pipeline="forecast", parameters={})
    assert run.seconds == 6.0
