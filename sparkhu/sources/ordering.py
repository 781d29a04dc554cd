"""Bring a table that does not fit into memory into the order of its contents: sort parts, cut them alike, merge."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import polars as pl

from sparkhu.sources.parts import KeptPart, Part, Scratch, SpilledPart
from sparkhu.sources.slices import SlicedFile, write_slices
from sparkhu.sources.tables import load

SAMPLES = 64
"""Rows that each part gives to choose the borders from."""


def in_order(parts: Sequence[Part], schema: Mapping[str, pl.DataType], scratch: Scratch) -> tuple[Part, ...]:
    """Sort rows by all columns, nulls first.

    Every part is sorted by itself. Rows taken evenly from all of them are the borders of as many stretches as there
    are parts; each part is cut there, and each stretch put together from what every part has of it. Rows that are alike
    in all columns lie in one stretch.

    Args:
        parts: The rows, all of them in memory or all on disk.
        schema: The columns, with the types that the whole table has.
        scratch: Where the sorted rows go; the parts themselves are removed from it.

    Returns:
        Parts that are in order, one behind the other.
    """
    if all(isinstance(part, KeptPart) for part in parts):
        return (KeptPart(_sorted(pl.concat(load(part, schema) for part in parts))),)
    runs, samples = [], []
    for part in parts:
        run = _sorted(load(part, schema))
        part.discard()
        samples += run.gather_every(max(1, run.height // SAMPLES)).rows()
        runs.append(scratch.write(run))
    samples.sort(key=_key)
    borders = [samples[len(samples) * number // len(parts)] for number in range(1, len(parts))]
    cut = [_cut(run, borders, scratch) for run in runs]
    stretches = (pl.concat(file.read(number) for file in cut) for number in range(len(parts)))
    ordered = tuple(scratch.write(_sorted(rows)) for rows in stretches if rows.height)
    for file in cut:
        file.path.unlink()
    return ordered


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(frame.columns, maintain_order=True)


def _key(row: Sequence[Any]) -> tuple[tuple[bool, bool, Any], ...]:
    """Compare rows as Polars sorts them: nulls first, NaN last."""
    return tuple(
        (False, False, 0) if cell is None else (True, True, 0) if cell != cell else (True, False, cell)  # noqa: PLR0124
        for cell in row
    )


def _cut(run: SpilledPart, borders: Sequence[Sequence[Any]], scratch: Scratch) -> SlicedFile:
    frame = run.load(list(run.schema))
    rows = range(frame.height)
    ends = [bisect_left(rows, _key(border), key=lambda row: _key(frame.row(row))) for border in borders]
    bounds = [0, *ends, frame.height]
    run.discard()
    slices = (frame.slice(start, end - start) for start, end in pairwise(bounds))
    return write_slices(scratch.new_file(), slices)
