import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA as ROWS
from sparkhu.frame import TIME
from sparkhu.steps.windows import (
    REASONS,
    SCHEMA,
    check_stride,
    index_windows,
    sliding_max,
    window_view,
)
from tests.sparkhu.steps.made_windows import START, at, plan, sequence


def reasons(frame: pl.DataFrame, **sizes: int) -> list[str | None]:
    return index_windows(frame, plan("a", **sizes)).frames["windows"]["reason"].to_list()


def test_worked_by_hand() -> None:
    # Six points, L = 2, H = 1: windows start at rows 0..3. The null of row 3 lies in those of rows 1, 2 and 3.
    windows = index_windows(sequence([0, 1, 2, None, 4, 5]), plan("a")).frames["windows"]
    assert windows.select("unique_id", "offset", "valid", "reason").rows() == [
        ("a", 0, True, None),
        ("a", 1, False, "null"),
        ("a", 2, False, "null"),
        ("a", 3, False, "null"),
    ]
    assert windows["inputs_available_at"].to_list() == at(1, 2, 3, 4)
    assert windows["targets_available_at"].to_list() == at(2, 3, 4, 5)
    assert windows["inputs_from"].to_list() == at(0, 1, 2, 3)
    assert windows["cutoff"].to_list() == at(1, 2, 3, 4)
    assert windows["targets_from"].to_list() == windows["targets_until"].to_list() == at(2, 3, 4, 5)
    assert dict(windows.schema) == SCHEMA


def test_a_second_series_worked_by_hand() -> None:
    # Seven points, L = 3, H = 2: windows start at 0 to 7 − (3 + 2) = 2. From 0: inputs rows 0 1 2, targets 3 4; from 1:
    # inputs 1 2 3, targets 4 5; from 2: inputs 2 3 4, targets 5 6. The null of row 0 lies in the first alone. Row 4
    # came at hour 9: a target of the first two (max(3, 9) = 9, max(9, 5) = 9), an input of the third, whose targets
    # were known before it.
    frame = sequence([None, 1, 2, 3, 4, 5, 6], known={4: 9})
    windows = index_windows(frame, plan("a", size=3, horizon=2)).frames["windows"]
    assert windows.select("offset", "reason").rows() == [(0, "null"), (1, None), (2, "input not yet known")]
    assert windows["inputs_available_at"].to_list() == at(2, 3, 9)
    assert windows["targets_available_at"].to_list() == at(9, 9, 6)
    # Their instants: X from s to s + 2, Y at s + 3 and s + 4.
    instants = windows.select("inputs_from", "cutoff", "targets_from", "targets_until")
    assert instants.rows() == [tuple(at(s, s + 2, s + 3, s + 4)) for s in range(3)]


def test_inputs_and_targets_are_available_with_their_latest_point() -> None:
    # L = 3, H = 2. Row 0 came at hour 7, row 3 (a target of the only window but one) at hour 20.
    frame = sequence([0, 1, 2, 3, 4, 5], known={0: 7, 3: 20})
    windows = index_windows(frame, plan("a", size=3, horizon=2)).frames["windows"]
    assert windows["inputs_available_at"].to_list() == at(7, 20)
    assert windows["targets_available_at"].to_list() == at(20, 5)


def test_targets_are_known_once_their_observed_values_are_too() -> None:
    # Row 2 was replaced by a value known at once, what was observed there came at hour 5; nothing was at row 3.
    frame = sequence([0, 1, 2, 3]).with_columns(observed_available_at=pl.Series([*at(0, 1, 5), None]).cast(TIME))
    windows = index_windows(frame, plan("a", size=1)).frames["windows"]
    assert windows["inputs_available_at"].to_list() == at(0, 1, 2)
    assert windows["targets_available_at"].to_list() == at(1, 5, 3)


def test_a_stride_leaves_offsets_out() -> None:
    # Eight points, L + H = 3: starts 0 to 5; every second is 0 2 4, every third 0 3.
    windows = index_windows(sequence([0.0] * 8), plan("a"), stride=2).frames["windows"]
    assert windows["offset"].to_list() == [0, 2, 4]
    assert index_windows(sequence([0.0] * 8), plan("a"), stride=3).frames["windows"]["offset"].to_list() == [0, 3]


