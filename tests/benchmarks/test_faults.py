"""The table of planted faults: what must be exact in it."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks import faults
from benchmarks.planting import GAPS, GRIDS, SPIKES, plant, raw_table
from sparkhu.frame import TIME

PAGE = Path(faults.__file__).resolve().parent.parent / "docs" / "faults.md"


@pytest.fixture(scope="module")
def lines() -> dict[str, faults.Line]:
    return {line.kind: line for line in faults.measure(share=0.2)}


@pytest.mark.parametrize("kind", ["gap", "duplicate, exact", "duplicate, conflicting", "clock that stood still"])
def test_every_gap_and_duplicate_is_found_and_none_invented(lines: dict[str, faults.Line], kind: str) -> None:
    line = lines[kind]
    assert line.planted > 0
    assert (line.found, line.invented) == (line.planted, 0)


def test_a_clock_set_back_is_named_where_the_hour_holds_more_than_one_point(lines: dict[str, faults.Line]) -> None:
    # One hourly series, one of every 15 minutes: 1 and 4 instants that were stamped twice.
    assert lines["clock set back an hour"][1:] == (5, 4, 0)


def test_ten_series_are_planted_with_what_every_series_gets(lines: dict[str, faults.Line]) -> None:
    assert lines["spike, by either"].planted == 10 * SPIKES
    assert lines["duplicate, exact"].planted == 30
    assert lines["gap"].planted >= 10 * GAPS


@pytest.mark.parametrize("number", range(4))
def test_the_same_series_is_planted_every_time_and_faults_stand_apart(number: int) -> None:
    one, again = plant(GRIDS[0], number), plant(GRIDS[0], number)
    assert raw_table([one]).equals(raw_table([again]))
    points = sorted(set().union(*one.at.values()) - one.at.get("drift", set()))
    holes = [row for row in points if row in one.at["gap"]]
    others = [row for row in points if row not in one.at["gap"] and row not in one.at.get("repeated_interval", ())]
    assert all(abs(row - other) > 1 for row in others for other in others if row != other)
    assert not set(holes) & set(others)


def test_the_page_holds_the_table_of_all_kinds_and_the_command_that_writes_it() -> None:
    text = PAGE.read_text("utf-8")
    assert "python benchmarks/faults.py docs/faults.md" in text
    assert [f"- **{kind}**: {what}." in text for kind, what in faults.KINDS.items()] == [True] * len(faults.KINDS)


def test_the_page_is_written_with_its_introduction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "measure", lambda: [faults.Line("gap", 5, 3, 2)])
    faults.main([str(tmp_path / "page.md")])
    assert "| gap | 5 | 3 | 2 | 2 |" in (tmp_path / "page.md").read_text("utf-8")


def test_level_shifts_and_drifts_are_found_and_none_invented(lines: dict[str, faults.Line]) -> None:
    # Of ten series three have a shift, three a drift.
    assert lines["level shift"][1:] == (3, 3, 0)
    assert lines["drift"].planted == 3
    assert lines["drift"].found >= 2
    assert lines["drift"].invented == 0


def test_a_change_that_is_reported_elsewhere_is_missed_and_invented(lines: dict[str, faults.Line]) -> None:
    shifted, drifting, steady = (plant(GRIDS[0], number) for number in (0, 1, 2))
    (edge,) = shifted.at["shift"]
    said = [
        (shifted.name, "shift", shifted.ds[edge + 11]),
        (shifted.name, "shift", shifted.ds[edge + 12]),
        (steady.name, "shift", steady.ds[edge]),
        (drifting.name, "drift", drifting.ds[720 + 144]),
    ]
    changes = pl.DataFrame(said, ["unique_id", "kind", "ds"], orient="row").cast({"ds": TIME})
    told = faults.Told(pl.DataFrame(), pl.DataFrame(), changes)
    judged = list(faults._judge_changes([shifted, drifting, steady], told))
    assert judged == [faults.Line("level shift", 1, 1, 2), faults.Line("drift", 1, 0, 1)]
