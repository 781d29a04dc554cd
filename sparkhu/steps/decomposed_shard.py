"""A shard decomposed: the parts beside its rows, what is told about its series, and the ledger."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from sparkhu.ledger import entries
from sparkhu.steps.decomposed_series import Decomposed, Way, decomposed
from sparkhu.steps.dynamics import strength, variance
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, Floats, Ints, times

PARTS = ("trend", "seasonal", "resid")
STRENGTHS = ("trend_strength", "seasonal_strength")
SEASONS_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "method": pl.String(),
    "seasons": pl.List(pl.Int64()),
    "trend_strength": pl.Float64(),
    "seasonal_strength": pl.Float64(),
}


@dataclass(frozen=True)
class DecomposedShard:
    """The series of a shard as arrays, and the parts that are found for them.

    Attributes:
        points: The rows.
        found: Values of `trend`, `seasonal` and `resid`, NaN where there is none.
        known_from: When the parts of a row could have been known, microseconds; `NEVER` where it has none.
        strengths: Strength of trend (first row) and season of each series; NaN where unknown.
        ways: How each series was decomposed, by its number.
    """

    points: Points
    found: dict[str, Floats]
    known_from: Ints
    strengths: Floats
    ways: list[Way]

    @classmethod
    def of(cls, frame: pl.DataFrame, train_end: pl.Series) -> "DecomposedShard":
        """Read a sorted observation frame, with the end of each series' training part."""
        points = Points.of(frame, train_end)
        found = {name: np.full(len(points.y), np.nan) for name in PARTS}
        strengths = np.full((2, len(points.owner.ids)), np.nan)
        ways = [Way("none")] * len(points.owner.ids)
        return cls(points, found, np.full(len(points.y), NEVER), strengths, ways)

    def training(self, number: int) -> Floats:
        """Give the values of a series' training part, NaN where missing."""
        return self.points.y[self._training(number)]

    def decompose(self, number: int, way: Way, *, robust: bool, fast: bool) -> None:
        """Find the parts of a series: of the training part from itself, behind it from all rows."""
        self.ways[number] = way
        rows, training = self._rows(number), self._training(number)
        fitted = decomposed(self.points.y[training], way, robust=robust, fast=fast)
        self._put(training, fitted, training)
        if training.stop < rows.stop:
            whole = decomposed(self.points.y[rows], way, robust=robust, fast=fast)
            self._put(rows, whole, slice(training.stop, rows.stop))
        inside = ~np.isnan(fitted.resid)
        if way.method == "none" or not inside.any():
            return
        varies, resid = variance(self.points.y[training][inside]), fitted.resid[inside]
        for row, part in enumerate((fitted.trend[inside], fitted.seasonal[inside])):
            if not np.isnan(part).any() and varies > 0:
                self.strengths[row, number] = strength(part, resid, varies)

    def parts(self) -> pl.DataFrame:
        """Give the parts as columns beside the rows."""
        columns = [pl.Series(name, values).fill_nan(None) for name, values in self.found.items()]
        return pl.DataFrame([*columns, times(self.known_from, "parts_available_at")])

    def seasons(self) -> pl.DataFrame:
        """Give one row a series: how it was decomposed, and how strong its parts are."""
        columns = {
            "unique_id": self.points.owner.ids,
            "method": [way.method for way in self.ways],
            "seasons": [list(way.seasons) for way in self.ways],
            "trend_strength": self.strengths[0],
            "seasonal_strength": self.strengths[1],
        }
        return pl.DataFrame(columns, schema=SEASONS_SCHEMA).with_columns(pl.col(STRENGTHS).fill_nan(None))

    def ledger(self) -> pl.DataFrame:
        """Give the entries of the step."""
        reasons = pl.Series([way.reason for way in self.ways], dtype=pl.String)
        status = pl.select(pl.when(reasons.is_null()).then(pl.lit("ok")).otherwise(pl.lit("skipped"))).to_series()
        out = np.isnan(self.found["trend"])
        counts = {"interpolated": ~out & np.isnan(self.points.y), "left_out": out}
        sums = {name: pl.Series(self.points.owner.sum_ints(rows)) for name, rows in counts.items()}
        return entries(self.points.owner.ids, status=status, reason=reasons, counts=sums)

    def _rows(self, number: int) -> slice:
        start = int(self.points.owner.starts[number])
        return slice(start, start + int(self.points.owner.lengths[number]))

    def _training(self, number: int) -> slice:
        rows = self._rows(number)
        return slice(rows.start, rows.start + int(self.points.fit[rows].sum()))

    def _put(self, rows: slice, parts: Decomposed, into: slice) -> None:
        """Put the parts of `rows` into those of them that `into` names."""
        offset = slice(into.start - rows.start, into.stop - rows.start)
        trend = parts.trend[offset]
        for name, values in zip(PARTS, (trend, parts.seasonal[offset], parts.resid[offset]), strict=True):
            self.found[name][into] = values
        latest = np.where(np.isnan(self.points.y[rows]), NEVER, self.points.available_at[rows]).max(initial=NEVER)
        self.known_from[into] = np.where(np.isnan(trend), NEVER, latest)