def test_a_series_of_exactly_one_window_has_it() -> None:
    found = index_windows(sequence([0, 1, 2]), plan("a"))
    assert (found.frames["windows"]["offset"].to_list(), found.ledger["status"].to_list()) == ([0], ["ok"])


def test_a_marked_gap_and_a_dropped_point_have_reasons_of_their_own() -> None:
    frame = sequence([0, 1, None, 3, 4, 5, None, 7, 8, 9, None, 11], gaps=(2,), fills={6: "drop"})
    assert reasons(frame, size=1) == [
        None,
        "unfilled gap",
        "unfilled gap",
        None,
        None,
        "dropped point",
        "dropped point",
        None,
        None,
        "null",
        "null",
    ]


def test_a_dropped_gap_counts_as_dropped() -> None:
    assert reasons(sequence([0, None, 2], gaps=(1,), fills={1: "drop"})) == ["dropped point"]


def test_a_filled_gap_is_used() -> None:
    assert reasons(sequence([0, 1, 2], gaps=(1,), fills={1: "last"}, known={1: 0})) == [None]


def test_the_first_reason_that_holds_is_given() -> None:
    frame = sequence([None, None, None, 3, 4], gaps=(1,), fills={2: "drop", 3: "linear"}, known={3: 9})
    assert reasons(frame, size=4) == ["null"]
    assert reasons(frame[1:], size=3) == ["unfilled gap"]
    assert reasons(frame[2:], size=2) == ["dropped point"]
    assert reasons(frame[3:], size=1) == ["input not yet known"]


@pytest.mark.parametrize(("hour", "broken"), [(3.69, False), (3.7, True), (5, True)])
def test_rows_1_7_periods_apart_are_a_gap(hour: float, broken: bool) -> None:
    frame = sequence([0, 1, 2, 3, 4], hours=[0, 1, 2, hour, hour + 1])
    gap = "unfilled gap" if broken else None
    assert reasons(frame, size=1) == [None, None, gap, None]


def test_calendar_periods_step_by_the_calendar() -> None:
    months = [datetime(2024, m, 1, tzinfo=UTC) for m in (1, 2, 3, 5, 6)]
    frame = sequence([0, 1, 2, 3, 4]).with_columns(ds=pl.Series(months, dtype=TIME), available_at=pl.lit(START))
    found = index_windows(frame, plan("a", size=1, label="1mo")).frames["windows"]["reason"].to_list()
    assert found == [None, None, "unfilled gap", None]


def test_a_day_of_25_hours_is_one_day() -> None:
    # Berlin midnights around the end of summer time, 27 October 2024; daily data lose nothing there, a day is a gap.
    days = [datetime(2024, 10, d, 22, tzinfo=UTC) for d in (25, 26)] + [
        datetime(2024, 10, d, 23, tzinfo=UTC) for d in (27, 29)
    ]
    frame = sequence([0, 1, 2, 3]).with_columns(ds=pl.Series(days, dtype=TIME), available_at=pl.lit(START))
    found = index_windows(frame, plan("a", size=1, label="1d"), zone="Europe/Berlin").frames["windows"]
    assert found["reason"].to_list() == [None, None, "unfilled gap"]


def test_business_days_are_those_of_the_zone() -> None:
    # Evenings in Los Angeles of Thursday, Friday, Monday and Tuesday, 4 to 9 January 2024; in UTC each is a day later.
    days = [datetime(2024, 1, d, 4, tzinfo=UTC) for d in (5, 6, 9, 10)]
    frame = sequence([0, 1, 2, 3]).with_columns(ds=pl.Series(days, dtype=TIME), available_at=pl.lit(START))
    for zone, valid in (("America/Los_Angeles", [True] * 3), ("UTC", [True, False, True])):
        windows = index_windows(frame, plan("a", size=1, label="1bd"), zone=zone).frames["windows"]
        assert windows["valid"].to_list() == valid


