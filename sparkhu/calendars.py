"""Steps of the calendar on wall-clock microseconds: months and business days, a whole array at once."""

import numpy as np
import numpy.typing as npt

from sparkhu.zones import Microseconds

Months = npt.NDArray[np.datetime64]


def shift_months(wall: Microseconds, months: Microseconds, month_day: int) -> Microseconds:
    """Move wall-clock times by whole months, keeping the time of day.

    Args:
        wall: Wall-clock microseconds.
        months: How many months, one per time.
        month_day: The day of the month that a time on its month's last day stands for (31: the month's end).

    Returns:
        The same day of the month, or the month's last day where that is shorter.
    """
    days, month = (
        wall.view("datetime64[us]").astype("datetime64[D]"),
        wall.view("datetime64[us]").astype("datetime64[M]"),
    )
    day = _integers(days) - _integers(month.astype("datetime64[D]"))
    aim = np.where(day == _lengths(month) - 1, np.maximum(day, month_day - 1), day)
    target = np.asarray(month + months, dtype="datetime64[M]")
    moved = target.astype("datetime64[D]") + np.minimum(aim, _lengths(target) - 1)
    return _on_days(wall, days, moved)


def shift_business_days(wall: Microseconds, steps: Microseconds) -> Microseconds:
    """Move wall-clock times by Mondays to Fridays, keeping the time of day.

    From a weekend the first step forwards leads to Monday, the first one backwards to Friday, as with pandas' BDay;
    zero steps stay where they are.
    """
    days = wall.view("datetime64[us]").astype("datetime64[D]")
    moved = np.busday_offset(days, steps, roll="backward")
    if (steps < 0).any():
        moved = np.where(steps < 0, np.busday_offset(days, steps, roll="forward"), moved)
    return _on_days(wall, days, np.where(steps == 0, days, moved))


def months_between(starts: Microseconds, ends: Microseconds) -> Microseconds:
    """Count the turns of the month between two wall-clock times."""
    first, last = (_integers(wall.view("datetime64[us]").astype("datetime64[M]")) for wall in (starts, ends))
    return np.asarray(last - first, dtype=np.int64)


def business_days_between(starts: Microseconds, ends: Microseconds) -> Microseconds:
    """Count Mondays to Fridays in `[start, end)`, by the dates of two wall-clock times."""
    first, last = (wall.view("datetime64[us]").astype("datetime64[D]") for wall in (starts, ends))
    return np.asarray(np.busday_count(first, last), dtype=np.int64)


def month_days(wall: Microseconds) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Find the day of the month of wall-clock times, counted from 1, and whether it is the month's last."""
    stamps = wall.view("datetime64[us]")
    month = stamps.astype("datetime64[M]")
    day = _integers(stamps.astype("datetime64[D]")) - _integers(month.astype("datetime64[D]")) + 1
    return np.asarray(day, dtype=np.int64), np.asarray(day == _lengths(month), dtype=np.bool_)


def _on_days(wall: Microseconds, days: Months, moved: Months) -> Microseconds:
    return np.asarray(wall + _integers((moved - days).astype("timedelta64[us]")), dtype=np.int64)


def _lengths(months: Months) -> Microseconds:
    return _integers((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]"))


def _integers(stamps: npt.NDArray[np.datetime64] | npt.NDArray[np.timedelta64]) -> Microseconds:
    return stamps.view(np.int64)
