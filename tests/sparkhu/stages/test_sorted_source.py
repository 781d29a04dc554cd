"""A source in shards: it is looked at as the whole is, and no more than a shard is held."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from sparkhu.sources import SourceOptions, inspect_source, look_over, read_source
from sparkhu.sources.parts import PartSize
from sparkhu.stages import sorted_source
from sparkhu.stages.sorted_source import SortedSource
from sparkhu_cli.main import sparkhu
from tests.sparkhu.stages.test_appending_in_parts import HOURS, OPTIONS, SERIES, source

SMALL: dict[str, Any] = {"rows_per_shard": 500, "part_size": PartSize(rows=300, text=2_000, kept=0)}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SPARKHU_WORKERS", "1")
    made = source(tmp_path / "rows.csv", 0, HOURS)
    broken = ["s8,2024-01-01,none,1", "s9,2024-01-01,none,1", "s0,2024-01-01T00:30Z,77,1"]
    with made.open("a") as file:
        file.write("\n".join(broken) + "\n")
    return str(made)


@pytest.mark.parametrize("options", [OPTIONS, SourceOptions(time="time", wide=True)])
def test_shards_are_the_whole_and_are_looked_at_as_it_is(path: str, tmp_path: Path, options: SourceOptions) -> None:
    if options.wide:
        pl.read_csv(path).select("time", "y", "volume").write_csv(path)
    (tmp_path / "scratch").mkdir()
    read = SortedSource(path, options, tmp_path / "scratch", **SMALL)
    whole = read_source(path, options)
    assert len(read.borders) > 0
    assert pl.concat(read.shards()).equals(whole.frame)
    assert pl.concat(read.shards(["ds", "y"])).equals(whole.frame.select("ds", "y"))
    assert read.raw.frame.schema == whole.frame.schema
    assert read.raw._replace(frame=whole.frame)[1:] == whole[1:]
    look, wanted = look_over(read.raw, read.shards(), zone=options.zone), inspect_source(path, options)
    assert look.spans.equals(wanted.spans)
    assert len(look.problems) > 3
    assert {**vars(look), "spans": None} == {**vars(wanted), "spans": None}


def test_a_check_holds_a_shard_at_a_time_and_says_what_it_says_of_the_whole(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> str:
        asked = ["--time", "time", "--value", "y", "--id", "id", "--extra", "volume"]
        done = CliRunner().invoke(sparkhu, ["check", path, *asked])
        assert (done.exit_code, done.stderr) == (0, "")
        return done.stdout

    wanted, heights, shards = said(), list[int](), SortedSource.shards

    def small(*given: Any) -> SortedSource:
        return SortedSource(*given, **SMALL)

    def measured(self: SortedSource, *given: Any) -> Any:
        for rows in shards(self, *given):
            heights.append(rows.height)
            yield rows

    monkeypatch.setattr(SortedSource, "shards", measured)
    with monkeypatch.context() as patch:
        patch.setattr(sorted_source, "SortedSource", small)
        assert said() == wanted
    # A series, which is never split, has 360 hours and some rows that repeat; there are eight, and two of a row.
    assert max(heights) <= 500
    assert sum(heights) > 2 * SERIES * HOURS
