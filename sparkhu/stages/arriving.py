"""The rows of a source on their way into a lake: compared with each version that they might be added to.

What is told of a row hangs on its series alone, so that rows are compared shard by shard, each with what the lake holds
of the same series; what is new is cut into the pieces of the lake as it is found.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu.arrivals import Arrivals, arrivals, caught_up, newest
from sparkhu.frame import SCHEMA, TIME
from sparkhu.lake import Table, Version
from sparkhu.lake.tables import OBSERVATIONS
from sparkhu.shards import write_shard
from sparkhu.sources import SourceFile
from sparkhu.sources.parts import PartSize
from sparkhu.stages.appended_files import Known, SourceFiles
from sparkhu.stages.lake_sorting import SlicedTable, TableSpan
from sparkhu.stages.lake_spooling import SpooledPieces
from sparkhu.stages.late_rows import SUMMARIES, SeriesDays, late_rows
from sparkhu.stages.read_files import PLACE
from sparkhu.stages.sorted_source import SortedSource, engine_here
from sparkhu.steps.validation import QUARANTINE, validate
from sparkhu.summaries import summarise_days

REFUSED = "quarantine"
IS_ALERT, FILE = "is_alert", "__file"
NO_SERIES = ""
"""Name that a refused row without a series stands under."""
MOST_RANGES = 40
REFUSED_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "ds": TIME,
    "source": pl.String(),
    **{name: pl.Int64() if name == PLACE else pl.String() for name in QUARANTINE if name != "unique_id"},
}


class Counts(NamedTuple):
    """What became of rows: as `sparkhu.stages.appending.Appended` tells."""

    added: int = 0
    revised: int = 0
    unchanged: int = 0
    repeated: int = 0

    def with_more(self, found: Arrivals, left_out: int) -> "Counts":
        """Add what became of a shard, `left_out` rows of which were appended before."""
        more = (found.rows.height, found.revised, found.unchanged + left_out, found.repeated)
        return Counts(*(one + other for one, other in zip(self, more, strict=True)))


class CheckedSource:
    """The rows of a source that can be used, shard by shard in scratch files; those that cannot, in memory.

    Args:
        read: The source.
        name: What the source is called where a refused row is told.
        folder: Where the scratch files lie.
        zone: Zone of the days.

    Attributes:
        borders: The series with which each shard but the first begins.
        refused: The rows that cannot be used (`REFUSED_SCHEMA`), and why.
        rows: How many rows can be used.
        days: How many days of the zone they are of.
        utc_days: Their days in UTC, sorted.
    """

    def __init__(self, read: SortedSource, name: str, folder: Path, *, zone: str) -> None:
        self.borders, self._folder = read.borders, folder / "checked"
        self._folder.mkdir()
        refused, days, utc_days = [], list[pl.Series](), list[pl.Series]()
        self.rows = 0
        for number, rows in enumerate(read.shards()):
            frames = validate(rows, zone=zone).frames
            kept, ds = frames["observations"].drop(IS_ALERT), frames["observations"]["ds"]
            write_shard(self._folder, f"{number:05d}", kept)
            refused.append(_refused(frames["quarantine"], name))
            days.append(ds.dt.convert_time_zone(zone).dt.truncate("1d").unique())
            utc_days.append(ds.dt.truncate("1d").unique())
            self.rows += kept.height
        self.refused = pl.concat(refused)
        self.days = pl.concat(days).n_unique()
        self.utc_days = pl.concat(utc_days).unique().sort()

    def shards(self) -> Iterator[pl.DataFrame]:
        """Give the rows that can be used, shard by shard."""
        for number in range(len(self.borders) + 1):
            yield pl.read_parquet(self._folder / f"{number:05d}.parquet")


@dataclass
class Batch:
    """The rows of a source, compared with each version of the lake that they might be added to.

    Attributes:
        told: What the commit says that it read; filled anew against each version.
        counts: What became of the rows, against the version that was asked last.
    """

    checked: CheckedSource
    files: SourceFiles
    read: Sequence[SourceFile]
    dated: bool
    folder: Path
    part_size: PartSize | None = None
    run: str = field(default_factory=lambda: f"ingest-{uuid.uuid4().hex[:12]}")
    arrived_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    told: list[dict[str, Any]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    before: Known = field(init=False)
    summaries: SpooledPieces = field(init=False)

    def new_rows(self, version: Version) -> SpooledPieces | None:
        """Find the rows that a version lacks; goes before all else that is asked of it."""
        self.counts, self.before = Counts(), self.files.known(version)
        rows = SpooledPieces(OBSERVATIONS, version.layout, self.folder)
        self.summaries = SpooledPieces(SUMMARIES, version.layout, self.folder)
        days = self.checked.utc_days
        series = None if self.dated or days.is_empty() else SeriesDays(version, days[0], self.part_size)
        for batch, known in zip(self.checked.shards(), self._known(version), strict=True):
            new = self._compared(batch, known, series)
            rows.add(new)
            if new.height:
                self.summaries.add(_summarised(new.select(SCHEMA.keys()), known, version.layout.zone))
        return rows if rows.height else None

    def new_summaries(self, _: Version) -> SpooledPieces | None:
        """Give the summaries of the days that the new rows touch, as they are with them."""
        return self.summaries if self.summaries.height else None

    def new_refusals(self, version: Version) -> pl.DataFrame | None:
        """Give the refused rows that a version has not told of."""
        rows = self._left(self.checked.refused).drop(FILE)
        if REFUSED in version.tables:
            told = [name for name in REFUSED_SCHEMA if name != "ds"]
            known = version.table(REFUSED).read(columns=told)
            rows = rows.join(known, on=told, how="anti", nulls_equal=True, maintain_order="left")
        return rows.with_columns(ds=pl.lit(self.arrived_at).cast(TIME)) if rows.height else None

    def new_sources(self, _: Version) -> pl.DataFrame | None:
        """Give what tells the files apart that are new."""
        there = self.before.whole if len(self.before.whole) else [False] * len(self.read)
        self.told[:] = [asdict(file) for file, known in zip(self.read, there, strict=True) if not known]
        rows = self.files.rows(self.before, self.run, self.arrived_at)
        return rows if rows.height else None

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how many files were appended before."""
        count = int(self.before.whole.sum())
        told = f"{count} of {len(self.before.whole)} files {'was' if count == 1 else 'were'} appended before"
        return (told,) if count else ()

    def _compared(self, batch: pl.DataFrame, known: pl.DataFrame, series: SeriesDays | None) -> pl.DataFrame:
        """Find the rows of a shard that are new, and count what became of the others."""
        left = self._left(batch)
        again = left[FILE].is_in(self.before.otherwise.arg_true().implode())
        rows = left.drop(PLACE, FILE)
        rows = rows if self.dated else caught_up(rows, known, again=again)
        late = None if series is None else late_rows(rows, known, series)
        found = arrivals(rows, known, arrived_at=self.arrived_at, dated=self.dated, late=late)
        self.counts = self.counts.with_more(found, batch.height - left.height)
        return found.rows

    def _left(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out rows of files that were appended before, and number the files of the others."""
        numbered = rows.with_columns(self.files.numbers(rows[PLACE]).alias(FILE))
        return numbered.filter(~pl.col(FILE).is_in(self.before.whole.arg_true().implode()))

    def _known(self, version: Version) -> Iterator[pl.DataFrame]:
        """Give what the lake holds of each shard around the days of the batch."""
        spans: list[list[SlicedTable]] = []
        schema = pl.Schema(SCHEMA)
        if OBSERVATIONS in version.tables:
            table = version.table(OBSERVATIONS)
            spans, schema = self._spans(table), table.columns
        for number in range(len(self.checked.borders) + 1):
            yield pl.concat([pl.DataFrame(schema=schema), *(span[number].read() for span in spans)])

    def _spans(self, table: Table) -> list[list[SlicedTable]]:
        """Cut what the table holds around the days of the batch by shard; of few others where these are few."""
        ranges, size = self._ranges(), self.part_size or PartSize()
        # All of them together are in memory where none is large.
        share = PartSize(max(1, size.rows // max(1, len(ranges))))
        found = [TableSpan(table, *limits, self.folder, share, engine=engine_here()) for limits in ranges]
        return [span.cut(self.checked.borders) for span in found]

    def _ranges(self) -> Sequence[tuple[datetime, datetime]]:
        """Fold the UTC days of the batch, with one on either side, into ranges; where there are many, into one.

        The days of any zone lie inside: whole ones are summarised.
        """
        days = self.checked.utc_days
        if days.is_empty():
            return []
        run = (days.diff() > timedelta(days=3)).fill_null(value=True).cum_sum()
        ranges = pl.DataFrame({"day": days, "run": run}).group_by("run", maintain_order=True)
        first, end = pl.col("day").min().dt.offset_by("-1d"), pl.col("day").max().dt.offset_by("2d")
        found = ranges.agg(first=first, end=end).drop("run").rows()
        return found if len(found) <= MOST_RANGES else [(found[0][0], found[-1][1])]


def _summarised(new: pl.DataFrame, known: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Summarise the days that new rows touch, as they are with them."""
    day = pl.col("ds").dt.convert_time_zone(zone).dt.date()
    touched = new.select("unique_id", day=day).unique()
    there = known.select(SCHEMA.keys()).with_columns(day=day).join(touched, on=("unique_id", "day"), how="semi")
    return summarise_days(newest(pl.concat([there.drop("day"), new])), zone=zone)


def _refused(quarantine: pl.DataFrame, source: str) -> pl.DataFrame:
    rows = quarantine.with_columns(
        pl.col("unique_id").fill_null(NO_SERIES), ds=pl.lit(None, TIME), source=pl.lit(source, pl.String)
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in REFUSED_SCHEMA.items())
