"""Buckets of the calendar: where they begin, and how they are numbered."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.periods import Period
from sparkhu.steps.buckets import Buckets, steps_before, steps_since

LABELS = ("250ms", "7min", "1h", "6h", "36h", "1d", "3d", "1w", "2w", "1mo", "1q", "1y", "1bd")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana", "Australia/Lord_Howe", "Europe/London")


def us(*moments: datetime) -> np.ndarray:
    return np.array([round(moment.timestamp() * 1e6) for moment in moments])


@pytest.mark.parametrize(
    ("label", "zone", "moment", "start"),
    [
        ("1d", "Europe/Berlin", (2024, 3, 31, 23), (2024, 3, 31)),  # a day of 23 hours
        ("1w", "UTC", (2024, 2, 29, 12), (2024, 2, 26)),  # Thursday: from Monday
        ("2w", "UTC", (2024, 2, 27), (2024, 2, 19)),  # 2825 weeks after 1970-01-05: the odd one of its pair
        ("1mo", "Asia/Kolkata", (2024, 2, 29, 23, 59), (2024, 2, 1)),
        ("1q", "America/New_York", (2023, 12, 31, 23), (2023, 10, 1)),
        ("1y", "Europe/London", (1969, 7, 1), (1969, 1, 1)),
        ("1bd", "UTC", (2024, 3, 3, 9), (2024, 3, 1)),  # Sunday: from Friday
        ("1bd", "UTC", (2024, 3, 4), (2024, 3, 4)),
        ("6h", "Europe/Berlin", (2024, 1, 1, 5, 59), (2024, 1, 1)),
        ("6h", "Europe/Berlin", (2024, 7, 1, 6, 59), (2024, 7, 1, 1)),  # equal length: an hour later by summer clocks
        ("1h", "Asia/Kolkata", (2024, 1, 1, 10, 45), (2024, 1, 1, 10)),
        ("6h", "Australia/Sydney", (2024, 7, 1, 1), (2024, 7, 1)),
        ("30min", "America/Havana", (1960, 1, 1, 0, 29), (1960, 1, 1)),
    ],
)
def test_hand_worked_starts(label: str, zone: str, moment: tuple[int, ...], start: tuple[int, ...]) -> None:
    place, buckets = ZoneInfo(zone), Buckets(Period.parse(label, zone))
    found = buckets.starts(buckets.numbers(us(datetime(*moment, tzinfo=place))))  # type: ignore[misc]
    assert found.tolist() == us(datetime(*start, tzinfo=place)).tolist()  # type: ignore[misc]


@given(st.sampled_from(LABELS), st.sampled_from(ZONES), st.integers(-(10**15), 3 * 10**15))
def test_every_instant_lies_in_its_bucket_and_numbers_follow_each_other(label: str, zone: str, instant: int) -> None:
    buckets = Buckets(Period.parse(label, zone))
    at = np.array([instant])
    number = buckets.numbers(at)
    start, end = buckets.starts(number), buckets.starts(number + 1)
    assert start <= at < end
    assert buckets.numbers(start) == number
    assert buckets.numbers(end) == number + 1
    assert buckets.numbers(end - 1) == number


@pytest.mark.parametrize("label", ["10us", "1d", "1mo", "1bd", "1q"])
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2 * 10**15), st.integers(-5, 12), st.integers(-1, 1))
def test_steps_are_counted_as_walking_counts_them(label: str, origin: int, steps: int, off: int) -> None:
    period = Period.parse(label, "Europe/Berlin")
    start = np.array([origin])
    limit = period.shift_us(start, np.array([steps])) + off
    walked = [k for k in range(1, 16) if period.shift_us(start, np.array([k])) < limit]
    assert steps_before(period, start, limit).tolist() == [len(walked)]
    back = [k for k in range(1, 16) if period.shift_us(start, np.array([-k])) >= limit]
    assert steps_since(period, limit, start).tolist() == [len(back)]
