"""Something that still needs data."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Need:
    """Items that must stay, and what needs them.

    Attributes:
        by: What needs them, in words, such as `champion 'forecaster' version 3 was trained on it`.
        storage: URI of the storage.
        dataset: The dataset; null: all.
        start: The first instant that is needed; null: from the first.
        end: The first instant that is no longer needed; null: to the last.
        ids: The items themselves, where they are known; empty: all that overlap `[start, end)`.
        read_at: When a refresh or a backfill reads them at the earliest; null: none does.
    """

    by: str
    storage: str
    dataset: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    ids: frozenset[str] = frozenset()
    read_at: datetime | None = None
