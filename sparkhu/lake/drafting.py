"""Making a commit: data files and manifests are written first, and nobody sees them before the swap."""

import io
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.lake.changes import Append, Change, Replace, Span, open_spans, republished
from sparkhu.lake.columns import joined_columns, plain
from sparkhu.lake.layout import MAY_BE_UNDATED, Layout, Piece, as_instants, between, time_column
from sparkhu.lake.records import TABLES, DataFile, Manifest, TableEntry, checksum
from sparkhu.lake.storage import Storage, each
from sparkhu.lake.tables import ORDER, Version

Key = tuple[str, int]


@dataclass(frozen=True)
class _Job:
    """One file to write: its rows, what was there before, and the spans that the rows replace."""

    table: str
    key: Key
    rows: pl.DataFrame | None
    before: tuple[DataFile, ...] = ()
    spans: tuple[Span, ...] = ()

    @property
    def identity(self) -> tuple[str, Key, tuple[str, ...], tuple[Span, ...]]:
        return self.table, self.key, tuple(file.path for file in self.before), self.spans


class Draft:
    """The changes of one commit, made against one version after another until a swap succeeds.

    What was written for one version is used again for the next where it is the same.

    Args:
        storage: Where the lake lies.
        layout: How it is cut into files.
        changes: What to do to which table.
        run: The run that commits.
    """

    def __init__(self, storage: Storage, layout: Layout, changes: Mapping[str, Change], run: str) -> None:
        self._storage = storage
        self._layout = layout
        self._run = run
        self._changes = {name: _checked(name, change, layout) for name, change in changes.items()}
        self._asked: dict[str, pl.DataFrame] = {}
        self._written: dict[tuple[object, ...], DataFile | None] = {}
        self._sweeps = 0
        self.notes: tuple[str, ...] = ()

    def against(self, base: Version) -> dict[str, TableEntry]:
        """Write what turns `base` into the next version, and give the tables that differ.

        What was written before a sweep that the base knows of may be gone, or be about to go: it is written anew.
        """
        self.notes = ()
        if base.commit.sweeps != self._sweeps:
            self._written.clear()
            self._sweeps = base.commit.sweeps
        changed = {}
        for name, change in self._changes.items():
            manifest = self._appended(base, name, change) if isinstance(change, Append) else None
            if isinstance(change, Replace):
                manifest = self._replaced(base, name, change)
            if manifest is not None:
                changed[name] = self._entry(name, manifest)
        return changed

    def _appended(self, base: Version, name: str, change: Append) -> Manifest | None:
        rows = self._rows(base, name, change)
        if rows is None or (rows.is_empty() and name in base.tables):
            return None
        before = base.manifest(name)
        columns = joined_columns(name, before.columns, rows.schema)
        pieces = self._layout.cut(rows, time_column(name))
        jobs = [_Job(name, (piece.partition, piece.bucket), piece.rows) for piece in pieces]
        return replace(before, columns=columns, files=(*before.files, *self._files(base, jobs)))

    def _rows(self, base: Version, name: str, change: Append) -> pl.DataFrame | None:
        if isinstance(change.rows, pl.DataFrame):
            return change.rows
        made = change.rows(base)
        if made is None:
            return None
        rows = _frame(name, made)
        if name not in self._asked or not rows.equals(self._asked[name]):
            self._written = {identity: file for identity, file in self._written.items() if identity[0] != name}
            self._asked[name] = rows
        return rows

    def _replaced(self, base: Version, name: str, change: Replace) -> Manifest | None:
        if change.read_version > base.number:
            raise InputError(
                f"read_version of the table '{name}' is {change.read_version}, '{self._storage.uri}' has come to "
                f"version {base.number}. Give the version that was read."
            )
        before = base.manifest(name)
        change = replace(change, read_version=base.last_change(change.read_version))
        published = tuple(replace(one, read_version=base.last_change(one.read_version)) for one in before.intervals)
        spans, newer = open_spans(published, change)
        self.notes += tuple(
            f"{name}: {interval.start.isoformat()} to {interval.end.isoformat()} stays, as run '{interval.run}' made "
            f"it from version {interval.read_version}; this one read version {change.read_version}"
            for interval in newer
        )
        if not spans:
            return None
        columns = joined_columns(name, before.columns, change.rows.schema)
        rows = change.rows.filter(pl.any_horizontal(*[self._within(change.rows.schema, name, span) for span in spans]))
        jobs = self._jobs(name, before, rows, spans)
        keys = {job.key for job in jobs}
        kept = [file for file in before.files if (file.partition, file.bucket) not in keys]
        intervals = republished(published, change, spans, self._run)
        return Manifest(columns, (*kept, *self._files(base, jobs)), intervals)

    def _jobs(self, name: str, before: Manifest, rows: pl.DataFrame, spans: Sequence[Span]) -> list[_Job]:
        new = {(piece.partition, piece.bucket): piece.rows for piece in self._layout.cut(rows, time_column(name))}
        hit = {(file.partition, file.bucket) for file in before.files if any(file.overlaps(*span) for span in spans)}
        there: dict[Key, list[DataFile]] = {key: [] for key in hit | new.keys()}
        for file in before.files:
            there.get((file.partition, file.bucket), []).append(file)
        return [_Job(name, key, new.get(key), tuple(there[key]), tuple(spans)) for key in sorted(there)]

    def _files(self, base: Version, jobs: Sequence[_Job]) -> list[DataFile]:
        """Write the files of all jobs, or find them written already."""
        todo = [job for job in jobs if job.identity not in self._written]
        for job, file in zip(todo, each(lambda job: self._write(base, job), todo), strict=True):
            self._written[job.identity] = file
        files = [self._written[job.identity] for job in jobs]
        return [replace(file, version=base.number + 1) for file in files if file is not None]

    def _write(self, base: Version, job: _Job) -> DataFile | None:
        rows = [frame for frame in (self._kept(base, job), job.rows) if frame is not None and frame.height]
        if not rows:
            return None
        whole = pl.concat(rows, how="diagonal_relaxed")
        order = [name for name in ORDER if name in whole.columns]
        (piece,) = self._layout.cut(whole.sort(order, maintain_order=True), time_column(job.table))
        return self._put(job.table, piece)

    def _kept(self, base: Version, job: _Job) -> pl.DataFrame | None:
        """Give the rows of the files before that no span replaces; files wholly inside one are not read."""
        if all(any(_inside(file, span) for span in job.spans) for file in job.before):
            return None
        table = base.table(job.table)
        files = sorted(job.before, key=lambda file: file.version)
        outside = ~pl.any_horizontal(*[self._within(table.columns, job.table, span) for span in job.spans])
        return pl.concat([table.read_file(file).filter(outside) for file in files])

    def _within(self, columns: Mapping[str, pl.DataType], name: str, span: Span) -> pl.Expr:
        time = time_column(name)
        return pl.all_horizontal(*between(time, *span, columns[time], self._layout.zone)).fill_null(value=False)

    def _put(self, table: str, piece: Piece) -> DataFile:
        buffer = io.BytesIO()
        piece.rows.write_parquet(buffer, compression="zstd")
        data = buffer.getvalue()
        path = f"{TABLES}{table}/data/{piece.partition}/{piece.bucket}-{uuid.uuid4().hex}.parquet"
        self._storage.write(path, data)
        return DataFile(
            path=path,
            partition=piece.partition,
            bucket=piece.bucket,
            rows=piece.rows.height,
            bytes=len(data),
            sha256=checksum(data),
            first=piece.first,
            last=piece.last,
            days=piece.days,
            version=-1,  # known when it is set against a version
            run=self._run,
            reach=None if time_column(table) == "ds" else piece.reach,
        )

    def _entry(self, name: str, manifest: Manifest) -> TableEntry:
        data = manifest.encoded()
        path = f"{TABLES}{name}/manifests/{uuid.uuid4().hex}.json"
        self._storage.write(path, data)
        return TableEntry(path, checksum(data), manifest.rows, len(manifest.files))


