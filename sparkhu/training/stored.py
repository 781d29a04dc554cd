"""Windows read from a stored table by point-in-time look-ups: what was known of each, when it was known.

Two tables, kept apart. `inputs` is what forecasters are given, with the versions that a value had before; `truths`
is what they are judged by: the values given beside those observed, known once both are. The X of a window is looked up
at the moment when its index says that it was known, the Y likewise. A window that the table does not hold whole is an
error and never a shorter window.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.arrivals import newest
from sparkhu.errors import SparkhuError
from sparkhu.frame import TIME, check_frame
from sparkhu.histories import History
from sparkhu.sequences import Found, Reader
from sparkhu.steps.scaling import ScalerColumns, to_scaled
from sparkhu.steps.segmented import floats
from sparkhu.training.parts import Floats, Integers
from sparkhu.training.windows import Laid, ShardWindows, Target, plan_series, shard_windows
from sparkhu.versions import older_versions

INPUTS, TRUTHS = "inputs", "truths"
SCHEMAS: Mapping[str, dict[str, pl.DataType]] = {
    INPUTS: {"unique_id": pl.String(), "ds": TIME, "y": pl.Float64(), "available_at": TIME},
    TRUTHS: {
        "unique_id": pl.String(),
        "ds": TIME,
        "y": pl.Float64(),
        "y_raw": pl.Float64(),
        "fill_strategy": pl.String(),
        "available_at": TIME,
    },
}
"""The columns of the tables."""


class Span(NamedTuple):
    """The columns of the index that say where X or Y begins and ends, and from when it was known."""

    first: str
    last: str
    known: str


X, Y = (
    Span("inputs_from", "cutoff", "inputs_available_at"),
    Span("targets_from", "targets_until", "targets_available_at"),
)


def stored_rows(sequences: pl.DataFrame, versions: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Give the rows of both tables, in the columns of `SCHEMAS`.

    Args:
        sequences: Rows as `join_series` gives them, under the layer of what forecasters are given.
        versions: The versions of revised points, as `sparkhu.versions.versions_of` gives them. Those of a value that
            stands as it was observed go into `inputs`, uncleaned, each from its own arrival on; `truths` are final.
    """
    check_frame(sequences, *SCHEMAS[TRUTHS], "observed_available_at")
    both = sequences.with_columns(available_at=pl.max_horizontal("available_at", "observed_available_at"))
    given = sequences.select(list(SCHEMAS[INPUTS]))
    return {INPUTS: pl.concat([given, older_versions(given, versions)]), TRUTHS: both.select(list(SCHEMAS[TRUTHS]))}


class TableSource:
    """Windows looked up in the rows of a stored table.

    Args:
        tables: The rows of `INPUTS` and `TRUTHS` in the columns of `SCHEMAS`, in any order, versions of a point among
            them; at least those of the series.
        series: The series of the shard's table; each has a scaler.
        scalers: As `fit_scalers` gives them.
        place: Where the tables lie, for messages.
    """

    def __init__(self, tables: Mapping[str, pl.DataFrame], series: pl.Series, scalers: pl.DataFrame, place: str):
        ids = series.alias("unique_id").to_frame()
        given, truths = (tables[name].join(ids, on="unique_id", how="semi", maintain_order="left") for name in SCHEMAS)
        per_row = ScalerColumns.of(truths["unique_id"], scalers)
        observed = floats(truths["y_raw"])
        targets = truths.with_columns(
            given=to_scaled(floats(truths["y"]), per_row), truth=to_scaled(observed, per_row), observed=observed
        )
        scaled = to_scaled(floats(given["y"]), ScalerColumns.of(given["unique_id"], scalers))
        own = given.with_columns(own=floats(given["y"]), given=scaled)
        self._inputs = _View(INPUTS, own, ("given", "own"), series, place)
        self._targets = _View(TRUTHS, targets, ("given", "truth", "observed"), series, place)
        self._truths = truths

    def inputs(self, windows: pl.DataFrame, size: int) -> Floats:
        """Look the X of windows up, (windows, L) in scaled units.

        Raises:
            SparkhuError: The table does not hold one of them.
        """
        return self._inputs.read(windows, size, X, "given")

    def histories(self, windows: pl.DataFrame, points: int) -> Floats:
        """Look the last points up that were known with the X of windows, (windows, points) in scaled units.

        NaN in front where fewer were known.
        """
        return self._inputs.found(windows, points, X, "given").values["given"]

    def own_histories(self, windows: pl.DataFrame, points: int) -> Floats:
        """Look up what `histories` looks up in the series' own units."""
        return self._inputs.found(windows, points, X, "own").values["own"]

    def targets(self, windows: pl.DataFrame, size: int, what: Target) -> Floats:
        """Look the Y of windows up, (windows, H).

        Raises:
            SparkhuError: The table does not hold one of them.
        """
        return self._targets.read(windows, size, Y, what)

    def laid(self, windows: pl.DataFrame, sizes: tuple[int, int], what: Target) -> Laid:
        """Find X and Y of windows of the sizes L and H among the values; what was revised has to be looked up."""
        L, H = sizes
        x, y = self._inputs.begins(windows, L, X), self._targets.begins(windows, H, Y)
        there = (x >= 0) & (y >= 0)
        return Laid(there, self._inputs.values("given"), x[there], self._targets.values(what), y[there])

    def rows(self) -> pl.DataFrame:
        """Give the newest version of each point of `TRUTHS`."""
        return newest(self._truths)


