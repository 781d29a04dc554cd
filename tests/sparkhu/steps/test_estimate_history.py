"""The decision is the majority of the last five estimates."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.estimate_history import ESTIMATES, changes
from sparkhu.steps.regularity import detect_regularity

HOUR = 3_600_000_000
DAY = 24 * HOUR


def frame_of(**series: Any) -> pl.DataFrame:
    """Observations of 1.0 at microseconds."""
    parts = [(name, pl.Series(np.asarray(times).astype(np.int64)).cast(TIME)) for name, times in series.items()]
    return pl.concat(
        pl.DataFrame({"unique_id": [name] * len(ds), "ds": ds, "y": np.ones(len(ds))}) for name, ds in parts
    )


def runs(*grids: Iterable[int]) -> list[dict[str, Any]]:
    """Profiles of runs one after another, each over its own grid of hours, a day later than the one before."""
    past, rows = None, []
    for number, hours in enumerate(grids):
        times = (np.asarray(list(hours)) * HOUR).astype(np.int64) + number * 40 * DAY
        profile = detect_regularity(frame_of(a=times), past).frames["profile"]
        past = profile if past is None else pl.concat([past, profile])
        rows.append(profile.row(0, named=True))
    return rows


HOURLY, TWO_HOURLY, SHORT = range(10), range(0, 20, 2), range(3)
RANDOM = [0, 1, 3.7, 9.1, 11.3, 17.9, 18.2, 25.5]


def test_the_decision_is_the_majority_of_the_last_five_estimates() -> None:
    rows = runs(HOURLY, HOURLY, RANDOM, RANDOM, RANDOM, RANDOM)
    assert [row["estimate"] for row in rows] == ["regular"] * 2 + ["irregular"] * 4
    assert [row["decision"] for row in rows] == ["regular"] * 4 + ["irregular"] * 2
    assert [row["changed"] for row in rows] == [False] * 4 + [True, False]
    assert [row["version"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[3]["period_label"] == "1h"
    assert rows[3]["share_explained"] < 0.9
    assert rows[4]["period_label"] is None


def test_the_sixth_estimate_back_is_forgotten() -> None:
    rows = runs(*[HOURLY] * 3, *[SHORT] * 2, RANDOM, RANDOM, RANDOM)
    # Run 6 counts 2 regular (3 less the forgotten first), 2 undecided, 1 irregular: a tie, what stood stays.
    # Run 7 counts 1, 2 and 2: what stood is not among the tied, the newest of them wins. Run 8 counts 0, 2 and 3.
    assert [row["decision"] for row in rows] == ["regular"] * 6 + ["irregular"] * 2


def test_a_tie_keeps_what_stood_before() -> None:
    assert [row["decision"] for row in runs(HOURLY, RANDOM)] == ["regular", "regular"]
    assert [row["decision"] for row in runs(RANDOM, HOURLY)] == ["irregular", "irregular"]


def test_a_new_period_takes_over_by_majority_too() -> None:
    rows = runs(HOURLY, TWO_HOURLY, TWO_HOURLY)
    assert [row["period_label"] for row in rows] == ["1h", "1h", "2h"]
    assert [row["estimate_label"] for row in rows] == ["1h", "2h", "2h"]
    assert [row["changed"] for row in rows] == [False, False, True]


def test_a_change_is_reported_in_the_ledger() -> None:
    past = detect_regularity(frame_of(a=np.arange(9) * HOUR)).frames["profile"]
    later = frame_of(a=100 * DAY + np.arange(9) * 2 * HOUR)
    result = detect_regularity(later, past, period="2h")
    assert json.loads(result.ledger["counts"][0]) == {"changed": 1}
    assert result.counts["changed"] == 1


def test_the_same_interval_run_twice_gives_the_same_profile() -> None:
    first = detect_regularity(frame_of(a=np.arange(9) * HOUR)).frames["profile"]
    later = frame_of(a=100 * DAY + np.arange(9) * 2 * HOUR)
    second = detect_regularity(later, first).frames["profile"]
    again = detect_regularity(later, pl.concat([first, second])).frames["profile"]
    assert again.equals(second)
    backfill = detect_regularity(frame_of(a=np.arange(9) * HOUR), pl.concat([first, second])).frames["profile"]
    assert backfill.equals(first)


def test_a_past_without_its_columns_is_refused() -> None:
    frame = frame_of(a=np.arange(9) * HOUR)
    with pytest.raises(
        InputError, match=r"past lacks the columns version, estimate_label; give the estimates of an earlier run"
    ):
        detect_regularity(frame, detect_regularity(frame).frames["profile"].drop("version", "estimate_label"))


def test_each_series_has_its_own_past() -> None:
    first = frame_of(a=np.arange(9) * HOUR, b=np.cumsum([0, 1, 2.7, 5.4, 2.2, 6.6, 0.3, 7.3]) * HOUR)
    past = detect_regularity(first).frames["profile"]
    later = frame_of(b=100 * DAY + np.arange(9) * HOUR, c=100 * DAY + np.arange(9) * HOUR)
    profile = detect_regularity(later, past).frames["profile"]
    names = ("unique_id", "version", "estimate", "decision", "changed")
    assert profile.select(names).rows() == [
        ("b", 2, "regular", "irregular", False),
        ("c", 1, "regular", "regular", False),
    ]


def test_a_period_carried_over_is_measured_on_the_new_points() -> None:
    # Hourly before; now gaps of 1, 1, 1, 1, 1, 1.3, 1.3 and 2 hours: 6 of 8 near a multiple, 2 · 0.3 / 8 off.
    past = detect_regularity(frame_of(a=np.arange(9) * HOUR)).frames["profile"]
    now = frame_of(a=100 * DAY + np.cumsum([0, 1, 1, 1, 1, 1, 1.3, 1.3, 2]) * HOUR)
    row = detect_regularity(now, past).frames["profile"].row(0, named=True)
    assert (row["estimate"], row["decision"], row["period_label"], row["period_us"]) == (
        "irregular",
        "regular",
        "1h",
        HOUR,
    )
    assert (row["share_explained"], row["period_error"]) == (0.75, pytest.approx(0.6 / 8))


def test_hand_worked_estimates_that_the_next_run_is_given() -> None:
    # Six runs: the first is forgotten, versions 2 to 6 stay; the last run's decision is regular still, by 3 of 5 votes.
    past, kept = None, None
    for number, hours in enumerate([HOURLY] * 4 + [RANDOM] * 2):
        times = (np.asarray(list(hours)) * HOUR).astype(np.int64) + number * 40 * DAY
        kept = detect_regularity(frame_of(a=times), past).frames["estimates"]
        past = kept
    assert kept is not None
    assert dict(kept.schema) == ESTIMATES
    assert kept.select("version", "estimate", "decision", "period_label").rows() == [
        *((version, "regular", "regular", "1h") for version in (2, 3, 4)),
        *((version, "irregular", "regular", "1h") for version in (5, 6)),
    ]
    assert changes(kept).rows() == []


def test_estimates_remembered_decide_as_all_profiles_do() -> None:
    grids = [HOURLY, HOURLY, RANDOM, TWO_HOURLY, SHORT, RANDOM, RANDOM, TWO_HOURLY]
    past = None
    for number, (hours, row) in enumerate(zip(grids, runs(*grids), strict=True)):
        times = (np.asarray(list(hours)) * HOUR).astype(np.int64) + number * 40 * DAY
        frames = detect_regularity(frame_of(a=times), past).frames
        past = frames["estimates"]
        assert past.height == min(number + 1, 5)
        assert frames["profile"].row(0, named=True) == row
        assert changes(past).height == row["changed"]


def test_hand_worked_changes_name_what_was_and_what_is() -> None:
    def estimate(name: str, version: int, decision: str, label: str | None) -> tuple[Any, ...]:
        return name, None, version, decision, label, decision, label

    rows = [
        *(estimate("a", 1, "regular", "1h"), estimate("a", 2, "irregular", None)),  # 1h -> irregular
        *(estimate("b", 1, "regular", "1h"), estimate("b", 2, "regular", "2h")),  # 1h -> 2h
        *(estimate("c", 1, "irregular", None), estimate("c", 2, "irregular", None)),  # as before
        estimate("d", 1, "no_decision", None),  # nothing before
        *(estimate("e", 7, "no_decision", None), estimate("e", 8, "regular", "1d"), estimate("e", 9, "regular", "1d")),
    ]
    frame = pl.DataFrame(rows, schema=ESTIMATES, orient="row")
    assert changes(frame).rows() == [("a", "1h", "irregular"), ("b", "1h", "2h")]
    assert changes(frame.filter(pl.col("version") < 9)).rows()[2:] == [("e", "no decision", "1d")]


def test_a_series_that_was_not_there_has_one_estimate_and_a_rerun_replaces_its_own() -> None:
    times = np.asarray(list(HOURLY)) * HOUR
    first = detect_regularity(frame_of(a=times)).frames["estimates"]
    both = detect_regularity(frame_of(a=times, b=times + DAY), first).frames["estimates"]
    assert both.select("unique_id", "version").rows() == [("a", 1), ("b", 1)]
