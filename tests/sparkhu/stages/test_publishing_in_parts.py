"""Publication of an interval: what is held of the results, and that it is the same in parts of any size."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.lake import Append, Lake, Layout, Replace, create_lake, drafting
from sparkhu.lineage import StepRecord, Trail
from sparkhu.snapshots import take_parts, take_snapshots
from sparkhu.stages import lake_sorting
from sparkhu.stages.lake_publishing import publish_interval
from sparkhu.stages.lake_spooling import SpooledPieces
from sparkhu.stages.result_parts import ResultParts
from sparkhu.stages.snapshotting import telling_rows

START, HOUR = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1)
NAMES, HORIZON, DAYS = [f"s{number}" for number in range(6)], 30, 5
SERIES = pl.DataFrame({"unique_id": NAMES})


def at(hours: pl.Expr | int) -> pl.Expr:
    return pl.lit(START).cast(TIME) + hours * pl.duration(hours=1)


def clean_rows(last: int) -> pl.DataFrame:
    """Give the hours before `last` of all series; every fifth of some came late, every seventh was not observed."""
    hour = pl.DataFrame({"hour": range(last)})
    y = np.random.default_rng(1).normal(100, 9, DAYS * 24 * len(NAMES)).reshape(len(NAMES), -1)[:, :last].ravel()
    rows = SERIES.join(hour, how="cross").with_columns(y=pl.Series(y), ds=at(pl.col("hour")))
    late = pl.when(pl.col("hour") % 5 == 0, pl.col("unique_id") < "s3").then(30).otherwise(0)
    return rows.select(
        "unique_id",
        "ds",
        "y",
        y_raw=pl.when(pl.col("hour") % 7 > 0).then("y"),
        available_at=at(pl.col("hour") + late),
        **dict.fromkeys(("trend", "seasonal", "resid"), pl.lit(1.0)),
        **dict.fromkeys(("is_outlier", "is_anomaly"), pl.lit(value=False)),
        fill_strategy=pl.lit(None, pl.String),
    )


def results(folder: Path, last: int, group: int) -> Path:
    """Write the results of a run that read the hours before `last`, in groups of so many rows."""
    folder.mkdir(parents=True)
    clean_rows(last).write_parquet(folder / "clean.parquet", row_group_size=group)
    steps = SERIES.join(pl.DataFrame({"step": range(1, HORIZON + 1)}), how="cross")
    ahead = steps.select("unique_id", cutoff=at(last - 1), ds=at(last - 1 + pl.col("step")), y_hat=pl.lit(1.0))
    ahead.write_parquet(folder / "forecasts.parquet", row_group_size=group)
    profile = {"decision": "regular", "period_label": "1h", "season_length": 24, "version": 1}
    described = {name: pl.lit(value) for name, value in profile.items()}
    SERIES.with_columns(**described, train_end=at(last // 2)).write_parquet(folder / "profile.parquet")
    numbers = ("share_missing", "mean", "std", "min", "q1", "median", "q3", "max")
    SERIES.with_columns(n=last, **dict.fromkeys(numbers, pl.lit(1.0))).write_parquet(folder / "stats.parquet")
    SERIES.with_columns(trend_strength=0.5, seasonal_strength=0.5).write_parquet(folder / "seasons.parquet")
    scaled = {"scaler": pl.lit("standard"), "center": pl.lit(1.0), "scale": pl.lit(2.0), "version": pl.lit("v1")}
    SERIES.with_columns(**scaled, available_at=at(0)).write_parquet(folder / "scalers.parquet")
    source = {"uri": "lake", "table": "observations", "version": 1, "start": None, "end": None}
    Trail((StepRecord("ingest", "2024-01-01", 1.0, sources=(source,)),)).write(folder)
    return folder


def published(folder: Path, group: int) -> Lake:
    """Publish days one after the other, then the second once more with what came since."""
    lake = create_lake(str(folder / "lake"), buckets=2)
    observed = clean_rows(DAYS * 24).select(SCHEMA.keys())
    lake.commit({"observations": Append(observed)}, run="ingest", based_on=lake.version())
    for day in range(2, DAYS + 1):
        days = {"start": f"2024-01-{day:02d}", "end": f"2024-01-{day + 1:02d}"}
        made = results(folder / f"run-{day}", day * 24, group)
        publish_interval(results=made, lake=lake.uri, out=folder / f"published-{day}", **days)
    return lake


def files(lake: Lake) -> dict[str, list[tuple[str, int, int, str]]]:
    version = lake.version()
    return {
        name: [(file.partition, file.bucket, file.rows, file.sha256) for file in version.table(name).files()]
        for name in version.tables
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return published(tmp_path_factory.mktemp("whole"), 1_000_000)


@pytest.mark.parametrize("group", [48, 100])
def test_the_files_of_a_lake_are_the_same_whatever_parts_they_were_published_in(
    whole: Lake, tmp_path: Path, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_WORKERS", "1")
    monkeypatch.setattr(lake_sorting, "LARGE", 0)  # clean rows of other intervals are cut outside memory, too
    found, wanted = files(published(tmp_path, group)), files(whole)
    assert {name: bool(each) for name, each in wanted.items()} == dict.fromkeys(wanted, True)
    assert found == wanted


def test_nothing_larger_than_a_part_or_a_file_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    observed = clean_rows(DAYS * 24).select(SCHEMA.keys())
    lake.commit({"observations": Append(observed)}, run="ingest", based_on=lake.version())
    made, heights = results(tmp_path / "run", DAYS * 24, 120), []
    read_part, read_piece = ResultParts.read, SpooledPieces.read

    def parts(self: ResultParts, *given: Any) -> Any:
        for rows in read_part(self, *given):
            heights.append(("part", rows.height))
            yield rows

    def piece(self: SpooledPieces, key: Any) -> pl.DataFrame:
        rows = read_piece(self, key)
        heights.append(("piece", rows.height))
        return rows

    monkeypatch.setattr(ResultParts, "read", parts)
    monkeypatch.setattr(SpooledPieces, "read", piece)
    publish_interval(results=made, lake=lake.uri, out=tmp_path / "published")
    assert lake.version().table("clean").rows == 720
    # A group has the 120 hours of a series, a file a day of six of them, or the 180 rows of the forecasts.
    assert {kind: max(height for one, height in heights if one == kind) for kind, _ in heights} == {
        "part": 120, "piece": 180,
    }  # fmt: skip
    assert not list(tmp_path.rglob(".scratch*"))


def test_parts_of_results_hold_whole_series(tmp_path: Path) -> None:
    clean_rows(48).write_parquet(tmp_path / "clean.parquet", row_group_size=60)
    parts = ResultParts(tmp_path / "clean.parquet")
    # Groups of 60 rows of series of 48: s0 and s1, s1 and s2 and so on. The fourth ends where s4 does.
    found = [rows["unique_id"].unique().sort().to_list() for rows in parts.read(["unique_id"])]
    assert found == [["s0", "s1", "s2", "s3", "s4"], ["s5"]]
    assert parts.borders.to_list() == ["s5"]
    assert pl.concat(parts.read()).equals(clean_rows(48))


def test_a_table_without_rows_is_one_part(tmp_path: Path) -> None:
    clean_rows(0).write_parquet(tmp_path / "clean.parquet")
    parts = ResultParts(tmp_path / "clean.parquet", START, START + HOUR)
    assert [rows.schema for rows in parts.read()] == [clean_rows(0).schema]
    assert parts.range("ds") == (None, None)
    pieces = SpooledPieces("clean", Layout(), tmp_path, parts.read())
    assert (pieces.height, dict(pieces.extents)) == (0, {})


def test_pieces_outside_the_interval_are_refused(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    pieces = SpooledPieces("clean", lake.layout, tmp_path, [clean_rows(30)])
    change = Replace(pieces, START, START + 29 * HOUR, 0, "p")
    with pytest.raises(InputError, match=r"outside the interval from 2024-01-01.* there are some from .*05:00:00"):
        lake.commit({"clean": change}, run="run", based_on=lake.version())


def test_pieces_replace_only_what_is_open(tmp_path: Path) -> None:
    # Hours 6 to 12 and the second day were published from newer observations. Of the pieces, those hours stay out.
    lake = create_lake(str(tmp_path / "lake"))
    for first, last in ((6, 12), (24, 48)):
        rows = clean_rows(48).filter(pl.col("ds").is_between(START + first * HOUR, START + last * HOUR, closed="left"))
        change = Replace(rows.with_columns(y=pl.lit(0.0)), START + first * HOUR, START + last * HOUR, 0, "p")
        lake.commit({"clean": change}, run=f"at {first}", based_on=lake.version())
    pieces = SpooledPieces("clean", lake.layout, tmp_path, [clean_rows(48)])
    done = lake.commit({"clean": Replace(pieces, START, START + 48 * HOUR, 0, "p")}, run="run", based_on=lake.version())
    found = done.table("clean").read()
    stays = (pl.col("ds") >= START + 24 * HOUR) | pl.col("ds").is_between(START + 6 * HOUR, START + 11 * HOUR)
    assert found.equals(clean_rows(48).with_columns(y=pl.when(stays).then(0.0).otherwise("y")))
    assert [file.run for file in done.table("clean").files()] == ["at 24", "run"]


@pytest.mark.parametrize(("at_once", "most"), [(180, 1), (360, 2)])
def test_files_that_are_written_at_the_same_time_have_so_many_rows_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, most: int
) -> None:
    # Five files of 144 rows: two of them are 288.
    lake, busy, seen, lock = create_lake(str(tmp_path / "lake")), [0], list[int](), threading.Lock()
    read = SpooledPieces.read

    def slowly(self: SpooledPieces, key: Any) -> pl.DataFrame:
        with lock:
            busy[0] += 1
            seen.append(busy[0])
        time.sleep(0.05)
        with lock:
            busy[0] -= 1
        return read(self, key)

    monkeypatch.setattr(drafting, "ROWS_AT_ONCE", at_once)
    monkeypatch.setattr(SpooledPieces, "read", slowly)
    pieces = SpooledPieces("clean", lake.layout, tmp_path, [clean_rows(DAYS * 24)])
    change = Replace(pieces, START, START + DAYS * 24 * HOUR, 0, "p")
    lake.commit({"clean": change}, run="run", based_on=lake.version())
    assert len(seen) == DAYS
    assert max(seen) == most


def test_a_series_that_nobody_knows_when_to_have_known_tells_one_row() -> None:
    rows = clean_rows(24).with_columns(available_at=pl.lit(None, TIME), y=pl.lit(None, pl.Float64), y_raw=None)
    assert telling_rows(rows.with_columns(pl.col("y_raw").cast(pl.Float64)))["unique_id"].to_list() == NAMES


hours = st.integers(0, 60)
points = st.tuples(st.sampled_from("abc"), hours, st.none() | st.integers(0, 9), st.none() | st.integers(0, 9), hours)


@settings(max_examples=40, deadline=None)
@given(drawn=st.lists(points, min_size=1, max_size=120, unique_by=lambda point: point[:2]), moment=hours | st.none())
def test_a_snapshot_of_the_rows_that_tell_is_that_of_all(drawn: list[Any], moment: int | None) -> None:
    schema = {"unique_id": pl.String, "hour": pl.Int64, "y": pl.Float64, "y_raw": pl.Float64, "late": pl.Int64}
    rows = pl.DataFrame(drawn, schema=schema, orient="row").with_columns(
        ds=at(pl.col("hour")),
        available_at=at(pl.col("hour") + pl.col("late")),
        **dict.fromkeys(("trend", "seasonal", "resid"), pl.col("y")),
        **dict.fromkeys(("is_outlier", "is_anomaly"), pl.lit(value=False)),
        fill_strategy=pl.lit("none"),
    )
    one = rows.select("unique_id").unique().sort("unique_id")
    numbers = ("n", "share_missing", "mean", "std", "min", "q1", "median", "q3", "max", "trend_strength")
    text = dict.fromkeys(("period_label", "decision", "scaler"), pl.lit("x"))
    more = dict.fromkeys((*numbers, "seasonal_strength", "season_length", "version", "center", "scale"), pl.lit(1.0))
    about = one.with_columns(**text, **more, candidates=pl.lit("none"), available_at=at(5))
    beside: dict[str, Any] = dict.fromkeys(("stats", "profile", "seasons", "scalers", "cleaning"), about)
    asked = None if moment is None else START + moment * HOUR
    few = telling_rows(rows, asked)
    assert few.height <= 27 * one.height
    assert take_snapshots(few, moment=asked, **beside).equals(take_snapshots(rows, moment=asked, **beside))
    assert take_parts(few, scalers=about, moment=asked).equals(take_parts(rows, scalers=about, moment=asked))
