"""What stands in the place of an anomaly."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.steps.handling_strategies import ORDER, Clip, Ema, EmaFlagged, SeasonalMean, check_alpha, replacement
from sparkhu.steps.segmented import NEVER, times
from tests.sparkhu.steps.handled import decomposed, hour, rows_of

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40)


def values(estimate: Any) -> list[float | None]:
    return pl.Series(estimate.values).fill_nan(None).to_list()


def known(estimate: Any) -> list[Any]:
    return times(estimate.latest).to_list()


def test_hand_worked_clip() -> None:
    # Limits −2 and 2. Level 10, remainder 5: 10 + 2 = 12. Level 20, remainder −7: 20 − 2 = 18.
    rows = rows_of(decomposed([0.0, 5.0, -7.0, 1.0], level=[10.0, 10.0, 20.0, 20.0], flagged=[1, 2]))
    assert values(Clip().replace(rows)) == [None, 12.0, 18.0, None]


def test_hand_worked_clip_with_limits_off_the_middle() -> None:
    # Limits 0 and 3: 4 above level 1 becomes 1 + 3 = 4; 1 below it becomes 1 + 0 = 1.
    rows = rows_of(decomposed([4.0, -1.0, 1.0], level=1.0, flagged=[0, 1]), low=0.0, high=3.0)
    assert values(Clip().replace(rows)) == [4.0, 1.0, None]


def test_nothing_is_clipped_at_an_open_limit_or_without_parts() -> None:
    rows = rows_of(decomposed([5.0, -5.0, None], flagged=[0, 1, 2]), high=None)
    assert values(Clip().replace(rows)) == [5.0, -2.0, None]


def test_hand_worked_average_of_what_came_before() -> None:
    # α = 0.5. Unflagged 4, 8, 2: averages 4, 6, 4. The spike after 8 takes 6, the two after 2 take 4.
    rows = rows_of(decomposed([4.0, 8.0, 99.0, 2.0, 50.0, 60.0], flagged=[2, 4, 5]))
    assert values(EmaFlagged(0.5).replace(rows)) == [None, None, 6.0, None, 4.0, 4.0]


def test_hand_worked_average_passes_over_filled_points() -> None:
    # α = 0.25 over 4 and 8 alone: 4, then 0.25·8 + 0.75·4 = 5.
    rows = rows_of(decomposed([4.0, 77.0, 8.0, 99.0], flagged=[3], unseen=[1]))
    assert values(EmaFlagged(0.25).replace(rows)) == [None, None, None, 5.0]


def test_an_anomaly_with_nothing_before_it_stays() -> None:
    frame = pl.concat([decomposed([1.0, 1.0], name="a"), decomposed([9.0, 2.0], flagged=[0], name="b")])
    estimate = EmaFlagged(0.5).replace(rows_of(frame))
    assert values(estimate) == [None] * 4
    assert estimate.latest.tolist() == [NEVER] * 4


def test_hand_worked_mean_of_the_phase() -> None:
    # Season 2. Phase 0: 1, 3, 5 → 3; phase 1: 10, [90], 30 → 20 for the anomaly.
    rows = rows_of(decomposed([1.0, 10.0, 3.0, 90.0, 5.0, 30.0], flagged=[3]), season=2)
    assert values(SeasonalMean().replace(rows)) == [None, None, None, 20.0, None, None]


def test_hand_worked_mean_of_all_where_there_is_no_season() -> None:
    # (1 + 3 + 8) / 3 = 4.
    rows = rows_of(decomposed([1.0, 3.0, 90.0, 8.0], flagged=[2]))
    assert values(SeasonalMean().replace(rows)) == [None, None, 4.0, None]


def test_only_the_training_part_gives_means() -> None:
    # Season 2, trained on the first four points: phase 0 is (1 + 3) / 2, phase 1 is 10 alone.
    rows = rows_of(decomposed([1.0, 10.0, 3.0, 99.0, 70.0, 80.0], flagged=[3, 4, 5]), season=2, train_end=4)
    assert values(SeasonalMean().replace(rows)) == [None, None, None, 10.0, 2.0, 10.0]


@pytest.mark.parametrize(("season", "value"), [(2, 10.0), (3, 14.0 / 3)])
def test_a_season_that_the_training_part_does_not_hold_twice_is_none(season: int, value: float) -> None:
    # Four training points: twice 2, not twice 3. All: (1 + 10 + 3) / 3.
    rows = rows_of(decomposed([1.0, 10.0, 3.0, 99.0, 7.0, 7.0], flagged=[3]), season=season, train_end=4)
    assert values(SeasonalMean().replace(rows))[3] == pytest.approx(value, rel=1e-15)


def test_a_phase_without_a_clean_value_stays() -> None:
    rows = rows_of(decomposed([1.0, 90.0, 3.0, 91.0], flagged=[1, 3]), season=2)
    assert values(SeasonalMean().replace(rows)) == [None] * 4


def test_hand_worked_smoothing_of_a_whole_series() -> None:
    # α = 0.5: 4; (8 + 4)/2 = 6; (2 + 6)/2 = 4.
    rows = rows_of(decomposed([4.0, 8.0, 2.0], flagged=[1]))
    assert values(Ema(0.5).replace(rows)) == [4.0, 6.0, 4.0]


def test_missing_values_are_passed_over_and_stay_missing() -> None:
    frame = decomposed([4.0, 5.0, 8.0], flagged=[2]).with_columns(y=pl.when(pl.col("ds") != hour(1)).then("y"))
    assert values(Ema(0.5).replace(rows_of(frame))) == [4.0, None, 6.0]


def test_only_a_series_with_an_anomaly_in_its_training_part_is_smoothed() -> None:
    frame = pl.concat([decomposed([4.0, 8.0, 2.0], flagged=[at], name=name) for name, at in (("a", 2), ("b", 1))])
    assert values(Ema(0.5).replace(rows_of(frame, train_end=2))) == [None, None, None, 4.0, 6.0, 4.0]


@given(st.lists(VALUES, min_size=1, max_size=4), st.floats(0.01, 1.0))
def test_averages_are_those_of_pandas(several: list[list[float]], alpha: float) -> None:
    import pandas as pd

    frame = pl.concat([decomposed(one, flagged=[0], name=f"s{i}") for i, one in enumerate(several)])
    got = Ema(alpha).replace(rows_of(frame)).values
    wanted = np.concatenate([pd.Series(one).ewm(alpha=alpha, adjust=False).mean() for one in several])
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)


@given(VALUES, st.integers(1, 6))
def test_means_of_phases_are_those_of_pandas(series: list[float], season: int) -> None:
    import pandas as pd

    size = len(series)
    frame = decomposed(series, flagged=range(0, size, 3))
    got = SeasonalMean().replace(rows_of(frame, season=season)).values
    table = pd.DataFrame({"y": series, "phase": np.arange(size) % (season if size >= 2 * season else 1)})
    clean = table[np.arange(size) % 3 != 0].groupby("phase")["y"].mean()
    wanted = np.where(np.arange(size) % 3 == 0, table["phase"].map(clean), np.nan)
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("way", [Clip(), SeasonalMean(), EmaFlagged(0.5)])
def test_what_replaces_a_flagged_point_is_known_with_its_flag(way: Any) -> None:
    rows = rows_of(decomposed([1.0, 1.0, 9.0, 1.0], flagged=[2], parts_at=7), season=1)
    assert known(way.replace(rows)) == [None, None, hour(7), None]


@pytest.mark.parametrize("way", [EmaFlagged(0.5), Ema(0.5)])
def test_an_average_is_known_with_the_latest_point_in_it(way: Any) -> None:
    # The second point came at hour 30.
    at = pl.when(pl.col("ds") == hour(1)).then(pl.lit(hour(30)).cast(pl.Datetime("us", "UTC")))
    frame = decomposed([1.0, 1.0, 9.0, 1.0], flagged=[2]).with_columns(available_at=at.otherwise("available_at"))
    got = known(way.replace(rows_of(frame, train_end=1 if isinstance(way, EmaFlagged) else None)))
    assert got[2] == hour(30)
    assert got[0] == (None if isinstance(way, EmaFlagged) else hour(0))


def test_an_average_needs_no_point_after_it() -> None:
    rows = rows_of(decomposed([1.0, 9.0, 1.0], flagged=[1], parts_at=50))
    assert known(Ema(0.5).replace(rows)) == [hour(0), hour(1), hour(2)]


@given(VALUES)
def test_an_average_does_not_change_with_what_follows(series: list[float]) -> None:
    longer = rows_of(decomposed([*series, 1e6], flagged=[0]))
    shorter = rows_of(decomposed(series, flagged=[0]))
    assert Ema(0.3).replace(longer).values[:-1].tolist() == Ema(0.3).replace(shorter).values.tolist()


@pytest.mark.parametrize("name", ORDER[1:])
def test_values_do_not_depend_on_the_shard(name: str) -> None:
    rng = np.random.default_rng(3)
    parts = [
        decomposed(rng.normal(size=n).tolist(), flagged=[n // 2, n - 1], name=i) for n, i in ((30, "a"), (41, "b"))
    ]
    way = replacement(name, 0.3)
    alone = [way.replace(rows_of(part, season=7, train_end=25)) for part in parts]
    both = way.replace(rows_of(pl.concat(parts), season=7, train_end=25))
    np.testing.assert_array_equal(both.values, np.concatenate([one.values for one in alone]))
    np.testing.assert_array_equal(both.latest, np.concatenate([one.latest for one in alone]))


@pytest.mark.parametrize("name", ORDER[1:])
def test_an_empty_shard_gives_nothing(name: str) -> None:
    estimate = replacement(name, 0.3).replace(rows_of(decomposed([0.0]).clear()))
    assert (estimate.values.dtype, estimate.values.shape) == (np.float64, (0,))
    assert (estimate.latest.dtype, estimate.latest.shape) == (np.int64, (0,))


def test_strategies_are_known_by_name() -> None:
    assert isinstance(replacement("clip", 0.3), Clip)
    assert isinstance(replacement("seasonal_mean", 0.3), SeasonalMean)
    assert replacement("ema", 0.2) == Ema(0.2)
    assert replacement("ema_flagged", 0.2) == EmaFlagged(0.2)
    assert [replacement(name, 0.3).whole_series for name in ORDER[1:]] == [False, False, False, True]


@pytest.mark.parametrize("name", ["leave", "drop", "cilp"])
def test_what_puts_no_value_anywhere_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"^strategy must be one of clip, ema, ema_flagged, .*, got '{name}'.$"):
        replacement(name, 0.3)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.01, float("nan")])
def test_a_weight_beyond_0_and_1_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match=f"^alpha must be above 0 and at most 1, got {alpha}.$"):
        check_alpha(alpha)
    with pytest.raises(InputError, match="alpha"):
        replacement("clip", alpha)


def test_a_weight_of_one_takes_the_newest_value() -> None:
    check_alpha(1.0)
    assert values(Ema(1.0).replace(rows_of(decomposed([4.0, 8.0], flagged=[1])))) == [4.0, 8.0]
