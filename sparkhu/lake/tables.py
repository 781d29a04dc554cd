"""Reading: a version of a lake is fixed, and so are the files of its tables."""

import io
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import chain

import polars as pl

from sparkhu.errors import InputError
from sparkhu.lake.file_form import read_whole
from sparkhu.lake.layout import Layout, between, of_series, time_column
from sparkhu.lake.purging import check_readable
from sparkhu.lake.records import Commit, DataFile, Interval, Manifest, TableEntry, read_manifest
from sparkhu.lake.storage import Storage, each

ORDER = ("unique_id", "ds", "cutoff", "day", "available_at")
OBSERVATIONS = "observations"


@dataclass(frozen=True, eq=False, repr=False)
class Version:
    """The whole lake as one commit left it. What is read from it stays the same, whatever is committed meanwhile.

    Attributes:
        number: Its number; the first is 0.
        commit: What the commit wrote down.
        notes: What the publisher of this version should be told; nothing of it is stored.

    Example:
        >>> open_lake("lake").version().table("observations").read(ids=["meter-1"])
    """

    commit: Commit
    storage: Storage
    tag: str | None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Version({self.number} of {self.storage.uri!r})"

    @property
    def number(self) -> int:
        """Its number; the first is 0."""
        return self.commit.version

    @property
    def committed_at(self) -> datetime:
        """When it was committed, UTC."""
        return self.commit.committed_at

    @property
    def run(self) -> str:
        """The run that committed it."""
        return self.commit.run

    @property
    def layout(self) -> Layout:
        """How the lake cuts its tables into files."""
        return self.commit.layout

    @property
    def tables(self) -> Mapping[str, TableEntry]:
        """Its tables by name."""
        return self.commit.tables

    def table(self, name: str) -> "Table":
        """Open a table.

        Raises:
            InputError: This version has no such table, or another Sparkhu wrote it.
            SparkhuError: Its manifest is missing or damaged.
        """
        entry = self.tables.get(name)
        if entry is None:
            known = ", ".join(sorted(self.tables)) or "none yet"
            raise InputError(f"version {self.number} of '{self.storage.uri}' has no table '{name}'; it has {known}.")
        return Table(name, self.number, self._manifest(name, entry), self.layout, self.storage)

    def manifest(self, name: str) -> Manifest:
        """Give the manifest of a table; an empty one where there is no such table."""
        entry = self.tables.get(name)
        return self._manifest(name, entry) if entry else Manifest()

    def last_change(self, number: int) -> int:
        """Tell which version changed the observations last, up to version `number`: other commits are no newer ones.

        Where there are no observations, it is `number`.
        """
        at = bisect_right(self._changes, number)
        return self._changes[at - 1] if at else 0 if self._changes else number

    @cached_property
    def _changes(self) -> list[int]:
        return sorted({file.version for file in self.manifest(OBSERVATIONS).files})

    def _manifest(self, name: str, entry: TableEntry) -> Manifest:
        if name not in self._manifests:
            what = f"the manifest '{self.storage.place(entry.manifest)}' of the table '{name}', version {self.number},"
            data = read_whole(self.storage, entry.manifest, entry.sha256, None, what)
            self._manifests[name] = read_manifest(data, what)
        return self._manifests[name]

    @cached_property
    def _manifests(self) -> dict[str, Manifest]:
        return {}