@pytest.mark.parametrize(("known", "reason"), [(1.0, None), (1.001, "input not yet known")])
def test_a_filled_input_must_be_known_at_the_last_input(known: float, reason: str | None) -> None:
    frame = sequence([0, 1, 2, 3], fills={0: "linear"}, known={0: known})
    assert reasons(frame, size=2, horizon=2) == [reason]


def test_the_last_input_seen_late_moves_the_moment() -> None:
    # The fill of row 0 is known at 1:30, the observed last input (row 1) at 1:45; the targets come after that.
    frame = sequence([0, 1, 2], fills={0: "linear"}, known={0: 1.5, 1: 1.75})
    assert reasons(frame) == [None]
    assert reasons(frame.with_columns(fill_strategy=pl.lit("linear"))) == ["input not yet known"]


def test_a_fill_known_no_earlier_than_a_later_observation_may_hold_it() -> None:
    # All was delivered at hour 9: nobody can tell whether the fill of row 1 looked at row 2.
    frame = sequence([0, 1, 2, 3], fills={0: "linear"}, known=dict.fromkeys(range(4), 9.0))
    assert reasons(frame, size=2, horizon=1) == ["input not yet known", None]
    earlier = sequence([0, 1, 2, 3], fills={0: "linear"}, known={0: 8.9, 1: 9, 2: 9, 3: 9})
    assert reasons(earlier, size=2, horizon=1) == [None, None]


def test_a_later_fill_says_nothing_about_what_was_known() -> None:
    frame = sequence([0, 1, 2, 3], fills={0: "last", 2: "last"}, known={0: 1, 1: 1, 2: 0, 3: 3})
    assert reasons(frame, size=2, horizon=2) == [None]


def test_a_changed_input_must_be_known_as_a_filled_one() -> None:
    # Point 1 was 90 and clipped to 9 by fences known at hour 3: the windows from 0 and 1 end their X at 1 and 2, before
    # that; the one from 2 holds it no more. As observed it came after the target of the first, with that of the second.
    frame = sequence([0, 9, 2, 3, 4])
    known = pl.Series([*at(0, 3), *at(2, 3, 4)]).cast(TIME)
    clipped = frame.with_columns(available_at=known, y_raw=pl.Series([0.0, 90, 2, 3, 4]))
    assert reasons(clipped) == ["input not yet known"] * 2 + [None]
    assert reasons(clipped.with_columns(y_raw="y")) == ["input not yet known", None, None]
    assert reasons(clipped.with_columns(available_at="ds")) == [None] * 3


def test_filled_targets_are_let_in() -> None:
    assert reasons(sequence([0, 1, 2], fills={2: "linear"}, known={2: 50})) == [None]


def test_inputs_that_became_known_after_a_target_are_refused() -> None:
    # X are rows 0 and 1, Y row 2 (hour 2). A row 0 of hour 2 came with its target, one of 2:01 after it.
    assert reasons(sequence([0, 1, 2], known={0: 2})) == [None]
    assert reasons(sequence([0, 1, 2], known={0: 2.01})) == ["input not yet known"]
    assert reasons(sequence([0, 1, 2], known=dict.fromkeys(range(3), 50.0))) == [None]
    # Of two targets the one that was known first counts, and a filled one was never observed.
    late = sequence([0, 1, 2, 3], known={0: 2.5, 2: 9})
    assert reasons(late, size=2, horizon=2) == [None]
    assert reasons(late, size=2, horizon=1) == [None, "input not yet known"]
    assert reasons(late.with_columns(available_at="ds"), size=2, horizon=2) == [None]
    filled = sequence([0, 1, 2, 3], fills={2: "linear"}, known={0: 3})
    assert reasons(filled, size=2, horizon=2) == [None]


def versions(*chains: tuple[int, dict[float, float | None]], name: str = "a") -> pl.DataFrame:
    """Versions of the points of some hours: the value by the hour at which it became known."""
    rows = [(name, at(hour)[0], y, at(known)[0]) for hour, chain in chains for known, y in chain.items()]
    return pl.DataFrame(rows, schema=ROWS, orient="row")


