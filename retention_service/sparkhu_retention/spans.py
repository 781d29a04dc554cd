"""Instants and spans of time as requests have them."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside of the years 1 to 9999") from None


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""With a zone, kept as UTC."""


def check_interval(start: datetime | None, end: datetime | None) -> None:
    """See that an interval is not empty.

    Raises:
        ValueError: It is.
    """
    if start is not None and end is not None and start >= end:
        raise ValueError(f"end must lie after start, got {start.isoformat()} to {end.isoformat()}")
