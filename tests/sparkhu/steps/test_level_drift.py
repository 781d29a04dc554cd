"""Drift: found with where it begins and ends, and its size."""

import numpy as np
import pytest
from scipy import stats

from sparkhu.steps.level_drift import find_drift
from tests.sparkhu.steps.made_levels import changes, noise


def test_hand_worked_drift() -> None:
    # Twenty blocks of four equal points, whose medians rise by 1, −1, 0 three times over, then by 5, 3 five times over.
    # Mean of the nine differences before: 0, of the ten after: 4, of all: 40/19. Beside the two means stay 6·1 + 10·1
    # squares, by 19 − 4 numbers that are fitted: variance 16/15. The ten against the nine: explained is
    # 4² · 10·9/19 = 75.79, so t = √(75.79 / (16/15)) = 8.4292. No other interval explains as much.
    steps = np.concatenate([np.tile([1.0, -1.0, 0.0], 3), np.tile([5.0, 3.0], 5)])
    values = np.repeat(np.concatenate([[0.0], np.cumsum(steps)]), 4)
    drift = find_drift(values, 5.0)
    assert drift is not None
    assert drift.score == pytest.approx(np.sqrt(16 * 90 / 19 * 15 / 16))
    # Block 9 is the last of the level before, in its middle points 38; it goes on to the last point.
    assert (drift.start, drift.end) == (38, 79)
    # The level goes from 0 to 40 and was flat before.
    assert drift.size == pytest.approx(40, abs=1.0)
    assert find_drift(values, 8.43) is None


def test_hand_worked_drift_that_ends() -> None:
    # Twenty blocks of five equal points; their medians stand for seven differences, go down by 3, 5, 3, 5, 3, 5, and
    # stand for six. Mean of the six: −4, of the 13 others: 0. Beside the two means stay 6·1 squares, by 19 − 4 numbers
    # that are fitted: variance 0.4. Explained is 4² · 6·13/19 = 65.68, so t = √(65.68/0.4) = 12.814.
    # The drift begins with block 7, in its middle point 7·5 + 2 = 37, and ends with block 13, point 13·5 + 2 = 67.
    steps = np.concatenate([np.zeros(7), np.tile([-3.0, -5.0], 3), np.zeros(6)])
    values = np.repeat(np.concatenate([[0.0], np.cumsum(steps)]), 5)
    drift = find_drift(values, 12.81)
    assert drift is not None
    assert drift.score == pytest.approx(np.sqrt(16 * 6 * 13 / 19 / 0.4), rel=1e-12)
    assert (drift.start, drift.end) == (37, 67)
    # The level goes from 0 to −24; the fitted line goes through the middle of its uneven steps.
    assert drift.size == pytest.approx(-24, abs=0.1)
    assert find_drift(values, 12.82) is None


def test_the_score_of_a_drift_is_the_t_statistic_of_two_samples() -> None:
    # Where the interval is the last ten differences: scipy's t-test with pooled variance has 17 degrees of freedom, for
    # two means; two more numbers, start and end, are fitted here.
    steps = np.concatenate([noise(9, 3) * 0.2, 3 + noise(10, 4) * 0.2])
    drift = find_drift(np.repeat(np.concatenate([[0.0], np.cumsum(steps)]), 5), 5.0)
    assert drift is not None
    t = stats.ttest_ind(steps[9:], steps[:9]).statistic
    assert drift.score == pytest.approx(t * np.sqrt(15 / 17), rel=1e-8)


def test_a_drift_that_ends_is_found_with_both_kinks_and_its_size() -> None:
    level = 5 + 0.01 * np.arange(400) - 12 * np.clip((np.arange(400) - 150) / 100, 0, 1)
    drift = find_drift(level + 0.1 * noise(400), 5.0)
    assert drift is not None
    # Blocks of 20 points: kinks to a block.
    assert abs(drift.start - 150) <= 20
    assert abs(drift.end - 250) <= 20
    assert drift.size == pytest.approx(-12, rel=0.15)


def test_the_points_that_no_block_takes_are_the_first() -> None:
    plain = np.clip(np.arange(80.0) - 40, 0, None)
    whole, longer = find_drift(plain, 5.0), find_drift(np.concatenate([np.full(19, 0.0), plain]), 5.0)
    assert whole is not None
    assert longer is not None
    assert (longer.start, longer.end) == (whole.start + 19, whole.end + 19)
    assert longer[2:] == whole[2:]


@pytest.mark.parametrize("size", [19, 60, 79])
def test_a_drift_needs_four_points_a_block(size: int) -> None:
    assert find_drift(np.clip(np.arange(float(size)) - size / 2, 0, None), 5.0) is None
    assert find_drift(np.clip(np.arange(80.0) - 40, 0, None), 5.0) is not None


@pytest.mark.parametrize(("start", "found"), [(80, True), (300, True), (60, False), (340, False)])
def test_a_drift_has_four_blocks_before_it_and_four_in_it(start: int, found: bool) -> None:
    # Blocks of 20 points; a kink outside is found, if at all, as one that begins at the nearest block that can be.
    drift = find_drift(np.clip(np.arange(400.0) - start, 0, None) + 0.01 * noise(400), 5.0)
    assert drift is not None
    assert (abs(drift.start - start) <= 10) is found
    assert 90 <= drift.start <= 310


def test_a_steep_climb_is_a_drift_and_not_many_shifts() -> None:
    found = changes(0.5 * noise(960) + 20 * np.clip((np.arange(960) - 240) / 240, 0, 1))
    assert found["kind"].to_list() == ["drift"]