class _View:
    """One table as a history that windows are looked up in."""

    def __init__(self, name: str, rows: pl.DataFrame, columns: tuple[str, ...], series: pl.Series, place: str):
        self._name, self._series, self._place = name, series, place
        self._history = History.of(rows, columns)
        self._first, self._behind = self._history.places(series)
        self._readers: dict[int, Reader] = {}

        self._holes = np.append(0, np.cumsum(np.isnan(self._history.values["given"])))

    def values(self, column: str) -> Floats:
        return self._history.values[column]

    def found(self, windows: pl.DataFrame, size: int, span: Span, column: str) -> Found:
        places, known, last = self._asked(windows, span)
        return self._reader(size).read(places, known, last, (column,))

    def begins(self, windows: pl.DataFrame, size: int, span: Span) -> Integers:
        """Give the row that each window begins at; -1 where it has to be looked up, or is not there whole."""
        places, known, last = self._asked(windows, span)
        rows = self._reader(size).stretches(places, known, last)
        at, ds = np.flatnonzero(rows >= 0), self._history.ds
        low = rows[at]
        behind = low + size
        whole = ds[low] == windows[span.first].to_physical().to_numpy()[at]
        whole &= (ds[behind - 1] == last[at]) & (self._holes[behind] == self._holes[low])
        rows[at[~whole]] = -1
        return rows

    def _reader(self, size: int) -> Reader:
        if size not in self._readers:
            self._readers[size] = Reader.of(self._history, size)
        return self._readers[size]

    def _asked(self, windows: pl.DataFrame, span: Span) -> tuple[tuple[Integers, Integers], Integers, Integers]:
        """Give the places of the windows' series, when the windows were known, and their last points."""
        codes = windows["code"].to_numpy()
        last, known = (windows[name].to_physical().to_numpy() for name in (span.last, span.known))
        return (self._first[codes], self._behind[codes]), known, last

    def read(self, windows: pl.DataFrame, size: int, span: Span, column: str) -> Floats:
        found = self.found(windows, size, span, column)
        first, last = (windows[name].to_physical().to_numpy() for name in (span.first, span.last))
        lacking = (found.known < size) | (found.ds[:, 0] != first) | (found.ds[:, -1] != last)
        if column == "given":
            lacking |= np.isnan(found.values[column]).any(axis=1)
        if lacking.any():
            raise self._lacks(windows, size, span, found, int(lacking.argmax()))
        return found.values[column]

    def _lacks(self, windows: pl.DataFrame, size: int, span: Span, found: Found, at: int) -> SparkhuError:
        row = windows.row(at, named=True)
        there = found.ds[at] >= windows[span.first].to_physical()[at]
        if self._name == INPUTS or "given" in found.values:
            there &= ~np.isnan(found.values["given"][at])
        return SparkhuError(
            f"the table '{self._name}' of {self._place} holds {there.sum()} of the {size} points of series "
            f"'{self._series[row['code']]}' from {row[span.first]} to {row[span.last]} that were known at "
            f"{row[span.known]}. It was stored from other rows than the windows were indexed on: store it again."
        )


def assemble_stored(
    tables: Mapping[str, pl.DataFrame],
    windows: pl.DataFrame,
    scalers: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    place: str,
) -> ShardWindows:
    """Put windows, scalers and the stored rows that windows are looked up in together.

    Args:
        tables: As `TableSource` takes them.
        windows: As `index_windows` gives them.
        scalers: As `fit_scalers` gives them.
        profile: With `group, input_size, horizon, season_length, train_end, valid_end, test_end`; sorted by series.
        place: Where the tables lie, for messages.
    """
    series = plan_series(profile, scalers)
    return shard_windows(series, windows, scalers, TableSource(tables, series["unique_id"], scalers, place))