def test_a_revised_input_was_known_from_its_first_version_on() -> None:
    # Row 1 was 7 at hour 1 and is 1 since hour 50. Its first version counts, in X and in Y.
    frame, chain = sequence([0, 1, 2, 3], known={1: 50}), versions((1, {1: 7.0, 50: 1.0}))
    assert reasons(frame) == ["input not yet known"] * 2
    found = index_windows(frame, plan("a"), versions=chain).frames["windows"]
    assert found["valid"].to_list() == [True, True]
    assert found["inputs_available_at"].to_list() == at(1, 2)
    # As a target it counts as final; but it was first seen at hour 1, and a row 0 of hour 2 came after that.
    one = sequence([0, 1], known={0: 2, 1: 50})
    assert reasons(one, size=1) == [None]
    found = index_windows(one, plan("a", size=1), versions=chain).frames["windows"]
    assert found.select("reason", "targets_available_at").rows() == [("input not yet known", at(50)[0])]


def test_versions_of_a_value_that_does_not_stand_as_it_came_do_not_count() -> None:
    chain = versions((1, {1: 7.0, 50: 1.0}))
    for y, known in ((9.0, 50), (1.0, 60)):
        frame = sequence([0, y, 2, 3], known={1: known})
        found = index_windows(frame, plan("a"), versions=chain).frames["windows"]
        assert found["reason"].to_list() == ["input not yet known"] * 2
    # What was observed counts for the target even where another value was put in its place.
    frame = sequence([0, 9, 2, 3], known={0: 2}).with_columns(
        y_raw=pl.Series([0.0, 1, 2, 3]), observed_available_at=pl.Series(at(2, 50, 2, 3)).cast(TIME)
    )
    found = index_windows(frame, plan("a", size=1), versions=chain).frames["windows"]
    assert found["reason"].to_list() == ["input not yet known", None, None]


def test_the_ledger_counts_windows_per_reason() -> None:
    frame = pl.concat(
        [
            sequence([0, None, 2, 3, 4, None, 6], gaps=(5,)),
            sequence([0, 1], name="b"),
            sequence([0, 1, 2, 3], name="c", fills={1: "linear"}, known={1: 9}),
        ]
    )
    ledger = index_windows(frame, plan("a", "b", "c", size=2)).ledger
    assert ledger.select("unique_id", "status", "reason").rows() == [
        ("a", "ok", None),
        ("b", "skipped", "2 points, a window needs 2 + 1"),
        ("c", "ok", None),
    ]
    nothing = dict.fromkeys(REASONS, 0)
    assert [json.loads(text) for text in ledger["counts"]] == [
        nothing | {"windows": 5, "valid": 1, "null": 2, "unfilled gap": 2},
        nothing | {"windows": 0, "valid": 0},
        nothing | {"windows": 2, "valid": 0, "input not yet known": 2},
    ]


@pytest.mark.parametrize("missing", ["size", "horizon", "label"])
def test_a_series_without_a_period_is_skipped(missing: str) -> None:
    sizes: dict[str, int | None] = {"size": None, "horizon": None} if missing == "label" else {missing: None}
    result = index_windows(sequence([0, 1, 2]), plan("a", label=None, **sizes))  # type: ignore[arg-type]
    assert result.frames["windows"].is_empty()
    assert result.ledger["reason"].to_list() == ["no period was found, so windows have no size"]
    assert result.ledger["status"].to_list() == ["skipped"]


