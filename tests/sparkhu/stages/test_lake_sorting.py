"""A span of a lake on its way into shards: what is held, and that it is the same in parts of any size."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.arrivals import newest
from sparkhu.errors import SparkhuError
from sparkhu.frame import TIME
from sparkhu.lake import Append, Lake, Table, create_lake, open_lake
from sparkhu.shards import open_dataset
from sparkhu.sources.parts import PartSize
from sparkhu.stages.lake_reading import read_interval
from sparkhu.stages.lake_sorting import SlicedTable
from sparkhu.summaries import summarise_days

FIRST, HOUR = datetime(2024, 3, 25, tzinfo=UTC), timedelta(hours=1)
DAYS, SERIES, PER_DAY = 12, 10, 24
PLACES = ("raw", "history", "versions")


def observed(at: int, *, late: int = 0) -> pl.DataFrame:
    """Give the hours of a day of all series, in the order of time."""
    number = np.arange(SERIES * PER_DAY)
    ds = pl.Series([FIRST + (24 * at + int(hour)) * HOUR for hour in number // SERIES], dtype=TIME)
    y = np.random.default_rng(at + late).normal(1e6, 1, len(number))
    ids = pl.Series(number % SERIES).cast(pl.String)
    return pl.DataFrame({"unique_id": ids, "ds": ds, "y": y, "available_at": ds.dt.offset_by(f"{late}h"), "volume": at})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Fill a lake, and revise every third day: two thirds of the shards have versions of points."""
    made = create_lake(str(tmp_path_factory.mktemp("sorting") / "lake"), buckets=2, zone="Europe/Berlin")
    fill(made, pl.concat([observed(at) for at in range(DAYS)]))
    revised = pl.concat([observed(at, late=60 + at) for at in range(0, DAYS, 3)])
    fill(made, revised.filter(pl.col("unique_id") < "7"))
    return made


def fill(lake: Lake, batch: pl.DataFrame) -> None:
    version, zone = lake.version(), lake.layout.zone
    there = version.table("observations").read() if "observations" in version.tables else batch[:0]
    day = pl.col("ds").dt.convert_time_zone(zone).dt.date().alias("day")
    touched = batch.select("unique_id", day).unique()
    rows = newest(pl.concat([there, batch]).with_columns(day).join(touched, on=["unique_id", "day"], how="semi"))
    changes = {"observations": Append(batch), "summaries": Append(summarise_days(rows, zone=zone))}
    lake.commit(changes, run="ingest", based_on=version)


def read(lake: Lake, out: Path, rows: int, **limits: str) -> list[pl.DataFrame]:
    """Read in parts of so many rows; give the files of all three datasets, in order."""
    raw, history, versions = (out / name for name in PLACES)
    read_interval(
        lake.uri, out=raw, history=history, versions=versions, rows_per_shard=600, part_size=PartSize(rows), **limits
    )
    return [pl.read_parquet(file) for name in PLACES for file in open_dataset(out / name).files()]


@pytest.mark.parametrize(
    "limits", [{}, {"start": "2024-04-02T05:00", "end": "2024-04-05T07:00", "lookback": "3d"}, {"end": "2024-03-30"}]
)
def test_a_span_is_the_same_in_parts_of_any_size(
    lake: Lake, tmp_path: Path, limits: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_WORKERS", "1")
    whole = read(lake, tmp_path / "whole", 1_000_000, **limits)
    assert len(whole) >= 6, "several shards of each"
    places = pl.concat(rows["source_row"] for rows in whole if "source_row" in rows.columns)
    assert places.to_list() == list(range(1, len(places) + 1))
    for rows in (1, 300):
        parts = read(lake, tmp_path / f"{rows}", rows, **limits)
        assert all(one.equals(other) for one, other in zip(parts, whole, strict=True))


def test_a_span_is_the_same_from_several_processes(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"start": "2024-04-02", "end": "2024-04-05", "lookback": "3d"}
    whole = read(lake, tmp_path / "whole", 1_000_000, **limits)
    monkeypatch.setenv("SPARKHU_WORKERS", "2")
    assert all(one.equals(other) for one, other in zip(read(lake, tmp_path / "two", 300, **limits), whole, strict=True))


def test_nothing_larger_than_a_part_or_a_shard_is_held(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heights: dict[str, list[int]] = {"part": [], "shard": []}

    def told(kind: str, function: Any) -> Any:
        def measured(*given: Any, **named: Any) -> pl.DataFrame:
            frame: pl.DataFrame = function(*given, **named)
            heights[kind].append(frame.height)
            return frame

        return measured

    monkeypatch.setenv("SPARKHU_WORKERS", "1")
    monkeypatch.setattr(Table, "read", told("part", Table.read))
    monkeypatch.setattr(SlicedTable, "read", told("shard", SlicedTable.read))
    read(lake, tmp_path / "out", 300)
    rows = lake.version().table("observations").rows
    # A day and bucket of a revised day has up to 6 · 24 rows twice; two series of 288 hours and 96 revisions a shard.
    assert rows > 3_000
    assert max(heights["part"]) <= 300
    assert max(heights["shard"]) <= 2 * (288 + 96)
    assert not list((tmp_path / "out").rglob(".scratch*"))


def test_all_versions_of_a_point_lie_in_one_part(lake: Lake) -> None:
    parts = lake.version().table("observations").parts(None, None, 1)
    points = pl.concat([part.read().select("unique_id", "ds").unique() for part in parts])
    assert len(parts) >= DAYS * 2
    assert points.height == DAYS * SERIES * PER_DAY


def test_a_damaged_file_leaves_nothing_behind(lake: Lake, tmp_path: Path) -> None:
    copy = open_lake(str(shutil.copytree(lake.uri, tmp_path / "copy")))
    path = sorted(Path(copy.uri).glob("tables/observations/data/*/*.parquet"))[5]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SparkhuError, match="is damaged"):
        read(copy, tmp_path / "out", 300)
    assert not any((tmp_path / "out" / name).exists() for name in PLACES)
