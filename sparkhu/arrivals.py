"""Arrivals: which rows of a batch a table of observations does not know yet, and which row counts as of a moment.

A table of observations has two times. `ds` is the instant that a value is of, `available_at` the moment from which it
was known; a value that is revised has several rows of one `ds`. Of those known by a moment the one that became known
last counts, and of equals the one that was added later.
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from sparkhu.frame import SCHEMA, TIME, check_frame

KEY = ("unique_id", "ds")
TIMES = (*KEY, "available_at")
UNCOMPARED = frozenset({*TIMES, "source"})
"""Columns that say when and whence a value came, not what it is."""


@dataclass(frozen=True, eq=False)
class Arrivals:
    """What of a batch is new.

    Attributes:
        rows: The rows to add, in the order of the batch; columns that only the table has come behind its own.
        unchanged: Rows of the batch that the table holds already.
        revised: Rows to add that change a value which is there.
        repeated: Rows of the batch that a later row of the same batch, of the same instant and arrival, stands for.
    """

    rows: pl.DataFrame
    unchanged: int
    revised: int
    repeated: int


def newest(rows: pl.DataFrame, *, known_at: datetime | None = None) -> pl.DataFrame:
    """Keep one row an instant: the newest that was known at a moment.

    Args:
        rows: Rows of a table; of equal `available_at` those added later stand behind.
        known_at: The moment; null: all rows are known.

    Returns:
        The rows, sorted by `unique_id` and `ds`.

    Raises:
        InputError: A column is missing or has another type.

    Example:
        A value of 12:00, known at 12:00 as 5 and at 15:00 as 7, is 5 as of 14:59 and 7 from 15:00 on.
    """
    check_frame(rows, *SCHEMA)
    if known_at is not None:
        rows = rows.filter(pl.col("available_at") <= pl.lit(known_at).cast(TIME))
    return rows.sort(TIMES, maintain_order=True).unique(KEY, keep="last", maintain_order=True)


def arrivals(
    batch: pl.DataFrame, known: pl.DataFrame, *, arrived_at: datetime, dated: bool, late: pl.Series | None = None
) -> Arrivals:
    """Find the rows of a batch that are new to a table.

    A batch with arrival times of its own (`dated`) brings versions: one that the table holds already is not new. A
    batch without says what is known now: a row that repeats the newest value of its instant is not new, and one that
    changes it was known from `arrived_at` on, not from `ds` on; so was a new one that comes late. One that only adds
    further columns to a value, and changes nothing that was told of it, is known from when the value was. Values are
    compared in all columns that the batch has; one that is new to the table has been null so far, and null equals null.
    What the batch does not tell of a value that it changes stays as it was.

    Args:
        batch: Rows with `unique_id`, `ds`, `y`, `available_at` and any further columns; later rows stand for earlier
            ones of the same instant and arrival.
        known: The rows of the table at the instants of the batch, or more of them.
        arrived_at: When the batch came.
        dated: The source says from when each value was known.
        late: Which rows of a batch that is not dated came too late to count as known at `ds`; null: none.

    Returns:
        The new rows and what became of the others.

    Raises:
        InputError: A column is missing or has another type.

    Example:
        The same file twice adds nothing the second time; with one value changed, one row.
    """
    check_frame(batch, *SCHEMA)
    check_frame(known, *SCHEMA)
    values = [name for name in batch.columns if name not in UNCOMPARED]
    new = {name: pl.lit(None, dtype) for name, dtype in batch.schema.items() if name not in known.columns}
    kept = [name for name in known.columns if name not in (*batch.columns, *UNCOMPARED)]
    known = known.with_columns(**new)
    marked = batch.with_columns(__late=pl.lit(value=False) if late is None else late)
    last = marked.unique(TIMES, keep="last", maintain_order=True)
    now = newest(known)
    fresh = last.join(
        known.select(_alike(last, TIMES, values)) if dated else now.select(_alike(last, KEY, values)),
        on=[*(TIMES if dated else KEY), *values],
        how="anti",
        nulls_equal=True,
        maintain_order="left",
    )
    told = now.select(*_alike(last, KEY, values), *kept, __before="available_at")
    found = fresh.join(told, on=KEY, how="left", maintain_order="left", suffix="__now")
    changed = pl.col("__before").is_not_null()
    if not dated:
        more = changed & _only_more(values)
        since = pl.max_horizontal(pl.lit(arrived_at).cast(TIME), "__before", "available_at")
        dates = pl.when(more).then("__before").when(changed | pl.col("__late")).then(since).otherwise("available_at")
        found, changed = found.with_columns(dates.alias("available_at")), changed & ~more
    return Arrivals(
        rows=found.select(*batch.columns, *kept),
        unchanged=last.height - fresh.height,
        revised=int(found.select(changed.sum()).item()),
        repeated=batch.height - last.height,
    )


def _only_more(values: list[str]) -> pl.Expr:
    """Say of rows beside the newest version of their instant whether they tell all that it tells, and more."""
    extras = [name for name in values if name != "y"]
    same = [pl.col(f"{name}__now").is_null() | (pl.col(name) == pl.col(f"{name}__now")) for name in extras]
    return pl.all_horizontal(pl.col("y").eq_missing(pl.col("y__now")), *same).fill_null(value=False)


def caught_up(batch: pl.DataFrame, known: pl.DataFrame, *, again: pl.Series) -> pl.DataFrame:
    """Bring what a source tells once more up to what has come since it was told first.

    A row that tells what some version of its instant holds takes the place of no later version: its value becomes the
    newest one, and so do its further columns, but those which are null there, as a column is that was not asked for
    before.

    Args:
        batch: Rows as `arrivals` takes them.
        known: The rows of the table at the instants of the batch, or more of them.
        again: Which rows of the batch were told before, though they are read in another way now.

    Returns:
        The batch, in its order, for `arrivals` to compare.

    Example:
        5 was revised to 7. Where the first source is read again with a further column, the value is 7 still, now with
        that column.
    """
    check_frame(known, *SCHEMA)
    extras = [name for name in batch.columns if name not in UNCOMPARED and name != "y"]
    new = [name for name in extras if name not in known.columns]
    known = known.with_columns(pl.lit(None, batch.schema[name]).alias(name) for name in new)
    rows = batch.with_row_index("__row")
    held = known.select(_alike(batch, KEY, ["y", *extras]))
    met = rows.filter(again).join(held, on=[*KEY, "y"], nulls_equal=True, suffix="__held")
    alike = [pl.col(f"{name}__held").is_null() | (pl.col(name) == pl.col(f"{name}__held")) for name in extras]
    told = pl.col("__row").is_in(met.filter(*alike)["__row"].implode())
    now = newest(known).select(*KEY, *(pl.col(name).alias(f"{name}__now") for name in ("y", *extras)))
    filled = [pl.when(told).then(pl.coalesce(f"{name}__now", name)).otherwise(name).alias(name) for name in extras]
    return (
        rows.join(now, on=KEY, how="left", maintain_order="left")
        .with_columns(pl.when(told).then("y__now").otherwise("y").alias("y"), *filled)
        .select(batch.columns)
    )


def _alike(rows: pl.DataFrame, times: tuple[str, ...], values: list[str]) -> list[pl.Expr]:
    """Select columns in the types that they have in `rows`."""
    return [pl.col(name).cast(rows.schema[name], strict=False) for name in (*times, *values)]
