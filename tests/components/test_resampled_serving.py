"""A model of resampled data serves new data as they come: a run's own rows give the run's own forecasts, to the bit."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.lineage import read_trail
from sparkhu.models.bundle import read_bundle
from sparkhu.shards import open_dataset
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from tests.components.chain import Chain

pytestmark = pytest.mark.xdist_group("stages")

START, QUARTER = datetime(2024, 1, 1, tzinfo=UTC), timedelta(minutes=15)
ROWS = 4 * 24 * 16 + 3
LAST_HOURS = 60


def write(path: Path) -> None:
    """Write quarters of an hour with a daily season; `holes` lacks every 37th row, and `meter` is uneven."""
    noise, lines = np.random.default_rng(3), ["series,when,reading"]
    for name in ("holes", "spikes"):
        values = 10 + 3 * np.sin(2 * np.pi * np.arange(ROWS) / 96) + noise.normal(0, 0.2, ROWS)
        if name == "spikes":
            values[100::211] += 60
        rows = [at for at in range(ROWS) if name == "spikes" or at % 37]
        lines += [f"{name},{(START + at * QUARTER).isoformat()},{values[at]}" for at in rows]
    moment = START
    for at in range(400):
        moment += timedelta(seconds=int(noise.integers(200, 4000)))
        lines.append(f"meter,{moment.isoformat()},{at % 7}")
    path.write_text("\n".join(lines) + "\n")


Run = tuple[Chain, dict[str, Path]]


@pytest.fixture(scope="module", params=["mean", "sum"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp(request.param)
    write(folder / "observations.csv")
    ingest_source(
        str(folder / "observations.csv"),
        SourceOptions(),
        out=folder / "raw",
        history=folder / "history",
        versions=folder / "versions",
    )
    chain = Chain(folder, resampling={"to": "1h", "how": request.param})
    return chain, chain.forecast(chain.prepare(folder / "raw"), horizon=6, input_size=24)


def served(run: Run, task: str, rows: Callable[[pl.DataFrame], pl.DataFrame]) -> dict[str, Path]:
    """Forecast changed rows of the run with its champion."""
    chain, made = run
    observed = open_dataset(chain.folder / "drop_duplicates-unique").scan().collect()
    path = chain.folder / f"{task}.csv"
    rows(observed).select("unique_id", "ds", "y").write_csv(path)
    ingest_source(
        str(path),
        SourceOptions(id="unique_id", time="ds", value="y"),
        out=chain.folder / f"{task}-raw",
        history=chain.folder / f"{task}-history",
        versions=chain.folder / f"{task}-versions",
    )
    valid = chain.run(
        "validate", f"{task}-v", raw=chain.folder / f"{task}-raw", metadata=chain.folder / "sync_metadata-metadata"
    )
    unique = chain.run("drop_duplicates", f"{task}-u", observations=valid["observations"])["unique"]
    return chain.run("forecast_new", f"{task}-f", observations=unique, champion=made["champion"])


def table(path: Path) -> pl.DataFrame:
    return open_dataset(path).scan().collect().sort("unique_id", "ds")


def test_the_rows_of_a_run_give_the_forecasts_of_the_run(run: Run) -> None:
    found = served(run, "same", lambda rows: rows)
    made = pl.read_parquet(run[1]["results"] / "forecasts.parquet").sort("unique_id", "ds")
    assert_frame_equal(table(found["forecasts"]).select(made.columns), made, check_exact=True)
    assert set(made["unique_id"]) == {"holes", "meter", "spikes"}
    # The last three quarters are no whole hour; the forecast begins with it.
    hours = made.filter(unique_id="spikes")
    assert hours["cutoff"][0] == START + timedelta(hours=16 * 24 - 1)
    assert hours["ds"].diff().drop_nulls().unique().to_list() == [timedelta(hours=1)]


def test_the_rows_are_prepared_as_in_the_run(run: Run) -> None:
    given = open_dataset(served(run, "rows", lambda rows: rows)["sequences"]).scan().collect()
    sequences = open_dataset(run[0].folder / "join_series-sequences").scan().collect()
    for column in ("ds", "y_raw", "is_gap", "is_outlier", "observed_available_at"):
        assert_frame_equal(given.select("unique_id", column), sequences.select("unique_id", column), check_exact=True)


def test_hours_that_were_made_already_pass_and_points_in_between_are_refused(run: Run) -> None:
    sequences = open_dataset(run[0].folder / "join_series-sequences").scan().collect()
    hours = sequences.filter(unique_id="spikes").tail(LAST_HOURS).drop_nulls("y")
    off = hours.with_columns(unique_id=pl.lit("holes"), ds=pl.col("ds") + 2 * QUARTER)
    found = served(run, "hours", lambda _: pl.concat([hours, off]))
    assert_frame_equal(table(found["sequences"]).select("ds", "y"), hours.select("ds", "y"), check_exact=True)
    made = pl.read_parquet(run[1]["results"] / "forecasts.parquet").filter(unique_id="spikes").sort("ds")
    assert table(found["forecasts"]).select("ds", "y_hat").equals(made.select("ds", "y_hat"))
    entries = read_trail([found["forecasts"]]).entries.filter(step="forecast_new", unique_id="holes")
    assert entries["status"].to_list() == ["failed"]
    assert entries["reason"][0] == (
        "its points stand as far apart as every 1h, but not all where such a period begins; give every 15min, or those"
    )


def test_the_bundle_tells_the_period_that_its_data_came_with(run: Run) -> None:
    bundle = read_bundle(run[1]["champion"])
    labels: dict[str, Any] = dict(bundle.source_profile.select("unique_id", "period_label").iter_rows())
    assert (labels["holes"], labels["spikes"]) == ("15min", "15min")
    assert set(bundle.profile.filter(decision="regular")["period_label"]) == {"1h"}
    how = {name: value for name, value in bundle.params.items() if name.startswith("resample_")}
    assert json.dumps(how["resample_to"]) == '"1h"'
    assert set(how) == {"resample_to", "resample_how", "resample_up", "resample_edges"}
