"""Resampling of irregular series to the grid of their median gap."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.irregular_grid import GRID_SCHEMA, resample_irregular, resample_to_median_gap

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PROFILE = {
    "unique_id": pl.String,
    "decision": pl.String,
    "period_kind": pl.String,
    "period_us": pl.Int64,
    "period_label": pl.String,
    "n": pl.Int64,
    "median_gap_us": pl.Int64,
    "season_length": pl.Int64,
    "train_end": TIME,
    "valid_end": TIME,
    "test_end": TIME,
}


def at(minutes: list[float], y: list[float | None] | None = None, name: str = "a") -> pl.DataFrame:
    ds = [START + m * MINUTE for m in minutes]
    values = y if y is not None else [float(i) for i in range(len(ds))]
    return pl.DataFrame({"unique_id": [name] * len(ds), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def row(
    gap: float | None, name: str = "a", borders: tuple[float | None, float | None, float | None] = (None, None, None)
) -> pl.DataFrame:
    ends = [None if b is None else START + b * MINUTE for b in borders]
    gap_us = None if gap is None else round(gap * 60e6)
    values = (name, "irregular", None, None, None, 0, gap_us, 1, *ends)
    return pl.DataFrame([values], schema=PROFILE, orient="row")


def minutes(column: pl.Series) -> list[float | None]:
    return [None if t is None else (t - START) / MINUTE for t in column]


def grid(frame: pl.DataFrame, gap: float) -> pl.DataFrame:
    return resample_irregular(frame, row(gap)).frames["observations"]


def test_hand_worked_cells_are_named_by_their_end() -> None:
    # P = 10. Cells: {0} → 0; (0, 10] holds 3 and 10 → mean (1 + 2)/2 = 1.5; (10, 20] holds 11 → 3; (20, 30] is
    # empty and repeats 3; (30, 40] holds 35 and 40 → 4.5.
    cells = grid(at([0, 3, 10, 11, 35, 40]), 10)
    assert minutes(cells["ds"]) == [0, 10, 20, 30, 40]
    assert cells["y"].to_list() == [0.0, 1.5, 3.0, 3.0, 4.5]
    assert cells["y_raw"].to_list() == [0.0, 1.5, 3.0, None, 4.5]
    assert cells["is_gap"].to_list() == [False, False, False, True, False]
    assert cells["fill_strategy"].to_list() == [None, None, None, "last", None]
    assert cells["is_outlier"].to_list() == [False] * 5
    assert cells["available_at"].to_list() == cells["ds"].to_list()
    assert cells.schema == GRID_SCHEMA


def test_the_grid_ends_with_the_last_whole_cell() -> None:
    # P = 10. The row at 35 lies in (30, 40], which no row has completed: the grid ends at 30. The one at 40 does.
    cells = grid(at([0, 3, 10, 11, 35]), 10)
    assert minutes(cells["ds"]) == [0, 10, 20, 30]
    assert cells["y"].to_list() == [0.0, 1.5, 3.0, 3.0]
    assert minutes(grid(at([0, 3, 10, 11, 39, 40]), 10)["ds"])[-1] == 40
    assert minutes(grid(at([0, 7]), 10)["ds"]) == [0]


def test_rows_behind_the_last_cell_are_counted() -> None:
    frame = pl.concat([at([0, 3, 10, 14, 19]), at([0, 10], name="b"), at([0, 90, 92], name="c"), at([0, 9], name="d")])
    table = pl.concat([row(10, "a"), row(10, "b"), row(1, "c"), row(10, "d")])
    counts = resample_irregular(frame, table, max_grid_points=90).ledger["counts"].to_list()
    assert counts == [
        '{"rows":5,"cells":2,"behind":2}',
        '{"rows":2,"cells":2,"behind":0}',
        '{"rows":3,"cells":0,"behind":0}',
        '{"rows":2,"cells":1,"behind":1}',
    ]


def test_hand_worked_flagged_points_stay_out_of_the_mean_but_not_out_of_the_observed_one() -> None:
    # (0, 10] holds 4 and the outlier 100: y = 4, y_raw = 52. (10, 20] holds an outlier only: y repeats 4, y_raw = 60.
    frame = at([0, 2, 8, 15, 30], [1.0, 4.0, 100.0, 60.0, 2.0]).with_columns(
        is_outlier=pl.Series([False, False, True, True, False]),
        needs_fill=pl.Series([False, False, True, True, False]),
        y_raw=pl.Series([1.0, 4.0, 100.0, 60.0, 2.0]),
    )
    cells = grid(frame, 10)
    assert cells["y"].to_list() == [1.0, 4.0, 4.0, 2.0]
    assert cells["y_raw"].to_list() == [1.0, 52.0, 60.0, 2.0]
    assert cells["is_outlier"].to_list() == [False, True, True, False]
    assert cells["is_gap"].to_list() == [False] * 4
    assert cells["fill_strategy"].to_list() == [None, None, "last", None]


def test_a_point_on_the_end_of_a_cell_belongs_to_it() -> None:
    us = timedelta(microseconds=1) / MINUTE
    assert grid(at([0, 10, 10 + us, 20]), 10)["y"].to_list() == [0.0, 1.0, 2.5]


def test_data_on_the_grid_stay_as_they_are() -> None:
    frame = at([0, 10, 20, 30], [5.0, 6.0, 7.5, 0.1])
    cells = grid(frame, 10)
    assert cells.select("unique_id", "ds", "y", "available_at").equals(frame)


def test_a_late_point_makes_its_cell_and_the_repeats_of_it_late() -> None:
    late = pl.Series([START + m * MINUTE for m in (0, 45, 9, 40)]).cast(TIME)
    cells = grid(at([0, 5, 9, 40]).with_columns(available_at=late), 10)
    assert minutes(cells["available_at"]) == [0, 45, 45, 45, 40]


def test_nothing_is_repeated_before_the_first_value() -> None:
    cells = grid(at([0, 10, 20, 30], [None, None, 3.0, None]), 10)
    assert cells["y"].to_list() == [None, None, 3.0, 3.0]
    assert cells["is_gap"].to_list() == [True, True, False, True]
    assert cells["fill_strategy"].to_list() == [None, None, None, "last"]


def test_nulls_do_not_pull_a_mean() -> None:
    assert grid(at([0, 5, 10], [1.0, None, 3.0]), 10)["y"].to_list() == [1.0, 3.0]


def test_hand_worked_profile_of_the_grid() -> None:
    # P = 10, points at 0, 7, 31 → stamps 0, 10, 20, 30. Border 7 → 10, border 30 stays, border 31.5 lies past the
    # last point → past the last stamp, 40.
    profile = resample_irregular(at([0, 7, 31]), row(10, borders=(7, 30, 31.5))).frames["profile"]
    assert profile.schema == PROFILE
    entry = profile.row(0, named=True)
    assert (entry["period_kind"], entry["period_us"], entry["period_label"]) == ("fixed", 600_000_000, "10min")
    assert (entry["season_length"], entry["n"], entry["median_gap_us"]) == (1, 4, 600_000_000)
    assert [minutes(profile[name]) for name in ("train_end", "valid_end", "test_end")] == [[10], [30], [40]]
    assert entry["decision"] == "irregular"


@pytest.mark.parametrize(
    ("border", "moved"),
    [(None, None), (0, 0), (0.1, 10), (10, 10), (31, 40), (31.1, 40), (75, 80), (-5, 0), (-10, -10)],
)
def test_borders_move_to_the_next_grid_point(border: float | None, moved: float | None) -> None:
    profile = resample_irregular(at([0, 7, 31]), row(10, borders=(border, None, None))).frames["profile"]
    assert minutes(profile["train_end"]) == [moved]


@given(st.lists(st.integers(0, 500), min_size=2, max_size=20, unique=True), st.integers(0, 510), st.integers(1, 60))
def test_cells_before_a_moved_border_hold_only_points_before_the_border(
    points: list[int], border: int, gap: int
) -> None:
    points = sorted(points)
    result = resample_irregular(at(list(map(float, points))), row(gap, borders=(border, None, None)))
    moved = result.frames["profile"]["train_end"][0]
    before = result.frames["observations"].filter(pl.col("ds") < moved)
    inside = [p for p in points if START + p * MINUTE <= before["ds"].max()] if before.height else []  # type: ignore[operator]
    assert all(p < border for p in inside)
    if border > points[-1]:
        assert before.height == result.frames["observations"].height


@given(st.lists(st.integers(0, 300), min_size=2, max_size=25, unique=True), st.integers(3, 60))
def test_cells_agree_with_pandas(points: list[int], gap: int) -> None:
    frame = at([float(p) for p in sorted(points)])
    cells = grid(frame, gap)
    reference = pd.Series(frame["y"].to_list(), index=pd.DatetimeIndex(frame["ds"].to_list())).resample(
        f"{gap}min", origin="start", closed="right", label="right"
    )
    expected = reference.mean()
    expected = expected[expected.index <= frame["ds"][-1]]
    assert cells["ds"][-1] <= frame["ds"][-1] < cells["ds"][-1] + gap * MINUTE
    assert cells["ds"].to_list() == [stamp.to_pydatetime() for stamp in expected.index]
    np.testing.assert_allclose(cells["y_raw"].to_numpy(), expected.to_numpy())
    np.testing.assert_allclose(cells["y"].to_numpy(), expected.ffill().to_numpy())


@given(st.lists(st.integers(0, 300), min_size=2, max_size=20, unique=True), st.integers(0, 300))
def test_no_cell_depends_on_what_came_after_it_was_available(points: list[int], cut: int) -> None:
    points = sorted(points)
    values = [float(p % 7) for p in points]
    changed = [v if p <= cut else -99.0 for v, p in zip(values, points, strict=True)]
    moment = START + cut * MINUTE
    known = [
        grid(at(list(map(float, points)), v), 10).filter(pl.col("available_at") <= moment) for v in (values, changed)
    ]
    assert known[0].equals(known[1])
    assert (known[0]["available_at"] >= known[0]["ds"]).all()


def test_the_median_gap_is_found_from_the_frame() -> None:
    # Gaps 10, 10, 25, 5: median 10.
    frame = pl.concat([at([0, 10, 20, 45, 50]), at([3], name="b")])
    cells = resample_to_median_gap(frame)
    assert minutes(cells["ds"]) == [0, 10, 20, 30, 40, 50, 3]
    assert cells["y"].to_list() == [0.0, 1.0, 2.0, 2.0, 2.0, 3.5, 0.0]
    assert isinstance(resample_to_median_gap(frame.to_pandas()), pd.DataFrame)


def test_a_frame_whose_grid_would_explode_is_refused() -> None:
    frame = pl.concat([at([0, 1]), at([0, 1, 2, 100], name="b")])
    assert resample_to_median_gap(frame, max_grid_points=101).height == 103
    with pytest.raises(InputError, match="grid of series 'b' would have 101 points, more than max_grid_points = 100"):
        resample_to_median_gap(frame, max_grid_points=100)


def test_what_has_no_grid_is_skipped_or_fails_with_its_reason() -> None:
    frame = pl.concat(
        [
            at([0, 5, 100], name="a"),
            at([7], [4.0], name="b"),
            at([0, 9], name="c"),
            at([0, 9], name="d"),
            at([0, 10], name="e"),
        ]
    )
    table = pl.concat([row(1, "a"), row(None, "b"), row(None, "c"), row(0, "d"), row(10, "e")])
    result = resample_irregular(frame, table, max_grid_points=100)
    assert result.ledger.rows() == [
        (
            "a",
            "failed",
            "its grid would have 101 points, more than max_grid_points = 100",
            '{"rows":3,"cells":0,"behind":0}',
        ),
        (
            "b",
            "skipped",
            "one point has no gap to make a grid of; it stays as it is",
            '{"rows":1,"cells":1,"behind":0}',
        ),
        (
            "c",
            "failed",
            "no median gap is known, so there is no grid to bring it to",
            '{"rows":2,"cells":0,"behind":0}',
        ),
        (
            "d",
            "failed",
            "no median gap is known, so there is no grid to bring it to",
            '{"rows":2,"cells":0,"behind":0}',
        ),
        ("e", "ok", None, '{"rows":2,"cells":2,"behind":0}'),
    ]
    assert result.counts == {"left_out": 7}
    cells = result.frames["observations"]
    assert cells["unique_id"].to_list() == ["b", "e", "e"]
    assert minutes(cells["ds"]) == [7, 0, 10]
    profile = result.frames["profile"]
    assert profile["unique_id"].to_list() == ["b", "e"]
    assert profile["period_label"].to_list() == [None, "10min"]
    assert profile["n"].to_list() == [0, 2]


def test_a_grid_of_exactly_the_limit_is_made() -> None:
    result = resample_irregular(at([0, 1, 99]), row(1), max_grid_points=100)
    assert result.ledger["status"].to_list() == ["ok"]
    assert result.frames["observations"].height == 100


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    result = resample_irregular(at([]), row(1).clear())
    assert result.frames["observations"].schema == GRID_SCHEMA
    assert result.frames["profile"].schema == PROFILE
    assert result.ledger.height == 0


def test_shard_composition_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    parts = [at(np.unique(rng.integers(0, 400, 30)).tolist(), name=name) for name in "abc"]
    table = pl.concat([row(gap, name) for gap, name in ((7, "a"), (13, "b"), (20, "c"))])
    whole = resample_irregular(pl.concat(parts), table)
    alone = [resample_irregular(part, table) for part in parts]
    for name in ("observations", "profile"):
        assert whole.frames[name].equals(pl.concat([one.frames[name] for one in alone]))


@pytest.mark.parametrize("limit", [0, -1])
def test_an_unusable_limit_is_refused(limit: int) -> None:
    with pytest.raises(InputError, match=rf"^max_grid_points must be at least 1, got {limit}\.$"):
        resample_irregular(at([0]), row(1), max_grid_points=limit)
    with pytest.raises(InputError, match="max_grid_points"):
        resample_to_median_gap(at([0]), max_grid_points=limit)


@pytest.mark.parametrize("column", ["median_gap_us", "n", "period_label", "train_end", "valid_end", "test_end"])
def test_a_profile_without_a_needed_column_is_refused(column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        resample_irregular(at([0, 1]), row(1).drop(column))


def test_rows_of_the_step_are_those_of_the_plain_function() -> None:
    frame: Any = at([0, 4, 9, 30])
    assert grid(frame, 5).equals(resample_to_median_gap(frame))


def test_a_median_gap_of_one_microsecond_makes_a_grid() -> None:
    us = timedelta(microseconds=1) / MINUTE
    result = resample_irregular(at([0, us, 3 * us]), row(us))
    assert result.frames["observations"]["y"].to_list() == [0.0, 1.0, 1.0, 2.0]
    assert result.ledger["status"].to_list() == ["ok"]


def test_hand_worked_alerts_and_the_moment_that_observations_came() -> None:
    # P = 10. Cells: {0}; (0, 10] holds 3 (an alert) and 7 (came at 15); (10, 20] is empty; (20, 30] holds 21, whose
    # value is missing, and 29, clipped: known from 90 on, seen at 31.
    came = [START + m * MINUTE for m in (0, 3, 15, 21, 31, 40)]
    frame = at([0, 3, 7, 21, 29, 40], [1.0, 2.0, 3.0, None, 5.0, 6.0]).with_columns(
        available_at=pl.Series([*came[:4], START + 90 * MINUTE, came[5]]),
        observed_available_at=pl.Series(came).set(pl.Series([False, False, False, True, False, False]), None),
        is_alert=pl.Series([False, True, False, False, False, False]),
        volume=pl.lit(1.0),
    )
    cells = grid(frame.with_columns(pl.col("available_at", "observed_available_at").cast(TIME)), 10)
    assert cells["is_alert"].to_list() == [False, True, False, False, False]
    assert minutes(cells["observed_available_at"]) == [0, 15, None, 31, 40]
    assert minutes(cells["available_at"]) == [0, 15, 20, 90, 40]
    assert "volume" not in cells.columns
