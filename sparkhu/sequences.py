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
from sparkhu.histories import FOREVER, History, bisect, check_keys
from sparkhu.steps.segmented import NEVER, NOWHERE, Bools, Floats, Ints
from sparkhu.steps.windows import window_view

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


class Found(NamedTuple):
    """Sequences as arrays; as in `Sequences`."""

    ds: Ints
    values: dict[str, Floats]
    known: Ints


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
    check_moments(moments)
    reader, step = Reader.of(history, length), max(points // length, 1)
    return (_look_up(reader, moments[low : low + step]) for low in range(0, moments.height, step))


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


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads sequences of one length out of a history.

    Most series come in order and are never revised: what was known of them is a stretch of rows, and is copied as such.

    Attributes:
        history: The history.
        length: L, how many points a sequence has.
        settled: As `History.settled` gives it.
    """

    history: History
    length: int
    settled: Ints

    @classmethod
    def of(cls, history: History, length: int) -> "Reader":
        """Get ready to read sequences of `length` points.

        Raises:
            InputError: `length` is not positive.
        """
        check_length(length)
        return cls(history, length, history.settled(length))

    def read(
        self, places: tuple[Ints, Ints], at: Ints, until: Ints | None = None, columns: Sequence[str] | None = None
    ) -> Found:
        """Read what was known at each moment.

        Args:
            places: The first point of each moment's series and the one behind its last, as `History.places` gives them.
            at: The moments, in microseconds.
            until: Per moment, the last `ds` that counts; null: any.
            columns: The value columns to read; null: all.
        """
        first, behind = self._known(places, at, until)
        names = list(self.history.values) if columns is None else columns
        whole = self._whole(first, behind, at)
        if whole.all():
            return self._stretches(behind, names)
        if not whole.any():
            return self._chosen(first, behind, at, names)
        rest = ~whole
        parts = (
            (whole, self._stretches(behind[whole], names)),
            (rest, self._chosen(first[rest], behind[rest], at[rest], names)),
        )
        return _joined(parts)

    def stretches(self, places: tuple[Ints, Ints], at: Ints, until: Ints | None = None) -> Ints:
        """Give the row of the history that each sequence begins at where it is `length` rows in a row; else -1.

        Args:
            places: As in `read`.
            at: As in `read`.
            until: As in `read`.
        """
        first, behind = self._known(places, at, until)
        whole, rows = self._whole(first, behind, at), np.full(len(at), -1)
        rows[whole] = self.history.versions[behind[whole] - self.length]
        return rows

    def _known(self, places: tuple[Ints, Ints], at: Ints, until: Ints | None) -> tuple[Ints, Ints]:
        """Give the first point of each series, and the one behind the last that counts at a moment."""
        first, behind = places
        if until is not None:
            behind = self.history.up_to(first, behind, until)
        return first, bisect(self.history.reach, first, behind, at)

    def _whole(self, first: Ints, behind: Ints, at: Ints) -> Bools:
        """Say at which moments the last L points are L rows of a series that were all known."""
        low = behind - self.length
        whole: Bools = (low >= first) & (low < len(self.settled))
        whole[whole] = self.settled[low[whole]] <= np.minimum(at[whole], FOREVER - 1)
        return whole

    def _stretches(self, behind: Ints, names: Sequence[str]) -> Found:
        rows = self.history.versions[behind - self.length]
        values = {name: window_view(self.history.values[name], self.length)[rows] for name in names}
        return Found(window_view(self.history.ds, self.length)[rows], values, np.full(len(rows), self.length))

    def _chosen(self, first: Ints, behind: Ints, at: Ints, names: Sequence[str]) -> Found:
        points, known = _choose(self.history, _Moments(first, behind, at), self.length)
        ds, values = np.full(points.shape, NEVER), {name: np.full(points.shape, np.nan) for name in names}
        there = points != NOWHERE
        rows = self.history.newest(points[there], np.repeat(at, known))
        ds[there] = self.history.ds[rows]
        for name, column in values.items():
            column[there] = self.history.values[name][rows]
        return Found(ds, values, known)


class _Moments(NamedTuple):
    """Moments as arrays: `first` point of the series, the point `behind` the last one known, and `at`."""

    first: Ints
    behind: Ints
    at: Ints


def _joined(parts: Sequence[tuple[Bools, Found]]) -> Found:
    """Put what was found at some of the moments and at the others in their order."""
    (_, one), _ = parts
    count, length = len(parts[0][0]), one.ds.shape[1]
    ds, known = np.empty((count, length), np.int64), np.empty(count, np.int64)
    values = {name: np.empty((count, length)) for name in one.values}
    for there, found in parts:
        ds[there], known[there] = found.ds, found.known
        for name, column in found.values.items():
            values[name][there] = column
    return Found(ds, values, known)


def _look_up(reader: Reader, moments: pl.DataFrame) -> Sequences:
    until = moments["until"].to_physical().to_numpy() if "until" in moments.columns else None
    found = reader.read(reader.history.places(moments["unique_id"]), moments["at"].to_physical().to_numpy(), until)
    return Sequences(moments["unique_id"], moments["at"], *found)


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
