"""What stands for the points of a bucket: aggregates over runs of rows, and the columns that they make."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from sparkhu.frame import SCHEMA, TIME, extra_columns
from sparkhu.steps.segmented import NEVER, NOWHERE, Bools, Floats, Ints, flag, floats, instants, times

How = Literal["mean", "sum", "min", "max", "last", "ohlcv", "vwap"]
COUNTS = ("count", "missing", "unmarked", "values")
PRICES = ("open", "high", "low", "close")
VOLUME = "volume"
COLUMNS: dict[str, pl.DataType] = {
    **SCHEMA,
    "y_raw": pl.Float64(),
    "is_gap": pl.Boolean(),
    "is_outlier": pl.Boolean(),
    "needs_fill": pl.Boolean(),
    "is_alert": pl.Boolean(),
    "fill_strategy": pl.String(),
    "observed_available_at": TIME,
    **dict.fromkeys(COUNTS, pl.Int64()),
}


def travelling(frame: pl.DataFrame) -> list[str]:
    """List the columns of the source in a frame, without those that resampling itself adds."""
    return [name for name in extra_columns(frame) if name not in COUNTS]


def complete(frame: pl.DataFrame) -> pl.DataFrame:
    """Give rows all of `COLUMNS`, then the columns of the source, numbers among them as float64.

    A row that no resampling has made counts as one point; `missing` where nothing was observed.
    """
    observed = pl.col("y_raw" if "y_raw" in frame.columns else "y")
    absent = {
        "y_raw": observed,
        "is_gap": observed.is_null(),
        **{name: pl.lit(value=False) for name in ("is_outlier", "needs_fill", "is_alert")},
        "fill_strategy": pl.lit(None, pl.String()),
        "observed_available_at": pl.when(observed.is_not_null()).then("available_at"),
    }
    made = {name: value for name, value in absent.items() if name not in frame.columns}
    if not all(name in frame.columns and frame.schema[name].is_integer() for name in COUNTS):
        made |= {"count": pl.lit(1), "missing": observed.is_null(), "unmarked": pl.lit(0)}
        made["values"] = pl.col("y").is_not_null()
    extras = [
        pl.col(name).cast(pl.Float64) if frame.schema[name].is_numeric() else pl.col(name) for name in travelling(frame)
    ]
    full = frame.with_columns(**made)
    return full.select(*(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()), *extras)


def with_prices(frame: pl.DataFrame) -> pl.DataFrame:
    """Add open, high, low and close where the source has none; a row without one stands with its `y`."""
    given = [name for name in PRICES if name in frame.columns and frame.schema[name].is_numeric()]
    return frame.with_columns(pl.coalesce(*([name] if name in given else []), "y").alias(name) for name in PRICES)


@dataclass(frozen=True)
class Runs:
    """Runs of rows, each to be one of `size` buckets; buckets without a run are empty.

    Attributes:
        first: The row that each run begins with.
        bucket: The bucket of each run, ascending.
        rows: How many rows there are.
        size: How many buckets there are.
    """

    first: Ints
    bucket: Ints
    rows: int
    size: int

    @classmethod
    def of(cls, bucket: Ints, size: int) -> "Runs":
        """Find the runs of rows that lie in the same bucket."""
        first = np.flatnonzero(np.diff(bucket, prepend=NOWHERE))
        return cls(first, bucket[first], len(bucket), size)

    def sums(self, values: Floats) -> Floats:
        """Add up; 0 in an empty bucket."""
        return self._spread(np.add.reduceat(values, self.first) if self.rows else values, 0.0)

    def counts(self, values: Ints | Bools) -> Ints:
        """Add up whole numbers, or count what is true."""
        numbers = values.astype(np.int64)
        return self._spread(np.add.reduceat(numbers, self.first) if self.rows else numbers, 0)

    def latest(self, values: Ints, empty: int = int(NEVER)) -> Ints:
        """Find the largest whole number."""
        return self._spread(np.maximum.reduceat(values, self.first) if self.rows else values, empty)

    def last(self, which: Bools) -> Ints:
        """Find the last of the chosen rows, `NOWHERE` where there is none."""
        return self.latest(np.where(which, np.arange(self.rows), NOWHERE), NOWHERE)

    def opening(self, which: Bools) -> Ints:
        """Find the first of the chosen rows, `NOWHERE` where there is none."""
        rows = -self.latest(np.where(which, -np.arange(self.rows), -self.rows), -self.rows)
        return np.where(rows == self.rows, NOWHERE, rows)

    def combine(self, how: str, values: Floats, weights: Floats) -> Floats:
        """Aggregate values; NaN ones have no part, and a bucket without a value is NaN.

        Args:
            how: `mean`, weighted; `sum`, `min`, `max`, `first`, `last`.
            values: One a row.
            weights: One a row, for the mean. Where those of a bucket's values add up to 0 the last value stands.
        """
        known = ~np.isnan(values)
        end = self.last(known)
        if how == "mean":
            weight = self.sums(np.where(known, weights, 0.0))
            total = self.sums(np.where(known, values * weights, 0.0))
            return np.divide(total, weight, out=take(values, end), where=weight > 0)
        if how == "sum":
            return np.where(end == NOWHERE, np.nan, self.sums(np.where(known, values, 0.0)))
        if how in {"min", "max"}:
            sign = 1.0 if how == "max" else -1.0
            filled = np.where(known, sign * values, -np.inf)
            most = np.maximum.reduceat(filled, self.first) if self.rows else filled
            return np.where(end == NOWHERE, np.nan, sign * self._spread(most, np.nan))
        return take(values, self.opening(known) if how == "first" else end)

    def _spread(self, values: np.ndarray, empty: float) -> np.ndarray:
        spread = np.full(self.size, empty, dtype=values.dtype)
        spread[self.bucket] = values
        return spread


def take(values: Floats, rows: Ints) -> Floats:
    """Look values up by row, NaN for `NOWHERE`."""
    padded = np.append(values, np.nan)
    return padded[np.where(rows == NOWHERE, len(values), rows)]


def pick(column: pl.Series, rows: Ints) -> pl.Series:
    """Look a column up by row, null for `NOWHERE`."""
    padded = pl.concat([column, column.clear(1)])
    return padded.gather(np.where(rows == NOWHERE, len(column), rows))


def aggregated(frame: pl.DataFrame, runs: Runs, ends: Ints, how: How) -> pl.DataFrame:
    """Make the rows of the buckets, all columns but `unique_id`, `ds` and `unmarked`.

    Args:
        frame: Rows as `complete` gives them (and `with_prices` for `ohlcv`).
        runs: Their runs.
        ends: The instant at which each bucket ends, microseconds.
        how: What stands for the points of a bucket.
    """
    raw, y, rule = floats(frame["y_raw"]), floats(frame["y"]), {"ohlcv": "last", "vwap": "mean"}.get(how, how)
    seen, filled = ~np.isnan(raw), frame["fill_strategy"].is_not_null().to_numpy()
    values, observed = frame["values"].to_numpy(), (frame["count"] - frame["missing"]).to_numpy()
    volume = np.nan_to_num(floats(frame[VOLUME])) if how == "vwap" else np.ones(frame.height)
    weights = volume if how == "vwap" else values.astype(np.float64)
    raw_weights = volume if how == "vwap" else observed.astype(np.float64)
    known_from = np.maximum(ends, runs.latest(instants(frame["available_at"])))
    came = np.where(seen, instants(frame["observed_available_at"]), NEVER)
    y_raw = runs.combine(rule, raw, raw_weights)
    if rule == "sum":
        y_raw[runs.counts(frame["missing"].to_numpy()) > 0] = np.nan
    columns = {
        "y": runs.combine(rule, y, weights),
        "y_raw": y_raw,
        "available_at": times(known_from),
        "is_gap": runs.counts(observed) == 0,
        "is_outlier": runs.counts(flag(frame, "is_outlier")) > 0,
        "needs_fill": _all(runs, flag(frame, "needs_fill"), observed > 0),
        "is_alert": runs.counts(flag(frame, "is_alert")) > 0,
        "fill_strategy": _strategy(frame["fill_strategy"], runs, filled, ~np.isnan(y)),
        "observed_available_at": times(np.where(np.isnan(y_raw), NEVER, np.maximum(ends, runs.latest(came)))),
        **{name: runs.counts(frame[name].to_numpy()) for name in ("count", "missing", "values")},
    }
    made = pl.DataFrame(columns, schema={name: COLUMNS[name] for name in columns})
    made = made.with_columns(pl.col("y", "y_raw").fill_nan(None))
    return made.hstack([_extra(frame, name, runs, rule) for name in travelling(frame)])


def _all(runs: Runs, marked: Bools, observed: Bools) -> Bools:
    """Mark the buckets in which something was observed and all of it is marked."""
    found = runs.counts(observed)
    result: Bools = (found > 0) & (runs.counts(marked & observed) == found)
    return result


def _strategy(strategy: pl.Series, runs: Runs, filled: Bools, known: Bools) -> pl.Series:
    """Name how the values of a bucket were filled, where all of them were: as the last of them."""
    counted = runs.counts(known)
    whole = (counted > 0) & (runs.counts(filled & known) == counted)
    return pick(strategy, np.where(whole, runs.last(filled & known), NOWHERE))


def _extra(frame: pl.DataFrame, name: str, runs: Runs, rule: str) -> pl.Series:
    """Aggregate a column of the source: prices and volume by what they mean, other numbers as `y`, words: the last."""
    column = frame[name]
    if not column.dtype.is_numeric():
        return pick(column, runs.last(column.is_not_null().to_numpy()))
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", VOLUME: "sum"}
    values = floats(column)
    if name == VOLUME:
        return pl.Series(name, runs.sums(np.nan_to_num(values)))
    return pl.Series(name, runs.combine(rules.get(name, rule), values, np.ones(len(values)))).fill_nan(None)
