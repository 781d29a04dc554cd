"""Point-in-time look-up of sequences: the last L points of a series as they were known at a moment.

For each moment `at` of a series: of all rows with `available_at ≤ at`, per `ds` the newest version, then the last
`length` of them by `ds`, oldest first. This holds for every order of arrival: a late row is seen from its own
`available_at` on and not before, and a revision takes the place of what it revises from its own on. A null value is a
known gap: it stands in the sequence, as NaN. `ds` itself is never compared with `at`: a value that is known ahead of
its time, such as a calendar or a plan, is part of the sequence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.histories import History, bisect, check_keys
from sparkhu.steps.segmented import NEVER, NOWHERE, Floats, Ints

BLOCK_POINTS = 2**20
"""Points that are looked up in one go: a block takes some 90 MB."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """What was known at each of n moments, in the order of the moments.

    Sequences are aligned to the right: the newest point stands last, and shorter ones are padded on the left.

    Attributes:
        unique_id: (n,) the series.
        at: (n,) the moments.
        ds: (n, length) microseconds since 1970 in UTC; `NEVER` where padded.
        values: By value column, (n, length); NaN where null or padded.
        known: (n,) how many points are not padded.
    """

    unique_id: pl.Series
    at: pl.Series
    ds: Ints
    values: dict[str, Floats]
    known: Ints


class _Moments(NamedTuple):
    """Moments as arrays: `first` point of the series, the point `behind` the last one known, and `at`."""

    first: Ints
    behind: Ints
    at: Ints


def look_up(rows: pl.DataFrame, moments: pl.DataFrame, *, length: int, columns: Sequence[str] = ("y",)) -> Sequences:
    """Look the last `length` points up that were known at each moment.

    Args:
        rows: `unique_id, ds, available_at` and `columns`, in any order; several rows of one `ds` are its versions.
        moments: `unique_id, at`, in any order; may repeat. With a column `until`, only points with `ds ≤ until` count:
            the sequence of a window ends at its own last point, whatever else was known at the moment.
        length: L, how many points a sequence has.
        columns: The value columns: numbers or booleans.

    Returns:
        A sequence a moment, in the order of the moments. A series that is unknown, or not known yet, has no points.

    Raises:
        InputError: A column is missing, has another type, a key is null, or `length` is not positive.

    Example:
        >>> from datetime import UTC, datetime
        >>> day = [datetime(2024, 1, n, tzinfo=UTC) for n in range(5)[1:]]
        >>> rows = pl.DataFrame(
        ...     {"unique_id": ["a"] * 3, "ds": [day[0], day[1], day[0]], "y": [1.0, 2.0, 9.0], "available_at": day[:3]}
        ... )
        >>> moments = pl.DataFrame({"unique_id": ["a", "a"], "at": [day[1], day[2]]})
        >>> look_up(rows, moments, length=2).values["y"].tolist()
        [[1.0, 2.0], [9.0, 2.0]]
    """
    check_length(length)
    check_moments(moments)
    history = History.of(rows, columns)
    ds, known = np.empty((moments.height, length), np.int64), np.empty(moments.height, np.int64)
    values = {name: np.empty((moments.height, length)) for name in history.values}
    low = 0
    for block in blocks(history, moments, length=length, points=BLOCK_POINTS):
        span = slice(low, low + len(block.known))
        ds[span], known[span] = block.ds, block.known
        for name, column in block.values.items():
            values[name][span] = column
        low = span.stop
    return Sequences(moments["unique_id"], moments["at"], ds, values, known)


def blocks(history: History, moments: pl.DataFrame, *, length: int, points: int = BLOCK_POINTS) -> Iterator[Sequences]:
    """Look up as `look_up` does, a block of moments at a time, so that memory stays flat.

    Args:
        history: As `History.of(rows, columns)` gives it; serves any number of look-ups.
        moments: As in `look_up`.
        length: L, how many points a sequence has.
        points: How many points a block may hold; a block holds one sequence at least.

    Raises:
        InputError: As in `look_up`, before the first block.
    """
    check_length(length)
    check_moments(moments)
    step = max(points // length, 1)
    return (_look_up(history, moments[low : low + step], length) for low in range(0, moments.height, step))


def check_moments(moments: pl.DataFrame) -> None:
    """Check that `moments` holds `unique_id`, `at` and, where it is there, `until`, without a null.

    Raises:
        InputError: It does not.
    """
    check_keys(moments, "unique_id", "at", *[name for name in moments.columns if name == "until"])


def check_length(length: int) -> None:
    """Check the parameter `length`.

    Raises:
        InputError: It is not positive.
    """
    if length < 1:
        raise InputError(f"length must be at least 1 point, got {length}")


def _look_up(history: History, moments: pl.DataFrame, length: int) -> Sequences:
    at = moments["at"].to_physical().to_numpy()
    first, behind = history.places(moments["unique_id"])
    if "until" in moments.columns:
        behind = history.up_to(first, behind, moments["until"].to_physical().to_numpy())
    asked = _Moments(first, bisect(history.reach, first, behind, at), at)
    points, known = _choose(history, asked, length)
    ds, values = np.full(points.shape, NEVER), {name: np.full(points.shape, np.nan) for name in history.values}
    there = points != NOWHERE
    rows = history.newest(points[there], np.repeat(at, known))
    ds[there] = history.ds[rows]
    for name, column in history.values.items():
        values[name][there] = column[rows]
    return Sequences(moments["unique_id"], moments["at"], ds, values, known)


def _choose(history: History, moments: _Moments, length: int) -> tuple[Ints, Ints]:
    """Choose the last `length` points known at each moment, going back from the last one known.

    Points that were not known are passed over. What is still missing is looked for further back, in stretches that
    double, so that a long hole costs no more than a look at each of its points.

    Returns:
        The points (n, length), `NOWHERE` where padded, and how many there are (n,).
    """
    chosen = np.full((len(moments.at), length), NOWHERE)
    missing = np.full(len(moments.at), length)
    cursor, factor = moments.behind.copy(), 1
    lacking = np.flatnonzero(cursor > moments.first)
    while len(lacking):
        wanted = factor * -(-int(missing[lacking].sum()) // len(lacking))
        width = max(min(wanted, BLOCK_POINTS // len(lacking)), 1)
        points = cursor[lacking, None] + np.arange(-width, 0)
        seen = points >= moments.first[lacking, None]
        seen &= history.available_at[history.versions[np.maximum(points, 0)]] <= moments.at[lacking, None]
        found, counts = points[seen], seen.sum(axis=1)
        offset = missing[lacking] - counts - (np.cumsum(counts) - counts)
        slot = np.arange(len(found)) + np.repeat(offset, counts)  # below 0 where there are more than are missing
        needed = slot >= 0
        chosen.ravel()[(slot + np.repeat(lacking * length, counts))[needed]] = found[needed]
        missing[lacking] = np.maximum(missing[lacking] - counts, 0)
        cursor[lacking] -= width
        lacking = lacking[(missing[lacking] > 0) & (cursor[lacking] > moments.first[lacking])]
        factor *= 2
    return chosen, length - missing
