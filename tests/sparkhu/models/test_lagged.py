"""The rows of trees: what their columns hold, that they see nothing behind the cutoff, and what missing values do."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.models.calendar import Calendar
from sparkhu.models.lagged import Layout

LAYOUT = Layout(horizon=4, season_length=3, input_size=6, period="1h")
HISTORY = np.random.default_rng(0).normal(10, 2, size=(5, LAYOUT.depth))
CUTOFFS = pl.Series([datetime(2024, 2, 28, 22, tzinfo=UTC)] * 5, dtype=pl.Datetime("us", "UTC"))


def column(name: str, history: np.ndarray = HISTORY, layout: Layout = LAYOUT) -> np.ndarray:
    table = layout.rows(history, CUTOFFS[: len(history)]).table
    assert table.shape == (len(history) * layout.horizon, len(layout.names()))
    return table[:, layout.names().index(name)].reshape(len(history), layout.horizon)


def in_units(values: np.ndarray) -> np.ndarray:
    unit = np.abs(HISTORY[:, 3:] - HISTORY[:, :-3]).mean(axis=1)[:, None]
    return (values - HISTORY[:, -3:].mean(axis=1)[:, None]) / unit


def test_the_history_holds_fourteen_seasons_or_the_input_and_no_more_than_is_allowed() -> None:
    assert (LAYOUT.depth, LAYOUT.seasons) == (42, 14)
    assert Layout(48, 24, 168, "1h").depth == 336
    assert Layout(48, 96, 384, "15min").depth == 1008
    assert (Layout(4, 9, 6, "1h").season, Layout(4, 9, 6, "1h").depth) == (1, 14)
    with pytest.raises(InputError, match="horizon must be at least 1, got 0"):
        Layout(0, 3, 6, "1h")


def test_lags_lie_whole_seasons_before_the_step() -> None:
    # Steps 0, 1, 2 stand where the last season's points stood, step 3 where its first did.
    np.testing.assert_allclose(column("season_1"), in_units(HISTORY[:, [-3, -2, -1, -3]]), rtol=1e-5)
    np.testing.assert_allclose(column("season_7"), in_units(HISTORY[:, [-21, -20, -19, -21]]), rtol=1e-5)
    np.testing.assert_array_equal(column("step"), np.tile(np.arange(4.0), (5, 1)))


def test_levels_changes_and_recent_points_are_those_of_the_window() -> None:
    np.testing.assert_allclose(column("last_2")[:, 3], in_units(HISTORY[:, [-2]])[:, 0], rtol=1e-5)
    np.testing.assert_allclose(column("level_2")[:, 0], in_units(HISTORY[:, -6:-3]).mean(axis=1), rtol=1e-4, atol=1e-6)
    changes = in_units(HISTORY[:, [-1]]) - in_units(HISTORY[:, [-22]])
    np.testing.assert_allclose(column("change_7")[:, [0]], changes, rtol=1e-5)
    np.testing.assert_allclose(
        column("median_of_7")[:, 1],
        np.median(in_units(HISTORY[:, [-2, -5, -8, -11, -14, -17, -20]]), axis=1),
        rtol=1e-5,
    )


def test_points_beside_a_lag_never_lie_behind_the_cutoff() -> None:
    layout = Layout(horizon=6, season_length=6, input_size=12, period="1h")
    history = np.arange(84.0)[None, :]
    assert (np.diff(column("season_1", history, layout)[0]) > 0).all()
    beside = column("season_1_+2", history, layout)[0]
    np.testing.assert_allclose(beside[-3:], beside[-1])  # held at the newest point
    assert beside.max() == column("last_1", history, layout).max()


def test_level_and_spread_of_a_series_change_no_row() -> None:
    given, moved = LAYOUT.rows(HISTORY, CUTOFFS), LAYOUT.rows(HISTORY * 7 - 100, CUTOFFS)
    np.testing.assert_allclose(moved.table, given.table, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(moved.offset, given.offset * 7 - 100)
    np.testing.assert_allclose(moved.unit, given.unit * 7)


def test_answers_and_forecasts_undo_each_other_and_nothing_is_the_seasonal_naive() -> None:
    rows = LAYOUT.rows(HISTORY, CUTOFFS)
    targets = np.random.default_rng(1).normal(size=(5, 4))
    np.testing.assert_allclose(rows.forecasts(rows.answers(targets)), targets)
    np.testing.assert_allclose(rows.forecasts(np.zeros(20)), HISTORY[:, [-3, -2, -1, -3]])


def test_a_short_history_has_columns_that_are_missing_and_the_rest_as_before() -> None:
    short = HISTORY.copy()
    short[:, :36] = np.nan
    assert np.isnan(column("season_3", short)).all()
    assert np.isfinite(column("season_2", short)).all()
    assert np.isfinite(column("mean", short)).all()
    assert np.isfinite(LAYOUT.rows(short, CUTOFFS).offset).all()


def test_a_gap_is_missing_and_the_season_before_stands_in_for_the_naive_forecast() -> None:
    gap = HISTORY.copy()
    gap[:, -2] = np.nan
    rows = LAYOUT.rows(gap, CUTOFFS)
    np.testing.assert_allclose(rows.offset, HISTORY[:, [-3, -5, -1, -3]])
    assert np.isnan(column("season_1", gap)[:, 1]).all()


@pytest.mark.parametrize("value", [np.nan, 4.0])
def test_a_history_without_values_or_without_change_has_a_finite_unit_and_forecast(value: float) -> None:
    rows = LAYOUT.rows(np.full((1, 42), value), CUTOFFS[:1])
    assert rows.unit.tolist() == [1.0]
    assert rows.offset.tolist() == [[4.0 if value == 4.0 else 0.0] * 4]


def test_histories_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"history must have the shape \(windows, 42\), got \(5, 41\)"):
        LAYOUT.rows(HISTORY[:, 1:], CUTOFFS)


def test_the_calendar_tells_the_instants_of_the_steps() -> None:
    # Behind Wednesday, 28 February 2024, 22:00 come 23:00, Thursday the 29th 00:00 and 01:00.
    assert Calendar("1h").names() == ["day_share", "weekday"]
    np.testing.assert_allclose(Calendar("1h").rows(CUTOFFS[:1], 3), [[[23 / 24, 2], [0, 3], [1 / 24, 3]]])
    assert Calendar("1d").names() == ["weekday", "year_share"]
    days = Calendar("1d").rows(CUTOFFS[:1], 2)[0]
    np.testing.assert_allclose(days, [[3, (59 + 22 / 24) / 366], [4, (60 + 22 / 24) / 366]])
    months = Calendar("1mo").rows(pl.Series([datetime(2024, 1, 31, tzinfo=UTC)], dtype=CUTOFFS.dtype), 1)
    np.testing.assert_allclose(months, [[[59 / 366]]])
    assert Calendar("1y").rows(CUTOFFS[:1], 2).shape == (1, 2, 0)
