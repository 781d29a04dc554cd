"""What was read from each file of a source, as a checksum that does not depend on where its rows are cut."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.sources.parts import new_file
from sparkhu.sources.slices import KeptSlices, Slices, write_slices

Shards = Callable[[Sequence[str] | None], Iterator[pl.DataFrame]]
"""Gives rows that are sorted by series and time, some after the other, with the columns asked for; null: all."""
ROWS_AT_ONCE = 1_000_000
TEXTS_AT_ONCE = 100_000
PLACE = "source_row"
"""The one column of a row that says where in the source it stood, not what was read."""


class ToldOfFile(NamedTuple):
    """The first instant that was read from a file, null where there is none, and the checksum of its rows."""

    first: datetime | None
    checksum: str


def told_of_files(shards: Shards, ends: pl.Series, folder: Path | None) -> list[ToldOfFile]:
    """Look at the rows of each file of a source.

    Args:
        shards: The rows of the source.
        ends: The number of the last source row of each file.
        folder: Where rows lie meanwhile, cut by files, when there are many; null: in memory.
    """
    groups = _groups(ends)
    if len(groups) > 1:
        cut = _cut(shards, ends, groups, folder)
        places: list[Shards] = [partial(_sliced, cut, number) for number in range(len(groups))]
    else:
        places = [shards for _ in groups]
    told: list[ToldOfFile] = []
    for group, rows in zip(groups, places, strict=True):
        # A single file, however large, is gone over as it lies; small ones are put together and told apart.
        told += [_told(rows)] if len(group) == 1 else _told_apart(pl.concat(rows(None)), group, ends)
    return told


def _groups(ends: pl.Series) -> list[range]:
    """Group files that follow one another, those of `ROWS_AT_ONCE` rows together; a larger one is alone."""
    starts, total = list[int](), 0
    for at, rows in enumerate(ends.to_numpy() - ends.shift(1, fill_value=0).to_numpy()):
        if not starts or total + rows > ROWS_AT_ONCE:
            starts.append(at)
            total = 0
        total += rows
    return [range(start, end) for start, end in pairwise([*starts, len(ends)])]


def _cut(shards: Shards, ends: pl.Series, groups: Sequence[range], folder: Path | None) -> list[Slices]:
    """Cut each shard by the group that the file of a row is in."""
    lasts = ends.gather([group.stop - 1 for group in groups])
    cut: list[Slices] = []
    for rows in shards(None):
        numbered = rows.with_columns(__group=lasts.search_sorted(rows[PLACE]))
        parts = numbered.partition_by("__group", as_dict=True, include_key=False, maintain_order=True)
        slices = [parts.get((number,), rows.clear()) for number in range(len(groups))]
        cut.append(KeptSlices(slices) if folder is None else write_slices(new_file(folder), slices))
    return cut


def _sliced(cut: Sequence[Slices], number: int, columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
    for slices in cut:
        rows = slices.read(number)
        yield rows if columns is None else rows.select(columns)


def _told_apart(rows: pl.DataFrame, group: range, ends: pl.Series) -> list[ToldOfFile]:
    numbered = rows.with_columns(__file=ends.search_sorted(rows[PLACE]))
    parts = numbered.partition_by("__file", as_dict=True, include_key=False, maintain_order=True)
    return [_told(partial(_sliced, [KeptSlices([parts.get((at,), rows.clear())])], 0)) for at in group]


def _told(shards: Shards) -> ToldOfFile:
    """Tell of the rows of one file."""
    firsts = (rows["ds"].min() for rows in shards(["ds"]))
    first = min((each for each in firsts if isinstance(each, datetime)), default=None)
    return ToldOfFile(first, _checksum(shards))


def _checksum(shards: Shards) -> str:
    """Give the SHA-256 of the values of rows, column by column: the same on any machine, under any version of Polars.

    A column counts with its name, which of its cells are filled, and their values: numbers and times little-endian in
    eight bytes, text as its lengths and its UTF-8. One column of one shard is in memory at a time.
    """
    height = sum(rows.height for rows in shards([PLACE]))
    columns = next(shards(None)).drop(PLACE).schema
    digest = hashlib.sha256()
    for name, dtype in columns.items():
        digest.update(f"{name}\0{height}\0".encode())
        for bits in _filled(rows[name] for rows in shards([name])):
            digest.update(bits)
        cells = (rows[name] for rows in shards([name]))
        for values in _texts(cells) if dtype == pl.String else _numbers(cells):
            digest.update(values)
    return digest.hexdigest()


def _filled(cells: Iterable[pl.Series]) -> Iterator[memoryview]:
    """Give a bit a cell, eight of them a byte whatever the stretches."""
    left = np.empty(0, dtype=bool)
    for column in cells:
        flags = np.concatenate([left, column.is_not_null().to_numpy()])
        whole = len(flags) // 8 * 8
        yield np.packbits(flags[:whole]).data
        left = flags[whole:]
    yield np.packbits(left).data


def _texts(cells: Iterable[pl.Series]) -> Iterator[bytes]:
    """Give lengths and texts, so many in turn whatever the stretches."""
    left = pl.Series(dtype=pl.String)
    for column in cells:
        left = pl.concat([left.alias(column.name), column])
        whole = len(left) // TEXTS_AT_ONCE * TEXTS_AT_ONCE
        for start in range(0, whole, TEXTS_AT_ONCE):
            yield from _text(left.slice(start, TEXTS_AT_ONCE))
        left = left.slice(whole)
    if len(left):
        yield from _text(left)


def _text(column: pl.Series) -> Iterator[bytes]:
    part = column.fill_null("")
    yield part.str.len_bytes().cast(pl.Int64).to_numpy().astype("<i8", copy=False).tobytes()
    yield "".join(part).encode()


def _numbers(cells: Iterable[pl.Series]) -> Iterator[memoryview]:
    for column in cells:
        physical = column.to_physical()
        if physical.dtype.is_float():
            yield physical.cast(pl.Float64).fill_null(0).to_numpy().astype("<f8", copy=False).data
        else:
            yield physical.cast(pl.Int64).fill_null(0).to_numpy().astype("<i8", copy=False).data
