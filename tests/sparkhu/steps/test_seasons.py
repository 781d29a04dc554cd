"""Seasons: stated, from the calendar, detected."""

import numpy as np
import pytest

from sparkhu.errors import InputError
from sparkhu.periods import Period
from sparkhu.steps.seasons import calendar_seasons, check_seasons, detect_season, fitting, is_foretold


@pytest.mark.parametrize(
    ("label", "seasons"),
    [
        ("1s", (86_400, 604_800)),
        ("1min", (1440, 10_080)),
        ("5min", (288, 2016)),
        ("30min", (48, 336)),
        ("1h", (24, 168)),
        ("6h", (4, 28)),
        ("1d", (7, 365)),
        ("1w", (52,)),
        ("1mo", (12,)),
        ("1q", (4,)),
        ("1bd", (5,)),
        ("250ms", (4,)),
        ("1y", ()),
        ("13h", ()),
        ("2d", ()),
    ],
)
def test_the_calendar_gives_its_cycles(label: str, seasons: tuple[int, ...]) -> None:
    assert calendar_seasons(label, Period.parse(label).season_length()) == seasons


def test_a_season_of_the_user_stands_alone() -> None:
    assert calendar_seasons("1h", 12) == (12,)
    assert calendar_seasons(None, 9) == (9,)
    assert calendar_seasons("1d", 14) == (14,)


@pytest.mark.parametrize("season_length", [None, 0, 1])
def test_a_profile_without_a_season_suggests_none(season_length: int | None) -> None:
    assert calendar_seasons("1h", season_length) == ()


def test_a_season_of_two_points_is_one() -> None:
    assert calendar_seasons("12h", 2) == (2, 14)
    assert fitting((2,), 4) == (2,)


def test_at_least_two_of_a_season_must_fit() -> None:
    assert fitting((168, 24), 336) == (24, 168)
    assert fitting((24, 168), 335) == (24,)
    assert fitting((24, 168), 47) == ()
    assert fitting((1, 3), 30) == (3,)


def test_of_seasons_behind_the_first_more_may_be_asked() -> None:
    assert fitting((24, 168), 504, least_added=3) == (24, 168)
    assert fitting((24, 168), 503, least_added=3) == (24,)
    assert fitting((24, 168), 48, least_added=3) == (24,)


def test_hand_worked_a_season_of_four() -> None:
    # 0 1 5 1 repeated: one lag of 4 later every value is the same again, so the autocorrelation has its first and
    # highest peak at 4; 2 later it is negative.
    assert detect_season(np.tile([0.0, 1.0, 5.0, 1.0], 8)) == 4


def test_hand_worked_the_correlation_that_tells_a_season() -> None:
    # 1 −1 −1 1 over and over has the mean 0 and no slope (0 − 1 − 2 + 3 = 0 in each). Of 16 values, whose squares add
    # up to 16: lag 1 has 15 products, −1 in each of four and +1 between them three times: −1/16; lag 2: −14/16; lag 3:
    # 1/16; lag 4: twelve of 1: 12/16 = 0.75; lag 5: −1/16. The peak is at 4, above 1.96/√16 = 0.49. Of 8 values lag 4
    # has 4/8 = 0.5, below 1.96/√8 = 0.69: no season.
    assert detect_season(np.tile([1.0, -1.0, -1.0, 1.0], 4)) == 4
    assert detect_season(np.tile([1.0, -1.0, -1.0, 1.0], 2)) is None


def test_hand_worked_cycles_of_the_calendar() -> None:
    # Five minutes: 24·60/5 = 288 in a day, 7·288 = 2016 in a week. The week, which is added, must fit three times:
    # 3·2016 = 6048 points; of one fewer the day is left, of which 2·288 = 576 are enough.
    assert calendar_seasons("5min", 288) == (24 * 60 // 5, 7 * 288)
    assert fitting((288, 2016), 6048, least_added=3) == (288, 2016)
    assert fitting((288, 2016), 6047, least_added=3) == (288,)
    assert fitting((288, 2016), 576, least_added=3) == (288,)
    # Eight hours: 24/8 = 3 in a day, 7·3 = 21 in a week.
    assert calendar_seasons("8h", 3) == (3, 21)


def test_a_trend_does_not_hide_the_season() -> None:
    values = np.tile([0.0, 1.0, 5.0, 1.0, 2.0], 12) + 3.0 * np.arange(60) - 1000
    assert detect_season(values) == 5


def test_a_season_that_hardly_fits_is_not_detected() -> None:
    values = np.sin(2 * np.pi * np.arange(40) / 10)
    assert detect_season(values) == 10
    assert detect_season(values[:15]) is None


def test_noise_shows_no_season() -> None:
    rng = np.random.default_rng(5)
    assert [detect_season(rng.normal(size=200)) for _ in range(20)] == [None] * 20


def test_a_weak_season_is_none() -> None:
    # A season of variance 1/2 under noise of variance 2 correlates by some 0.2 only.
    rng = np.random.default_rng(1)
    season = np.sin(2 * np.pi * np.arange(400) / 20)
    assert detect_season(season + rng.normal(0, 2**0.5, 400)) is None
    assert detect_season(season + rng.normal(0, 0.3, 400)) == 20


@pytest.mark.parametrize("values", [[], [1.0, 2.0, 1.0], [5.0] * 20, [0.0] * 20, list(np.arange(30.0) * 7 + 1e6)])
def test_a_line_or_next_to_nothing_shows_no_season(values: list[float]) -> None:
    assert detect_season(np.array(values)) is None


def test_unusable_seasons_are_refused() -> None:
    with pytest.raises(InputError, match=r"^seasons must have 2 points or more, got 1\. Leave it out"):
        check_seasons((24, 1))
    with pytest.raises(InputError, match=r"^seasons must differ from each other, got 24, 24\.$"):
        check_seasons((24, 24))
    check_seasons((2, 3))
    check_seasons(())


def test_hand_worked_season_that_its_cycles_foretell() -> None:
    # The median of any five points in a row is 0. In 0 0 6 0 0, three times, the mean of the two other cycles is the
    # cycle itself: nothing is missed, while without the season 3 · 6² = 108 is.
    assert is_foretold(np.tile([0.0, 0.0, 6.0, 0.0, 0.0], 3), 5)


def test_hand_worked_season_that_its_cycles_do_not_foretell() -> None:
    # The 6 stands in another place each time. Where a cycle has it, the others say 0: 36; the two others say (0 + 6)/2
    # of each other: 9 and 9. Three such places miss by 3 · 54 = 162, more than the 3 · 36 = 108 without a season.
    moving = [0.0, 0.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0, 0.0, 0.0, 6.0, 0.0, 0.0, 0.0]
    assert not is_foretold(np.array(moving), 5)


@pytest.mark.parametrize("cycles", [3, 5, 8, 20])
def test_noise_foretells_no_season(cycles: int) -> None:
    noise = np.random.default_rng(cycles).normal(size=(40, 168 * cycles))
    assert sum(is_foretold(row, 168, (24,)) for row in noise) <= 1


@pytest.mark.parametrize("cycles", [4, 8])
def test_a_week_that_is_there_is_foretold_beside_the_day_and_through_spikes(cycles: int) -> None:
    hours = np.arange(168 * cycles)
    weekend = np.where(hours // 24 % 7 >= 5, 3.0, 0.0)
    values = 10 * np.sin(2 * np.pi * hours / 24) + weekend + np.random.default_rng(0).normal(size=len(hours))
    values[50::331] += 200
    assert is_foretold(values, 168, (24,))
    assert not is_foretold(values - weekend, 168, (24,))