def test_series_of_other_sizes_share_a_shard() -> None:
    frame = pl.concat([sequence([0.0] * 6, name=name) for name in ("a", "b", "c")])
    profile = pl.concat([plan("a", "c", size=2, horizon=2), plan("b", size=4, horizon=1)])
    windows = index_windows(frame, profile).frames["windows"]
    assert windows.select("unique_id", "offset").rows() == [
        ("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0), ("c", 1), ("c", 2),
    ]  # fmt: skip


def test_columns_of_steps_that_did_not_run_may_be_missing() -> None:
    frame = sequence([0, None, 2, 3, 4]).drop("is_gap", "fill_strategy")
    assert reasons(frame) == ["null", "null", None]


def test_an_empty_shard_gives_typed_empty_tables() -> None:
    result = index_windows(sequence([]), plan())
    assert dict(result.frames["windows"].schema) == SCHEMA
    assert result.ledger.is_empty()


points = st.lists(st.sampled_from(["seen", "null", "gap", "drop", "last", "linear", "hole"]), min_size=1, max_size=14)


def build(kinds: list[str], name: str = "a") -> pl.DataFrame:
    """Rows of the kinds given; `hole` is a row that is not there. A linear fill is known with the next row seen."""
    kept = [i for i, kind in enumerate(kinds) if kind != "hole"]
    seen_after = [next((j for j in range(i, len(kinds)) if kinds[j] == "seen"), 99) for i in range(len(kinds))]
    return sequence(
        [float(i) if kinds[i] in ("seen", "last", "linear") else None for i in kept],
        name=name,
        hours=[float(i) for i in kept] or None,
        fills={k: kinds[i] for k, i in enumerate(kept) if kinds[i] in ("drop", "last", "linear")},
        known={
            k: float(seen_after[i]) if kinds[i] == "linear" else 0.0 for k, i in enumerate(kept) if kinds[i] != "seen"
        },
        gaps=tuple(k for k, i in enumerate(kept) if kinds[i] == "gap"),
    )


@given(points, st.integers(1, 4), st.integers(1, 3))
def test_valid_windows_are_those_of_brute_force(kinds: list[str], size: int, horizon: int) -> None:
    frame = build(kinds)
    kept = [i for i, kind in enumerate(kinds) if kind != "hole"]
    wanted = []
    for start in range(len(kept) - size - horizon + 1):
        rows = kept[start : start + size + horizon]
        whole = rows[-1] - rows[0] == len(rows) - 1 and all(kinds[i] in ("seen", "last", "linear") for i in rows)
        inputs = rows[:size]
        looks_ahead = any(kinds[i] == "linear" and "seen" not in kinds[i : inputs[-1] + 1] for i in inputs)
        wanted.append(whole and not looks_ahead)
    windows = index_windows(frame, plan("a", size=size, horizon=horizon)).frames["windows"]
    assert windows["valid"].to_list() == wanted


@given(points, points, st.integers(1, 4))
def test_windows_never_bridge_series(first: list[str], second: list[str], size: int) -> None:
    both = index_windows(pl.concat([build(first), build(second, "b")]), plan("a", "b", size=size)).frames["windows"]
    apart = [index_windows(build(k, n), plan(n, size=size)).frames["windows"] for k, n in ((first, "a"), (second, "b"))]
    assert_frame_equal(both, pl.concat(apart))


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40), st.data())
def test_the_sliding_maximum_is_that_of_every_window(numbers: list[int], data: st.DataObject) -> None:
    length = data.draw(st.integers(1, len(numbers)))
    wanted = [max(numbers[i : i + length]) for i in range(len(numbers) - length + 1)]
    assert sliding_max(np.array(numbers), length).tolist() == wanted


def test_expanding_copies_nothing() -> None:
    values = np.arange(5.0)
    view = window_view(values, 3)
    assert view.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert np.shares_memory(view, values)
    assert window_view(values, 5).tolist() == [[0, 1, 2, 3, 4]]
    assert window_view(values, 6).shape == (0, 6)


def test_a_negative_or_zero_stride_is_refused() -> None:
    check_stride(1)
    with pytest.raises(InputError, match=r"^stride must be at least 1 row, got 0$"):
        check_stride(0)
    with pytest.raises(InputError, match="stride"):
        index_windows(sequence([0, 1, 2]), plan("a"), stride=-1)


def test_a_missing_column_is_named() -> None:
    frame, profile = sequence([0, 1, 2]), plan("a")
    for column in ("unique_id", "ds", "y", "available_at", *profile.columns):
        with pytest.raises(InputError, match=f"column '{column}' is missing"):
            index_windows(frame.drop(column, strict=False), profile.drop(column, strict=False))
