"""What stands for the points of a bucket: aggregates over runs of rows, and the columns that they make."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME, extra_columns
from sparkhu.steps.segmented import NEVER, NOWHERE, Bools, Floats, Ints, flag, floats, instants, times

How = Literal["mean", "sum", "min", "max", "last", "ohlcv", "vwap"]
COUNTS = ("count", "missing", "unmarked", "values")
VOLUMES = ("volume_of_y", "volume_of_y_raw")
"""What `vwap` carries along: the volume behind the known values, without which a mean of its means is not exact."""
VALUES_OF = "values_of_"
"""Begins the columns that means carry along: how many values another column of numbers is made of."""
PRICES = ("open", "high", "low", "close")
VOLUME = "volume"
MEANT = {"open": "first", "high": "max", "low": "min", "close": "last", VOLUME: "sum"}
"""Columns of the source that keep their meaning whatever `how` is."""
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
    own = (*COUNTS, *VOLUMES)
    return [name for name in extra_columns(frame) if name not in own and not name.startswith(VALUES_OF)]


def is_resampled(frame: pl.DataFrame) -> bool:
    """Whether resampling has made the rows of a frame, so that its counts stand beside them.

    Raises:
        InputError: A column of the source has a name that resampling gives to one of its own.
    """
    names = set(frame.columns)
    if set(COLUMNS) <= names and all(frame.schema[name].is_integer() for name in COUNTS):
        return True
    taken = [name for name in frame.columns if name in (*COUNTS, *VOLUMES) or name.startswith(VALUES_OF)]
    if taken:
        raise InputError(
            f"column '{taken[0]}' has a name that resampling gives to a column of its own. Rename it, for example to "
            f"'source_{taken[0]}', or leave it out."
        )
    return False


def complete(frame: pl.DataFrame, how: How) -> pl.DataFrame:
    """Give rows all of `COLUMNS`, then what `how` carries along, then the columns of the source, numbers as float64.

    A row that no resampling has made counts as one point; `missing` where nothing was observed.

    Raises:
        InputError: A column of the source has a name that resampling gives to one of its own.
    """
    made, observed = not is_resampled(frame), pl.col("y_raw" if "y_raw" in frame.columns else "y")
    absent = {
        "y_raw": observed,
        "is_gap": observed.is_null(),
        **{name: pl.lit(value=False) for name in ("is_outlier", "needs_fill", "is_alert")},
        "fill_strategy": pl.lit(None, pl.String()),
        "observed_available_at": pl.when(observed.is_not_null()).then("available_at"),
        "count": pl.lit(1),
        "missing": observed.is_null(),
        "unmarked": pl.lit(0),
        "values": pl.col("y").is_not_null(),
    }
    full = frame.with_columns(**{name: value for name, value in absent.items() if name not in frame.columns})
    own = [pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()]
    carried = {
        name: value if made or name not in frame.columns else pl.col(name).fill_null(0)
        for name, value in _carried(frame, how).items()
    }
    extras = [_number(name) if frame.schema[name].is_numeric() else pl.col(name) for name in travelling(frame)]
    rows = full.select(*own, *extras, **carried).select(*COLUMNS, *carried, *travelling(frame))
    return _with_prices(rows) if how == "ohlcv" else rows


def _number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64).fill_nan(None)


def _carried(frame: pl.DataFrame, how: How) -> dict[str, pl.Expr]:
    """Say what stands beside rows that no resampling has made, so that means of means are exact."""
    if how not in {"mean", "vwap"}:
        return {}
    numbers = [name for name in travelling(frame) if frame.schema[name].is_numeric() and name not in MEANT]
    made = {f"{VALUES_OF}{name}": _number(name).is_not_null().cast(pl.Int64) for name in numbers}
    if how == "vwap":
        moved = _number(VOLUME).fill_null(0.0)
        known = (pl.col("y"), pl.col("y_raw" if "y_raw" in frame.columns else "y"))
        made |= {
            name: pl.when(value.is_not_null()).then(moved).otherwise(0.0)
            for name, value in zip(VOLUMES, known, strict=True)
        }
    return made


def _with_prices(frame: pl.DataFrame) -> pl.DataFrame:
    """Add open, high, low and close where the source has none: a row without one stands with its `y`, a fill with none.

    No trade was done at a filled value, so none is the highest or lowest price of a bar.
    """
    given = [name for name in PRICES if name in frame.columns and frame.schema[name].is_numeric()]
    traded = pl.when(pl.col("fill_strategy").is_null()).then("y")
    return frame.with_columns(pl.coalesce(*([name] if name in given else []), traded).alias(name) for name in PRICES)


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
        frame: Rows as `complete` gives them.
        runs: Their runs.
        ends: The instant at which each bucket ends, microseconds.
        how: What stands for the points of a bucket.
    """
    raw, y, rule = floats(frame["y_raw"]), floats(frame["y"]), {"ohlcv": "last", "vwap": "mean"}.get(how, how)
    seen, filled = ~np.isnan(raw), frame["fill_strategy"].is_not_null().to_numpy()
    values, observed = frame["values"].to_numpy(), (frame["count"] - frame["missing"]).to_numpy()
    by_volume = [floats(frame[name]) for name in VOLUMES] if how == "vwap" else []
    weights, raw_weights = by_volume or (values.astype(np.float64), observed.astype(np.float64))
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
    made = made.hstack([_extra(frame, name, runs, rule) for name in travelling(frame)])
    return made.hstack([_added(frame[name], runs) for name in frame.columns if name not in {*COLUMNS, *made.columns}])


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
    values, weights = floats(column), f"{VALUES_OF}{name}"
    if name == VOLUME:
        return pl.Series(name, runs.sums(np.nan_to_num(values)))
    weight = floats(frame[weights]) if weights in frame.columns else np.ones(len(values))
    return pl.Series(name, runs.combine(MEANT.get(name, rule), values, weight)).fill_nan(None)


def _added(column: pl.Series, runs: Runs) -> pl.Series:
    """Add up what is carried along."""
    whole = column.dtype.is_integer()
    return pl.Series(column.name, runs.counts(column.to_numpy()) if whole else runs.sums(floats(column)))
