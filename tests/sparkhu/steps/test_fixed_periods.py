"""Fixed periods: clusters and divisors of gaps, and lengths sharpened where gaps scatter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.steps.fixed_periods import approximate_divisor, find_fixed
from sparkhu.steps.series_gaps import SeriesGaps

SECOND = 1_000_000


def gaps_of(*series: np.ndarray) -> SeriesGaps:
    lengths = np.array([len(times) for times in series])
    return SeriesGaps(np.concatenate(series).astype(np.int64), np.cumsum(lengths) - lengths, lengths)


def jittered(count: int, step: float, share: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.sort((np.arange(count) + random.uniform(-share, share, count)) * step).astype(np.int64)


def cumulated(*gaps: float) -> np.ndarray:
    return np.cumsum([0, *gaps]) * SECOND


@pytest.mark.parametrize(
    ("first", "second", "divisor"),
    [
        *[(3600, 5400, 1800), (5400, 3600, 1800), (60, 60, 60), (7, 5, 1), (60, 45, 15), (3600, 60, 60)],
        # 7,230 is 30 from 2 · 3,600; 66 is exactly a tenth from 60; 67 is not: 7, then 4 of 7, 3 of 4, 1.
        *[(3600, 7230, 3600), (60, 66, 60), (60, 114, 60), (60, 67, 1)],
        # 3.03 and 2.0 hours are nearly 3 to 2: the rest of 3.03 by 2 is 0.97, of 2 by 0.97 it is 0.06.
        (3030, 2000, 970),
    ],
)
def test_the_approximate_divisor(first: int, second: int, divisor: int) -> None:
    assert approximate_divisor(first, second) == divisor


@given(st.integers(1, 50), st.integers(1, 50), st.integers(10**6, 10**12))
def test_the_divisor_of_exact_multiples_is_a_multiple_near_both(first: int, second: int, step: int) -> None:
    found = approximate_divisor(first * step, second * step)
    assert found % step == 0
    if first < 10 and second < 10:
        assert found == np.gcd(first, second) * step


def test_many_series_are_found_as_if_each_stood_alone() -> None:
    random = np.random.default_rng(3)
    series = [
        *[jittered(80, 600 * SECOND, 0.05), cumulated(*[60] * 9), jittered(50, 613.7 * SECOND, 0.02, 1)],
        *[np.cumsum(random.exponential(SECOND, 90)), np.zeros(1), cumulated(5), jittered(40, 250_000, 0.04, 2)],
        *[np.cumsum([0, *random.integers(1, 3, 30)]) * 37, cumulated(*[61] * 4, 100, 100, 100)],
    ]
    periods, fits = find_fixed(gaps_of(*series))
    alone = [find_fixed(gaps_of(times)) for times in series]
    assert periods.tolist() == [int(found[0]) for found, _ in alone]
    assert fits.explained.tolist() == [fit.explained[0] for _, fit in alone]
    assert fits.held.tolist() == [fit.held[0] for _, fit in alone]
    assert fits.error.tolist() == [fit.error[0] for _, fit in alone]
    assert periods[[0, 1, 4, 5, 6, 7]].tolist() == [600 * SECOND, 60 * SECOND, 0, 5 * SECOND, 250_000, 37]
    assert fits.passes.tolist() == [True, True, True, False, False, True, True, True, False]


def test_no_series_at_all() -> None:
    periods, fit = find_fixed(SeriesGaps(*[np.zeros(0, np.int64)] * 3))
    assert (len(periods), len(fit.held)) == (0, 0)


def test_a_length_that_is_not_round_is_the_mean_step() -> None:
    # 50 points at 613.7 s with a jitter of 2 % allow about 4 s: 610 s, the rounder of 610 and 615.
    periods, _ = find_fixed(gaps_of(jittered(50, 613.7 * SECOND, 0.02, 1)))
    assert periods[0] == 610 * SECOND
    # 4,000 points leave less than half a second, in which no length of at most a hundred round units lies.
    periods, fit = find_fixed(gaps_of(jittered(4000, 613.7 * SECOND, 0.02, 1)))
    assert periods[0] == pytest.approx(613.7 * SECOND, rel=1e-5)
    assert fit.held[0] == fit.explained[0] == 1.0


def test_a_correction_is_at_most_a_hundredth() -> None:
    # Ten gaps of 59.2 ± 2.2 s have three standard errors of 2.1 s, but 60 s is 1.35 % away; 59 s is 0.3 %.
    periods, _ = find_fixed(gaps_of(cumulated(*[57.0, 61.4] * 5)))
    assert periods[0] == 59 * SECOND
    # Around 59.5 s it is 0.84 % to 60 s.
    periods, _ = find_fixed(gaps_of(cumulated(*[57.3, 61.7] * 5)))
    assert periods[0] == 60 * SECOND


def test_nine_tenths_of_exact_gaps_keep_their_length_and_fewer_do_not() -> None:
    # 601 s is no round length: 18 exact gaps of 20 keep it, although the mean step is 601.3 s.
    periods, _ = find_fixed(gaps_of(cumulated(*[601] * 18, 604, 604)))
    assert periods[0] == 601 * SECOND
    # 17 of 20: the mean is 601.45 s, the scatter 1.07 s, and 600 s more than 3 · 1.07/√20 away.
    periods, _ = find_fixed(gaps_of(cumulated(*[601] * 17, 604, 604, 604)))
    assert periods[0] == 601_450_000


def test_thirds_of_a_second_keep_their_microseconds() -> None:
    periods, fit = find_fixed(gaps_of(np.round(np.arange(1000) * SECOND / 3)))
    assert periods[0] == 333_333
    assert fit.explained[0] == 1.0


def test_long_gaps_are_counted_by_the_mean_step() -> None:
    # Frames at 60 per second, stamped in milliseconds: 16 and 17 ms; a hole of 600 frames is 10,000 ms.
    frames = np.concatenate([np.arange(500), 1100 + np.arange(500)])
    periods, fit = find_fixed(gaps_of(np.round(frames * 1000 / 60) * 1000))
    assert periods[0] == pytest.approx(1e6 / 60, abs=1)
    assert fit.explained[0] == 1.0


def test_the_rarest_modal_gap_may_be_at_odds_with_the_rest() -> None:
    # 12 gaps of 60 s, 7 of 120 s, 2 of 90 s: the divisor 30 s of all is no gap; 60 s explains 19 of 21.
    periods, fit = find_fixed(gaps_of(cumulated(*[60] * 12, *[120] * 7, 90, 90)))
    assert periods[0] == 60 * SECOND
    assert fit.explained[0] == pytest.approx(19 / 21)
    assert fit.held[0] == pytest.approx(12 / 21)
    assert fit.error[0] == pytest.approx(2 * 0.5 / 21)


def test_clusters_part_where_gaps_jump_by_more_than_a_tenth() -> None:
    # 100, 110 and 121 s follow one another at exactly 10 %: one cluster with the median 110 s, a tenth of it from all.
    periods, fit = find_fixed(gaps_of(cumulated(*[100] * 3, *[110] * 5, *[121] * 3)))
    assert (periods[0], fit.explained[0], fit.held[0]) == (110 * SECOND, 1.0, 1.0)
    # 100 and 110.1 s are two clusters; their divisor is 1.1 s or less, no gap; 100 s alone explains half.
    periods, fit = find_fixed(gaps_of(cumulated(*[100] * 5, *[110.1] * 5)))
    assert (periods[0], fit.explained[0]) == (100 * SECOND, 0.5)
