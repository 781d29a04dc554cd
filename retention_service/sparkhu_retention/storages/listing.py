"""Frames of items from rows that come one by one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import polars as pl

from sparkhu_retention.items import ITEMS, items

AT_ONCE = 50_000
"""Items in a frame."""

NAMES = tuple(ITEMS)


def frames(rows: Iterable[Sequence[object]], names: Sequence[str] = NAMES) -> Iterator[pl.DataFrame]:
    """Put rows into frames of items; `names` are the columns that each row has, in its order."""
    todo = iter(rows)
    while some := list(islice(todo, AT_ONCE)):
        yield items({name: [row[k] for row in some] for k, name in enumerate(names)})
