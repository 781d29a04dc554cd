"""The rows of sequences as arrays, with what decides whether a window may hold them."""

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import SCHEMA, check_frame, segments
from sparkhu.steps.own_periods import PERIOD, by_period, with_periods
from sparkhu.versions import first_known, first_seen

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
LATEST = np.iinfo(np.int64).max
EARLIEST = np.iinfo(np.int64).min


class SequenceRows:
    """The rows of a shard as arrays, with what decides whether a window may hold them.

    Attributes:
        table: One row a series: `unique_id, start, length, input_size, horizon` and its period.
        broken: Per reason but the last, the rows that no window may hold.
        joint: Rows that do not follow the row before by one period; no window may hold them but as its first.
        known: When some version of the value was known, in microseconds.
        seen: When something was first observed there, in any version, withdrawn ones among them; `LATEST` where
            nothing was.
        settled: When both the value and what was observed were known: the later of the two.
    """

    def __init__(
        self, sequences: pl.DataFrame, profile: pl.DataFrame, zone: str = "UTC", versions: pl.DataFrame | None = None
    ):
        check_frame(sequences, "unique_id", "ds", "y", "available_at")
        starts, lengths = segments(sequences)
        series = sequences["unique_id"].gather(starts).to_frame()
        plan = with_periods(profile, zone).select("unique_id", "input_size", "horizon", *PERIOD)
        self.table = series.with_columns(
            start=pl.Series(starts, dtype=pl.Int64), length=pl.Series(lengths, dtype=pl.Int64)
        ).join(plan, on="unique_id", how="left", maintain_order="left")
        self.ds = sequences["ds"].to_physical().to_numpy()
        versions = pl.DataFrame(schema=SCHEMA) if versions is None else versions
        self.known = first_known(sequences, versions).to_physical().to_numpy()
        both = [name for name in ("available_at", "observed_available_at") if name in sequences.columns]
        self.settled = sequences.select(pl.max_horizontal(both)).to_series().to_physical().to_numpy()
        self.missing = sequences["y"].is_null().to_numpy()
        gap = flagged(sequences, "is_gap", pl.col("is_gap").fill_null(False))
        strategies = ("fill_strategy", "anomaly_strategy")
        named = [flagged(sequences, name, (pl.col(name) == "drop").fill_null(False)) for name in strategies]
        dropped = (named[0] | named[1]) & self.missing
        self.broken = (self.missing & ~gap & ~dropped, self.missing & gap & ~dropped, dropped)
        filled = flagged(sequences, "fill_strategy", pl.col("fill_strategy").is_not_null())
        changed = flagged(sequences, "y_raw", pl.col("y").ne_missing(pl.col("y_raw")))
        self.made = (filled | changed) & ~self.missing
        self.seen = _seen(sequences, versions, self.made)
        self.joint = _joints(sequences["ds"], self.table)
        self.series = sequences["unique_id"]

    def sizes(self) -> list[tuple[tuple[int, int], pl.DataFrame]]:
        """List each (L, H) in use with the series long enough for it."""
        enough = self.table.filter(pl.col("length") >= pl.col("input_size") + pl.col("horizon"))
        parts = enough.partition_by("input_size", "horizon", as_dict=True, maintain_order=True)
        return [((int(size), int(horizon)), part) for (size, horizon), part in parts.items()]

    def unbroken_from(self) -> Integers:
        """Give, per row, the first row from which on all have a value and follow each other, up to this one."""
        row = np.arange(len(self.missing))
        restart = np.where(self.missing, row + 1, np.where(self.joint, row, 0))
        first = self.table["start"].to_numpy()
        restart[first] = np.maximum(restart[first], first)
        return np.maximum.accumulate(restart)

    def known_after(self) -> Integers:
        """Give, per row, when the first of the observed rows after it in its series became known."""
        after = pl.col("seen").cum_min(reverse=True).shift(-1, fill_value=LATEST).over("series")
        frame = pl.DataFrame({"series": self.series, "seen": self.seen})
        return frame.select(after).to_series().to_numpy()


def flagged(frame: pl.DataFrame, column: str, condition: pl.Expr) -> Booleans:
    """Say which rows fulfil a condition on a column; none where the frame does not have it."""
    if column not in frame.columns:
        return np.zeros(frame.height, bool)
    return frame.select(condition).to_series().to_numpy().astype(bool)


def _seen(sequences: pl.DataFrame, versions: pl.DataFrame, made: Booleans) -> Integers:
    """Say when something was first observed at each row; `LATEST` where nothing was."""
    if "y_raw" not in sequences.columns:
        sequences = sequences.with_columns(y_raw=pl.when(pl.Series(~made)).then("y"))
    own = [name for name in ("observed_available_at", "available_at") if name in sequences.columns]
    rows = sequences.select("unique_id", "ds", "y_raw", came=pl.coalesce(own))
    seen = first_seen(rows, versions, value="y_raw", known="came")
    return seen.to_physical().fill_null(LATEST).to_numpy()


def _joints(ds: pl.Series, table: pl.DataFrame) -> Booleans:
    """Mark rows that stand 1.7 periods or more after the row before: what gap marking calls a gap."""
    joint = np.zeros(len(ds), bool)
    times = ds.to_physical().to_numpy()
    for period, part in by_period(table):
        rows = _rows_of(part["start"].to_numpy(), part["length"].to_numpy(), skip=1)
        steps, behind = period.fit_us(times[rows - 1], times[rows])
        joint[rows] = (steps > 2) | ((steps == 2) & (behind >= -0.3 * period.nominal_us))
    return joint


def _rows_of(starts: Integers, lengths: Integers, *, skip: int = 0) -> Integers:
    counts = np.maximum(lengths - skip, 0)
    first = np.repeat(starts + skip - np.cumsum(counts) + counts, counts)
    return first + np.arange(counts.sum())
