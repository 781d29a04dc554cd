"""Sort a span of a lake by series and time where it does not fit into memory: cut by shard, then sort each.

A lake is cut by time and by buckets of series, a shard holds whole series of all times. All versions of a point lie in
one partition and bucket, so what is told of a part of these by itself is true of the whole: how many instants a series
has, and hence which series make a shard. Then the rows of each part are cut by shard, and each shard is put together
from what every part has of it. Nothing holds more than a part or a shard.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from sparkhu.engines import LocalEngine, chosen_engine
from sparkhu.engines.base import Engine
from sparkhu.frame import TIME
from sparkhu.lake import Table
from sparkhu.lake.tables import ORDER
from sparkhu.sources.parts import PartSize, new_file
from sparkhu.sources.reading import LARGE
from sparkhu.sources.slices import KeptSlices, Slices, write_slices
from sparkhu.stages.sorting import STEP, Result, mapped
from sparkhu.steps.ingestion import by_shard

WHOLE = "the lake"


class SlicedTable(NamedTuple):
    """What every part of a table has of a shard: slice 0 of each."""

    slices: Sequence[Slices]
    schema: pl.Schema

    def read(self) -> pl.DataFrame:
        """Give the rows of the shard, sorted as `Table.read` sorts them."""
        rows = pl.concat([pl.DataFrame(schema=self.schema), *(each.read(0) for each in self.slices)])
        # Rows that tie in all of these are versions of one point: they come from one part, in their order.
        return rows.sort([name for name in ORDER if name in self.schema], maintain_order=True)


class TableSpan:
    """The rows of a table between two instants, on their way into shards.

    A small span is one part in memory.

    Args:
        table: The table.
        start: The first instant; null: that of the first row.
        end: The end, which does not belong to it; null: behind the last row.
        folder: Where rows lie, cut by shard, until the shards are put together.
        size: How much is held in memory at a time.
        columns: The columns; null: all.
        step: The step that is told how far this has come.
        engine: What parts are mapped on, where they are many; null: the one that is chosen.
    """

    def __init__(
        self,
        table: Table,
        start: datetime | None,
        end: datetime | None,
        folder: Path,
        size: PartSize | None = None,
        *,
        columns: Sequence[str] | None = None,
        step: str = STEP,
        engine: Engine | None = None,
    ) -> None:
        rows = (size or PartSize()).rows
        self._wanted = _Wanted(start, end, list(columns or table.columns))
        self._schema = pl.Schema({name: table.columns[name] for name in self._wanted.columns})
        self._folder, self._step, self._engine = folder, step, engine
        self._parts = table.parts(start, end, rows)
        self.large = sum(part.rows for part in self._parts) > LARGE * rows
        self._held = None if self.large else self._wanted.of(table)

    @property
    def engine(self) -> Engine:
        """What parts and shards are mapped on: a small span is done in this process."""
        return (self._engine or chosen_engine()) if self.large else LocalEngine(1)

    def series(self, start: datetime | None) -> pl.DataFrame:
        """Count the instants of each series from `start` on.

        Returns:
            `unique_id, rows`, sorted; several versions of a point count once.
        """
        if self._held is not None:
            return _instants(self._held, start).sort("unique_id")
        found = pl.DataFrame(schema={"unique_id": pl.String(), "rows": pl.Int64()})
        wanted = _Wanted(start or self._wanted.start, self._wanted.end, ("unique_id", "ds"))
        for counts in self._mapped(partial(_count, wanted)):
            found = pl.concat([found, counts]).group_by("unique_id").agg(pl.col("rows").sum())
        return found.sort("unique_id")

    def cut(self, borders: pl.Series) -> list[SlicedTable]:
        """Cut the rows by shard; they are held no longer.

        Args:
            borders: The series with which each shard but the first begins.

        Returns:
            What there is of each shard.
        """
        cut: list[Slices]
        if self._held is not None:
            cut = [KeptSlices(by_shard(self._held, borders))]
            self._held = None
        else:
            cut = list(self._mapped(partial(_spread, self._wanted, borders, self._folder)))
        shards = range(len(borders) + 1)
        return [SlicedTable([each.only(number) for each in cut], self._schema) for number in shards]

    def _mapped(self, function: Callable[[Table], Result]) -> Iterator[Result]:
        return mapped(self.engine, function, self._parts, "part", step=self._step, whole=WHOLE)


class _Wanted(NamedTuple):
    """What of a table is read."""

    start: datetime | None
    end: datetime | None
    columns: Sequence[str]

    def of(self, table: Table) -> pl.DataFrame:
        return table.read(*self[:2], columns=self.columns)


def _instants(rows: pl.DataFrame, start: datetime | None) -> pl.DataFrame:
    """Count the instants of each series from `start` on."""
    wanted = rows if start is None else rows.filter(pl.col("ds") >= pl.lit(start).cast(TIME))
    return wanted.group_by("unique_id").agg(rows=pl.col("ds").n_unique().cast(pl.Int64))


def _count(wanted: _Wanted, part: Table) -> pl.DataFrame:
    return _instants(wanted.of(part), None)


def _spread(wanted: _Wanted, borders: pl.Series, folder: Path, part: Table) -> Slices:
    return write_slices(new_file(folder), by_shard(wanted.of(part), borders))