def _inside(file: DataFile, span: Span) -> bool:
    return file.first is not None and file.last is not None and span[0] <= file.first and file.last < span[1]


def _checked(name: str, change: Change, layout: Layout) -> Change:
    """Check a change and bring its rows to types that tables keep."""
    if not isinstance(change.rows, pl.DataFrame):
        time_column(name)
        return change
    rows = _frame(name, change.rows)
    if isinstance(change, Replace):
        times = as_instants(rows[time_column(name)], layout.zone)
        outside = times.is_null() | (times < change.start) | (times >= change.end)
        if outside.any():
            raise InputError(
                f"{outside.sum()} rows of the table '{name}' lie outside the interval from {change.start.isoformat()} "
                f"to {change.end.isoformat()}, such as one at {times.filter(outside)[0]}. Leave them out."
            )
    return replace(change, rows=rows)


def _frame(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    time = time_column(name)
    rows = plain(rows)
    for column, types in (("unique_id", (pl.String(),)), (time, (TIME, pl.Date()))):
        if column not in rows.columns:
            raise InputError(f"the rows of the table '{name}' lack the column '{column}', which every row must have.")
        if rows.schema[column] not in types:
            wanted = " or ".join(map(str, types))
            raise InputError(
                f"column '{column}' of the table '{name}' has type {rows.schema[column]}, expected {wanted}. Cast it."
            )
    for column in ("unique_id",) if name in MAY_BE_UNDATED else ("unique_id", time):
        if rows[column].null_count():
            raise InputError(f"{rows[column].null_count()} rows of the table '{name}' have no '{column}'. Give one.")
    return rows
