"""Facts about promotion: one champion, the one that evaluation chose, even where nothing could be compared."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.lineage import StepRecord, Trail
from sparkhu.registry import Reach, load_champion
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from sparkhu.stages.promoting import reach
from tests.components.chain import Chain

pytestmark = pytest.mark.xdist_group("stages")


def results(folder: Path, values: list[float], *, days: int, horizon: int, input_size: int) -> dict[str, Path]:
    start = datetime(2000, 1, 1, tzinfo=UTC)
    lines = [f"s,{(start + timedelta(days=days * at)).date()},{value}" for at, value in enumerate(values)]
    (folder / "observations.csv").write_text("\n".join(["series,when,reading", *lines]) + "\n")
    ingest_source(
        str(folder / "observations.csv"),
        SourceOptions(),
        out=folder / "raw",
        history=folder / "history",
        versions=folder / "versions",
    )
    chain = Chain(folder)
    return chain.forecast(chain.prepare(folder / "raw"), horizon=horizon, input_size=input_size)


def test_a_tie_goes_to_the_simpler_model_in_metrics_forecasts_and_registry(tmp_path: Path) -> None:
    made = results(tmp_path, [1.5] * 200, days=1, horizon=7, input_size=14)
    champion = json.loads((made["results"] / "metrics.json").read_text())["champion"]
    bundle, _ = load_champion("chain", tmp_path / "fetched")

    assert champion == "seasonal_naive" == bundle.flavor
    assert set(pl.read_parquet(made["results"] / "forecasts.parquet")["model"]) == {"seasonal_naive"}


def test_a_run_without_a_validation_window_still_forecasts(tmp_path: Path) -> None:
    made = results(tmp_path, [1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 8.0, 7.0], days=7, horizon=2, input_size=3)
    forecasts = pl.read_parquet(made["results"] / "forecasts.parquet")

    assert json.loads((made["results"] / "metrics.json").read_text())["champion"] == "seasonal_naive"
    assert forecasts.height == 2
    assert "no candidate could be scored" in made["card"].read_text()


def test_a_model_reaches_as_far_into_the_table_of_a_lake_as_its_longest_series() -> None:
    ends = [datetime(2024, 1, day, tzinfo=UTC) for day in (3, 9, 5)]
    last = pl.Series([*ends, None]).max()
    stored = StepRecord("ingest", "", 0.0, sources=({"uri": "s3://plant/lake", "table": "observations"},))
    assert reach(Trail((stored,)), last) == Reach("s3://plant/lake observations", ends[1])
    assert reach(Trail((stored,)), None) is None
    of_a_file = StepRecord("ingest", "", 0.0, sources=({"uri": "file:///a.csv"},))
    assert reach(Trail((of_a_file,)), last) is None
