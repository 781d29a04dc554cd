"""An append to a lake: what is held of the source and of the lake, and that it is the same in shards of any size."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.lake import Lake, Table, open_lake
from sparkhu.sources import SourceOptions
from sparkhu.sources.parts import PartSize
from sparkhu.stages import appending, arriving
from sparkhu.stages.appending import Appended, append_source
from sparkhu.stages.arriving import CheckedSource
from sparkhu.stages.lake_sorting import SlicedTable
from tests.sparkhu.stages.test_late_rows import publish

OPTIONS = SourceOptions(time="time", value="y", id="id", extra="volume", zone="Europe/Berlin")
SERIES, HOURS = 8, 24 * 15


def source(path: Path, first: int, last: int, *, plus: int = 0, every: int = 1) -> Path:
    """Write hours from the first of January on, in the order of time; some cannot be used, and some repeat."""
    lines = ["id,time,y,volume"]
    for hour in range(first, last, every):
        stamp, volume = f"2024-01-{1 + hour // 24:02d}T{hour % 24:02d}:30Z", hour % 5
        values = ["" if hour % 9 == 0 else hour * 10 + name + plus for name in range(SERIES)]
        lines += [f"s{name},{stamp},{value},{volume}" for name, value in enumerate(values)]
        if hour % 50 == 7:
            lines += [f"s1,{stamp},none,1", f",{stamp},1,1", "s2,never,1,1", f"s3,{stamp},{values[3]},{volume}"]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the sources: an archive, a folder of two files with a revision and late rows, the archive once more."""
    (tmp_path / "second").mkdir()
    source(tmp_path / "first.csv", 0, HOURS - 48)
    source(tmp_path / "second" / "a.csv", 30, 100, plus=1, every=7)
    source(tmp_path / "second" / "b.csv", HOURS - 60, HOURS)
    monkeypatch.setenv("SPARKHU_WORKERS", "1")
    monkeypatch.setattr(arriving, "datetime", Clock)
    monkeypatch.setattr(arriving, "uuid", SimpleNamespace(uuid4=lambda: SimpleNamespace(hex="0" * 32)))
    return tmp_path


class Clock(datetime):
    """A clock that stands still: so, with runs of one name, the files of two lakes can be the same to the byte."""

    @classmethod
    def now(cls, _: Any = None) -> datetime:
        return datetime(2024, 4, 10, tzinfo=UTC)


def append_all(folder: Path, lake: Path, **sizes: Any) -> list[Appended]:
    """Append all sources; after the first, days of it are published."""
    done = [append_source(str(folder / "first.csv"), OPTIONS, lake=str(lake), partition="day", buckets=2, **sizes)]
    publish(lake, 3, 4)
    later = ("second", "first.csv")
    return [*done, *(append_source(str(folder / name), OPTIONS, lake=str(lake), **sizes) for name in later)]


def files(lake: Lake) -> dict[str, list[tuple[str, int, int, str]]]:
    version = lake.version()
    return {
        name: [(file.partition, file.bucket, file.rows, file.sha256) for file in version.table(name).files()]
        for name in version.tables
    }


def test_the_files_of_a_lake_are_the_same_whatever_shards_were_compared(folder: Path) -> None:
    whole = append_all(folder, folder / "whole")
    assert whole[1].added > whole[1].revised > 0
    assert min(whole[0].refused, whole[0].repeated, whole[1].unchanged) > 0
    assert whole[2].added == 0
    wanted = files(open_lake(str(folder / "whole")))
    for number, (rows, part) in enumerate(((1, 50), (1_000, 300), (10_000, 100))):
        place = folder / str(number)
        found = append_all(folder, place, rows_per_shard=rows, part_size=PartSize(rows=part, text=2_000, kept=0))
        counted = [(each.added, each.revised, each.unchanged, each.repeated, each.refused) for each in found]
        assert counted == [(each.added, each.revised, each.unchanged, each.repeated, each.refused) for each in whole]
        assert [each.dirty for each in found] == [each.dirty for each in whole]
        assert files(open_lake(str(place))) == wanted


def test_nothing_larger_than_a_part_or_a_shard_is_held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = PartSize(rows=300, text=2_000, kept=0)
    lake = folder / "lake"
    append_source(str(folder / "first.csv"), OPTIONS, lake=str(lake), partition="day", rows_per_shard=500)
    heights: list[int] = []

    def told(frame: pl.DataFrame) -> pl.DataFrame:
        heights.append(frame.height)
        return frame

    read_part, read_shard, shards = Table.read, SlicedTable.read, CheckedSource.shards
    monkeypatch.setattr(Table, "read", lambda self, *given, **named: told(read_part(self, *given, **named)))
    monkeypatch.setattr(SlicedTable, "read", lambda self: told(read_shard(self)))
    monkeypatch.setattr(CheckedSource, "shards", lambda self: map(told, shards(self)))
    source(folder / "again.csv", 0, HOURS, plus=5)
    done = append_source(str(folder / "again.csv"), OPTIONS, lake=str(lake), rows_per_shard=500, part_size=size)
    # Both hold more than 2,400 rows; a series, which is never split, has 360 hours, a day of all 192 rows.
    assert done.added > 2_400
    assert 300 < max(heights) <= 500


def test_an_append_is_done_on_this_machine_as_no_other_reads_its_scratch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_ENGINE", "spark")
    monkeypatch.setenv("SPARKHU_SPARK_MASTER", "spark://nowhere:1")
    sizes: dict[str, Any] = {"rows_per_shard": 1_000, "part_size": PartSize(rows=300, text=2_000, kept=0)}
    assert append_all(folder, folder / "lake", **sizes)[1].added > 0


def test_what_fails_leaves_no_scratch_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    def fails(*_: Any, **__: Any) -> Any:
        assert list(scratch.iterdir())
        raise SparkhuError("no room")

    monkeypatch.setattr(appending, "CheckedSource", fails)
    with pytest.raises(SparkhuError, match="no room"):
        append_source(str(folder / "first.csv"), OPTIONS, lake=str(folder / "lake"))
    assert not list(scratch.iterdir())
    assert not (folder / "lake").exists()


def test_what_is_told_of_series_is_read_as_often_for_many_shards_as_for_few(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, read = [], Table.read

    def counted(table: Table, *limits: Any, **options: Any) -> pl.DataFrame:
        if options.get("columns") in (("unique_id", "day"), ("unique_id",)):
            reads.append(options["columns"])
        return read(table, *limits, **options)

    monkeypatch.setattr(Table, "read", counted)
    counts = []
    for rows in (10_000, 50):
        reads.clear()
        append_all(folder, folder / f"lake{rows}", rows_per_shard=rows)
        counts.append(len(reads))
    assert counts[0] == counts[1] > 0
