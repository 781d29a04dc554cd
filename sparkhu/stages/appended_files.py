"""Which files of a source were appended to a lake before: its table `sources`, a row a file and ingest.

A file is known by the SHA-256 of its content, unpacked, and what it was read as by that of its rows: the same file read
with other options, or under another name where that names the series, tells something else. Reading it again for no
reason, as a job does that is repeated, is told apart from a new file that gives old values back.

Rows are dated by the first instant that was read from the file, so that only what was appended of the same days is
looked at.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from sparkhu.frame import TIME
from sparkhu.lake import Version
from sparkhu.sources import SourceFile
from sparkhu.stages.read_files import Shards, told_of_files

SOURCES = "sources"
SOURCES_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "ds": TIME,
    "bytes": pl.Int64(),
    "sha256": pl.String(),
    "read_as": pl.String(),
    "rows": pl.Int64(),
}
OTHER_ZONE = timedelta(days=2)
"""How far the first instant of a file may move when it is read in another zone."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a version of a lake knows of the files of a source, one entry a file.

    Attributes:
        whole: It was appended before, read as it is now.
        otherwise: It was appended before, read in another way.
    """

    whole: pl.Series
    otherwise: pl.Series


@dataclass(frozen=True, eq=False)
class SourceFiles:
    """The files of a source, in order.

    Attributes:
        table: `SOURCES_SCHEMA`, a row a file; `unique_id` is its URI, without secrets. `ds` is null where it holds
            no instant that can be used.
        ends: The number of the last source row of each.
    """

    table: pl.DataFrame
    ends: pl.Series

    @classmethod
    def of(cls, shards: Shards, files: tuple[SourceFile, ...], folder: Path | None = None) -> "SourceFiles":
        """Look at the rows that were read from each of `files`: those of a source that has a checksum for each.

        Args:
            shards: Gives the source shard by shard, with the columns that it is asked for.
            files: The files.
            folder: Where the rows of each file lie meanwhile, when they are many; null: in memory.
        """
        ends = pl.Series([file.rows for file in files], dtype=pl.Int64).cum_sum()
        told = told_of_files(shards, ends, folder)
        rows = [
            (file.uri, first, file.size, file.sha256, read_as, file.rows)
            for file, (first, read_as) in zip(files, told, strict=True)
        ]
        return cls(pl.DataFrame(rows, schema=SOURCES_SCHEMA, orient="row"), ends)

    def numbers(self, source_rows: pl.Series) -> pl.Series:
        """Tell which file rows of the source come from, by its place in `table`."""
        return self.ends.search_sorted(source_rows)

    def known(self, version: Version) -> Known:
        """Look the files up in a version of a lake."""
        there = pl.DataFrame(schema={name: SOURCES_SCHEMA[name] for name in ("sha256", "read_as")})
        first, last = self.table.select(pl.col("ds").min(), last=pl.col("ds").max()).row(0)
        if SOURCES in version.tables and first is not None:
            limits = first - OTHER_ZONE, last + OTHER_ZONE
            there = version.table(SOURCES).read(*limits, columns=there.columns)
        both = pl.concat_str("sha256", "read_as")
        whole = self.table.select(both.is_in(there.select(both).to_series().implode())).to_series()
        content = self.table["sha256"].is_in(there["sha256"].implode())
        return Known(whole, content & ~whole)

    def rows(self, known: Known, run: str, moment: datetime) -> pl.DataFrame:
        """Give the rows of the table `sources` that tell of the files which are new, or read in a new way."""
        new = self.table.filter(~known.whole).filter(pl.col("ds").is_not_null())
        return new.with_columns(run=pl.lit(run), appended_at=pl.lit(moment).cast(TIME))
