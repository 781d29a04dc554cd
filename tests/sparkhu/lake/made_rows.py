"""Rows for the tests of the lake."""

from datetime import UTC, datetime, timedelta

import polars as pl

from sparkhu.frame import TIME

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    """Read an instant of UTC, such as `2024-01-03` or `2024-01-03 05:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def observed(
    ids: str = "a", start: datetime = START, hours: int = 48, *, y: float = 0.0, arrived: datetime | None = None
) -> pl.DataFrame:
    """Make hourly rows of the series named by the letters of `ids`; `y` counts up from the value given."""
    return pl.DataFrame(
        [
            {"unique_id": name, "ds": start + k * HOUR, "y": y + k, "available_at": arrived or start + k * HOUR}
            for name in ids
            for k in range(hours)
        ],
        schema={"unique_id": pl.String, "ds": TIME, "y": pl.Float64, "available_at": TIME},
    )


def tidy(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    """Give rows in an order that does not depend on how they came about."""
    return sorted(frame.rows(), key=repr)
