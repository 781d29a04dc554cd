"""Level shifts: found where they were put, to the point."""

import numpy as np
import pytest

from sparkhu.steps.level_drift import find_drift
from sparkhu.steps.level_shifts import find_shifts
from tests.sparkhu.steps.made_levels import noise


def test_hand_worked_shift() -> None:
    # Twelve points 0 1 0 1 …, twelve 10 11 10 11 …; windows of 3, whose median is what two of them are.
    # Instants 3 to 21: away from the step, the windows differ by +1 (odd) or −1 (even), six times −1 and eight +1; at
    # 10 and 14, where one point of the other side stands in a window, by 0; 10 − 0 at 11, 10 − 1 at 12, 11 − 1
    # at 13. In order: −1 ×6, 0 ×2, +1 ×8, 9, 10, 10: the middle, the 10th of 19, is 1. Distances from it: 0 ×8, 1 ×2,
    # 2 ×6, 8, 9, 9: their 10th is 1, the scale 1.4826. First differences are +1 and −1, and 9 once: more than half
    # are their median, so their deviation is 0 and sets no lower bound. Highest is 11, with (10 − 1) / 1.4826 = 6.0704.
    # Around it, points 8 to 13 less a trend of 1 in 3 points are 0, 2/3, −2/3, 0, 26/3, 28/3: levels 0 and 26/3, points
    # 8 to 11 nearer the one, 12 and 13 nearer the other: it goes over at 12. Two levels miss by 0 + 2/3 + 2/3 + 0 + 0 +
    # 2/3 = 2, a line with the slope 26/9 by 15.1. At 12 the medians are 1 (9 to 11) and 10 (12 to 14): 9, less the
    # middle 1: 8.
    values = np.concatenate([np.tile([0.0, 1.0], 6), np.tile([10.0, 11.0], 6)])
    (shift,) = find_shifts(values, 3, 6.0)
    assert shift.at == 12
    assert shift.size == 8.0
    assert shift.score == pytest.approx(9 / 1.4826)
    assert find_shifts(values, 3, 6.071) == []


def test_shifts_up_and_down_are_placed_to_the_point() -> None:
    values = 0.2 * noise(1000)
    values[300:] += 3.0
    values[700:] -= 5.0
    found = find_shifts(values, 12, 6.0)
    assert [shift.at for shift in found] == [300, 700]
    assert [shift.size for shift in found] == pytest.approx([3, -5], abs=0.3)
    assert all(shift.score > 6 for shift in found)


def test_spikes_are_no_shifts() -> None:
    values = noise(500)
    values[[100, 101, 200, 333]] += 50.0
    assert find_shifts(values, 12, 6.0) == []
    assert find_drift(values, 5.0) is None


def test_a_level_that_returns_is_a_shift_only_where_the_series_is_too_short_to_tell() -> None:
    episode = 0.2 * noise(24 * 32)
    episode[400:430] += 3.0
    assert find_shifts(episode, 24, 6.0) == []
    assert [shift.at for shift in find_shifts(episode[1:], 24, 6.0)] == [399, 429]


def test_fewer_than_eight_windows_tell_nothing() -> None:
    values = 0.2 * noise(80)
    values[40:] += 5.0
    assert [shift.at for shift in find_shifts(values, 10, 6.0)] == [40]
    assert find_shifts(values[:-1], 10, 6.0) == []


def test_hand_worked_scale_is_never_below_that_of_independent_noise() -> None:
    # 0 1 3 over and over: three points always have the median 1, so that the differences vary at the step alone. First
    # differences are 1, 2 and −3, a third each: their median is 1, the deviation from it 1. So σ = 1.4826/√2, and the
    # lower bound σ·√(π/3). At the step, whose windows are 0 1 3 and 50 51 53, the difference is 50.
    values = np.concatenate([np.tile([0.0, 1.0, 3.0], 16), np.tile([50.0, 51.0, 53.0], 16)])
    (shift,) = find_shifts(values, 3, 2.0)
    assert (shift.at, shift.size) == (48, 50.0)
    assert shift.score == pytest.approx(50 / (1.4826 / np.sqrt(2) * np.sqrt(np.pi / 3)))


def test_a_trend_is_no_shift_and_is_no_part_of_its_size() -> None:
    time = np.arange(24 * 32)
    values = 0.2 * noise(len(time)) - 0.5 * time
    values[400:] += 5.0
    (up,) = find_shifts(values, 24, 6.0)
    (down,) = find_shifts(-values, 24, 6.0)
    assert (up.at, down.at) == (400, 400)
    assert (up.size, down.size) == pytest.approx((5, -5), abs=0.3)


def test_of_two_excursions_within_a_window_the_higher_one_counts() -> None:
    # Up by 4 at 200; eight points on down by 12: in windows of 24 the second is what shows, once.
    values = 0.2 * noise(400)
    values[200:] += 4.0
    values[208:] -= 12.0
    assert [shift.at for shift in find_shifts(values, 24, 6.0)] == [208]


def test_steps_up_and_down_that_touch_are_two_shifts() -> None:
    values = 0.05 * noise(300)
    values[100:125] += 6.0
    found = find_shifts(values, 24, 6.0)
    assert [(shift.at, np.sign(shift.size)) for shift in found] == [(100, 1), (125, -1)]
