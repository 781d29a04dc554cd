"""What was observed behind the cutoffs of a lake's forecasts: its table `targets`.

The table has two times, as the observations have: a truth that was revised has several rows of one cutoff, and of those
known by a moment the newest counts. Rows are only ever added, whenever the last interval that a truth lies in, or that
its forecast was made in, is published: so it does not matter which of them comes first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from sparkhu.backfilling import CLEAN
from sparkhu.lake import Table, Version
from sparkhu.lake.storage import each
from sparkhu.snapshots import TARGETS_SCHEMA, take_targets
from sparkhu.stages.lake_sorting import SlicedTable, TableSpan
from sparkhu.stages.result_parts import ResultParts
from sparkhu.steps.ingestion import by_shard

STEP = "publish_interval"
FORECASTS, TARGETS = "forecasts", "targets"
KEY = ["unique_id", "cutoff"]
FORECAST_COLUMNS = [*KEY, "ds"]
CLEAN_COLUMNS = ["unique_id", "ds", "y_raw", "available_at"]


@dataclass(frozen=True, eq=False)
class NewTargets:
    """The targets that an interval completes, in each version of the lake that it might be published to.

    Attributes:
        clean: The clean rows of the interval, which are gone over a part at a time.
        forecasts: The forecasts that were made in it: their series, cutoffs and instants.
        limits: Its start and its end, which does not belong to it.
        folder: Where clean rows of other intervals lie, cut as those of this one, where they are many.
    """

    clean: ResultParts
    forecasts: pl.DataFrame
    limits: tuple[datetime, datetime]
    folder: Path

    def rows(self, version: Version) -> pl.DataFrame:
        """Give the targets that the interval completes and that are new to the version, or newer than what it has.

        They are those of forecasts that were made in the interval or reach into it, as far as the intervals that they
        reach are published.
        """
        cutoffs = self._cutoffs(version)
        if cutoffs.is_empty():
            return pl.DataFrame(schema=TARGETS_SCHEMA)
        first = cutoffs.select(pl.col("cutoff").min()).item()
        end = cutoffs.select((pl.col("last") + (pl.col("last") - pl.col("cutoff")) / pl.col("horizon")).max()).item()
        parts = zip(self._around(version, first, end), by_shard(cutoffs, self.clean.borders), strict=True)
        taken = pl.concat([take_targets(rows, part) for rows, part in parts])
        found = taken.join(cutoffs, on=KEY, maintain_order="left")
        # Where a period is not published, or rows do not follow in steps, the last of so many rows lies elsewhere.
        off = (pl.col("ds") - pl.col("last")).abs() * pl.col("horizon")
        whole = found.filter(off * 2 < pl.col("last") - pl.col("cutoff")).select(*TARGETS_SCHEMA)
        return _newer(whole, version, first, end)

    def _cutoffs(self, version: Version) -> pl.DataFrame:
        """Find the forecasts: their cutoff, number of steps and last instant."""
        own = self.forecasts.select(FORECAST_COLUMNS)
        made = pl.concat([own, *self._made_before(version)])
        steps = made.unique().group_by(KEY).agg(horizon=pl.len(), last=pl.col("ds").max()).sort(KEY)
        return steps.filter(pl.col("last") >= self.limits[0])

    def _made_before(self, version: Version) -> Iterator[pl.DataFrame]:
        """Read the other forecasts, out of the files that reach into the interval, however old they are."""
        if FORECASTS not in version.tables:
            return
        (start, end), table = self.limits, version.table(FORECASTS)
        files = [file for file in table.files(end=end) if file.reach is None or file.reach >= start]
        for rows in each(table.read_file, files):
            yield rows.select(FORECAST_COLUMNS).filter(pl.col("cutoff") < end, ~self._inside("cutoff"))

    def _around(self, version: Version, first: datetime, end: datetime) -> Iterator[pl.DataFrame]:
        """Put the rows of the interval in the place of those that the version has of it, part by part."""
        spans = ((first, min(self.limits[0], end)), (max(self.limits[1], first), end))
        others = [self._others(version.table(CLEAN), *span) for span in spans if CLEAN in version.tables]
        for own, *around in zip(self.clean.read(CLEAN_COLUMNS), *others, strict=True):
            yield pl.concat([own, *(rows.read() for rows in around)])

    def _others(self, table: Table, start: datetime, end: datetime) -> list[SlicedTable]:
        """Cut the rows of other intervals as those of this one are."""
        span = TableSpan(table, start, max(start, end), self.folder, columns=CLEAN_COLUMNS, step=STEP)
        return span.cut(self.clean.borders)

    def _inside(self, time: str) -> pl.Expr:
        return pl.col(time).is_between(*self.limits, closed="left")


def _newer(truths: pl.DataFrame, version: Version, first: datetime, end: datetime) -> pl.DataFrame:
    """Leave out what the version knows already, and what it knows newer values of."""
    if TARGETS not in version.tables:
        return truths
    there = version.table(TARGETS).read(first, end).sort("available_at", maintain_order=True)
    known = there.unique(KEY, keep="last").select(*KEY, known="truth", known_at="available_at")
    both = truths.join(known, on=KEY, how="left", maintain_order="left")
    is_newer = pl.col("truth").ne_missing(pl.col("known")) & (pl.col("available_at") >= pl.col("known_at"))
    return both.filter(pl.col("known_at").is_null() | is_newer).select(*TARGETS_SCHEMA)