@dataclass(frozen=True, eq=False)
class Table:
    """A table of one version: a list of files that never change."""

    name: str
    version: int
    manifest: Manifest = field(repr=False)
    layout: Layout
    storage: Storage = field(repr=False)

    @property
    def columns(self) -> pl.Schema:
        """Names and types of its columns."""
        return self.manifest.columns

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return self.manifest.rows

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The intervals that were published, in order of time; none overlaps another."""
        return self.manifest.intervals

    @property
    def time(self) -> str:
        """The column that dates its rows."""
        return time_column(self.name)

    def files(
        self, start: datetime | None = None, end: datetime | None = None, ids: Collection[str] | None = None
    ) -> tuple[DataFile, ...]:
        """List the files that may hold rows of `[start, end)` and of the series `ids`; null is no limit."""
        _check_limits(start, end)
        buckets = None if ids is None else {self.layout.bucket(name) for name in _ids(ids)}
        return tuple(
            file
            for file in self.manifest.files
            if file.overlaps(start, end) and (buckets is None or file.bucket in buckets)
        )

    def parts(self, start: datetime | None, end: datetime | None, rows: int) -> list["Table"]:
        """Part what may hold rows of `[start, end)`: what is read of each by itself is what is read of the whole.

        Args:
            start: As in `files`.
            end: As in `files`.
            rows: Rows that the files of a part hold, about. All versions of a point lie in one: those of one partition
                and bucket are never apart.

        Returns:
            Tables with a share of the files each, in order of partition; at least one.
        """
        cells: dict[tuple[str, int], list[DataFile]] = {}
        for file in self.files(start, end):
            cells.setdefault((file.partition, file.bucket), []).append(file)
        parts: list[list[DataFile]] = [[]]
        for _, files in sorted(cells.items()):
            if parts[-1] and sum(file.rows for file in chain(parts[-1], files)) > rows:
                parts.append([])
            parts[-1] += files
        return [replace(self, manifest=Manifest(self.columns, tuple(files))) for files in parts]

    def uris(
        self, start: datetime | None = None, end: datetime | None = None, ids: Collection[str] | None = None
    ) -> list[str]:
        """Give the paths or URIs of `files`, for other programs to read.

        Raises:
            SparkhuError: Retention has purged one of them; the message names it, and when.
        """
        files = self.files(start, end, ids)
        check_readable(self.storage, self.name, self.version, files)
        return [self.storage.place(file.path) for file in files]

    def read(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        ids: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Read rows; every file is compared with its checksum.

        Args:
            start: Time from which rows count, by the column `time`; null: from the first.
            end: Time before which rows count; null: to the last.
            ids: The series; null: all.
            columns: The columns; null: all. Where a file lacks one, it is null.

        Returns:
            The rows, sorted by `unique_id`, `ds` and `available_at`; of equals the one added later stands later.

        Raises:
            InputError: There is no such column, or a limit has no zone.
            SparkhuError: A file is missing or damaged; the message names it.
        """
        self._check_columns(columns)
        order = [name for name in ORDER if name in self.columns]
        needed = self._needed(columns, order)
        conditions = self._conditions(start, end, ids)
        files = sorted(self.files(start, end, ids), key=lambda file: file.version)
        frames = list(each(lambda file: self._read(file, needed, conditions), files))
        rows = pl.concat([pl.DataFrame(schema=needed), *frames]).sort(order, maintain_order=True)
        return rows.select(columns if columns is not None else list(self.columns))

    def scan(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        ids: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Read rows lazily; arguments as in `read`. Nothing is verified, and the order is that of the files."""
        self._check_columns(columns)
        wanted = columns if columns is not None else list(self.columns)
        places = self.uris(start, end, ids)
        if not places:
            return pl.LazyFrame(schema=self.columns).select(wanted)
        rows = pl.scan_parquet(
            places,
            glob=False,
            hive_partitioning=False,
            schema=self.columns,
            missing_columns="insert",
            cast_options=pl.ScanCastOptions(integer_cast=["upcast", "allow-float"], float_cast="upcast"),
            storage_options=self.storage.options,
        )
        return rows.filter(*self._conditions(start, end, ids)).select(wanted)

    def read_file(self, file: DataFile) -> pl.DataFrame:
        """Read one file whole, with all columns of the table, after comparing it with its checksum."""
        return self._read(file, self.columns, [])

    def _conditions(self, start: datetime | None, end: datetime | None, ids: Collection[str] | None) -> list[pl.Expr]:
        dtype = self.columns.get(self.time)
        limits = between(self.time, start, end, dtype, self.layout.zone) if dtype is not None else []
        return limits if ids is None else [*limits, of_series(_ids(ids))]

    def _needed(self, columns: Sequence[str] | None, order: Sequence[str]) -> pl.Schema:
        if columns is None:
            return self.columns
        names = {*columns, *order, "unique_id", self.time}
        return pl.Schema({name: dtype for name, dtype in self.columns.items() if name in names})

    def _read(self, file: DataFile, needed: pl.Schema, conditions: Sequence[pl.Expr]) -> pl.DataFrame:
        what = f"the file '{self.storage.place(file.path)}' of the table '{self.name}', version {self.version},"
        source = io.BytesIO(read_whole(self.storage, file.path, file.sha256, file.bytes, what))
        there = pl.read_parquet_schema(source)
        source.seek(0)
        frame = pl.read_parquet(source, columns=[name for name in needed if name in there])
        typed = [
            (pl.col(name).cast(dtype) if name in there else pl.lit(None, dtype)).alias(name)
            for name, dtype in needed.items()
        ]
        return frame.select(typed).filter(*conditions)

    def _check_columns(self, columns: Sequence[str] | None) -> None:
        for name in columns or ():
            if name not in self.columns:
                found = ", ".join(self.columns)
                raise InputError(f"the table '{self.name}' has no column '{name}'; it has {found}. Name one of these.")


def _ids(ids: Collection[str]) -> Collection[str]:
    if isinstance(ids, str):
        raise InputError(f"ids must be a list of series, got the text '{ids}'. Write ['{ids}'].")
    return ids


def _check_limits(start: datetime | None, end: datetime | None) -> None:
    for name, limit in (("start", start), ("end", end)):
        if limit is not None and limit.tzinfo is None:
            raise InputError(f"{name} must have a zone, got '{limit.isoformat()}'. Write {limit.isoformat()}+00:00.")
