"""Whether the cells of a column differ, told part by part."""

import polars as pl

from sparkhu.sources.parts import Column

AT_ONCE = 5_000_000
"""Cells that are compared with one another at a time."""


def all_differ(column: Column, *, at_once: int = AT_ONCE) -> bool:
    """Tell whether a column of more than one row has no cell twice; a missing cell is one too.

    The first part with a doubled cell ends the search, and so do numbers that only rise. Otherwise cells are told apart
    by their hashes into groups that can be compared at once.
    """
    rows, rising, last = 0, True, None
    for part in column.scan():
        if part.n_unique() < len(part):
            return False
        rows += len(part)
        rising, last = rising and _rises(part, last), _number(part, -1) if len(part) else last
    if rows < 2 or rising:
        return rows > 1
    groups = -(-rows // at_once)
    return all(_group_differs(column, number, groups) for number in range(groups))


def has_several(column: Column) -> bool:
    """Tell whether a column holds more than one value; a missing one counts."""
    values = pl.Series(column.name, [], dtype=column.dtype)
    for part in column.scan():
        values = pl.concat([values, part.unique().head(2)]).unique()
        if len(values) > 1:
            return True
    return False


def _rises(part: pl.Series, last: int | None) -> bool:
    """Tell whether cells are whole numbers that rise, from the last one before them on."""
    numbers = _numbers(part)
    if numbers is None or numbers.null_count():
        return False
    first = next(iter(numbers.head(1)), None)
    return bool((numbers.diff().drop_nulls() > 0).all()) and (last is None or first is None or first > last)


def _number(part: pl.Series, place: int) -> int | None:
    numbers = _numbers(part)
    return None if numbers is None else numbers[place]


def _numbers(part: pl.Series) -> pl.Series | None:
    if part.dtype.is_integer() or part.dtype == pl.String:
        return part.cast(pl.Int64, strict=False)
    return None


def _group_differs(column: Column, number: int, groups: int) -> bool:
    cells = pl.concat(part.filter(part.hash() % groups == number) for part in column.scan())
    return cells.n_unique() == len(cells)
