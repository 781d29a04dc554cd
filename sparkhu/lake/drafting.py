"""Making a commit: data files and manifests are written first, and nobody sees them before the swap."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import polars as pl

from sparkhu.errors import InputError
from sparkhu.lake.changes import Append, Change, Replace, Span, open_spans, republished
from sparkhu.lake.columns import joined_columns
from sparkhu.lake.file_form import encoded
from sparkhu.lake.layout import Layout, Piece, as_instants, between, time_column
from sparkhu.lake.pieces import Extent, KeptPieces, Key, Pieces, checked_rows
from sparkhu.lake.records import TABLES, DataFile, Manifest, TableEntry, checksum
from sparkhu.lake.retiring import Retirement
from sparkhu.lake.storage import AT_ONCE, Storage, each
from sparkhu.lake.tables import ORDER, Version

ROWS_AT_ONCE = 1_000_000
"""Rows of files that are written at the same time, about."""


@dataclass(frozen=True)
class _Job:
    """One file to write: where its rows are, what was there before, and the spans that the rows replace."""

    table: str
    key: Key
    pieces: Pieces | None
    before: tuple[DataFile, ...] = ()
    spans: tuple[Span, ...] = ()

    @property
    def identity(self) -> tuple[str, Key, tuple[str, ...], tuple[Span, ...]]:
        return self.table, self.key, tuple(file.path for file in self.before), self.spans

    @property
    def height(self) -> int:
        """How many rows are in memory while it is written, about."""
        return sum(file.rows for file in self.before) + (self.pieces.extents[self.key].rows if self.pieces else 0)


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
        self._pieces: dict[str, Pieces] = {
            name: KeptPieces(change.rows, name, layout) if isinstance(change.rows, pl.DataFrame) else change.rows
            for name, change in self._changes.items()
            if isinstance(change, Replace)
        }
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
            if isinstance(change, Append):
                manifest = self._appended(base, name, change)
            elif isinstance(change, Replace):
                manifest = self._replaced(base, name, change)
            else:
                manifest = change.against(name, base.manifest(name))
            if manifest is not None:
                changed[name] = self._entry(name, manifest)
        return changed

    def _appended(self, base: Version, name: str, change: Append) -> Manifest | None:
        pieces = self._added(base, name, change)
        if pieces is None or (not pieces.extents and name in base.tables):
            return None
        before = base.manifest(name)
        columns = joined_columns(name, before.columns, pieces.schema)
        jobs = [_Job(name, key, pieces) for key in sorted(pieces.extents)]
        return replace(before, columns=columns, files=(*before.files, *self._files(base, jobs)))

    def _added(self, base: Version, name: str, change: Append) -> Pieces | None:
        """Give what is added; what was written of other rows is forgotten."""
        if isinstance(change.rows, pl.DataFrame):
            return KeptPieces(change.rows, name, self._layout)
        made = change.rows(base)
        if made is None:
            return None
        rows = checked_rows(name, made) if isinstance(made, pl.DataFrame) else None
        if rows is None or name not in self._asked or not rows.equals(self._asked[name]):
            self._written = {identity: file for identity, file in self._written.items() if identity[0] != name}
        if rows is None:
            return cast(Pieces, made)
        self._asked[name] = rows
        return KeptPieces(rows, name, self._layout)

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
        columns = joined_columns(name, before.columns, self._pieces[name].schema)
        jobs = self._jobs(name, before, self._pieces[name], spans)
        keys = {job.key for job in jobs}
        kept = [file for file in before.files if (file.partition, file.bucket) not in keys]
        intervals = republished(published, change, spans, self._run)
        return replace(before, columns=columns, files=(*kept, *self._files(base, jobs)), intervals=intervals)

    def _jobs(self, name: str, before: Manifest, pieces: Pieces, spans: Sequence[Span]) -> list[_Job]:
        new = {key for key in pieces.extents if self._any_within(name, pieces, key, spans)}
        hit = {(file.partition, file.bucket) for file in before.files if any(file.overlaps(*span) for span in spans)}
        there: dict[Key, list[DataFile]] = {key: [] for key in hit | new}
        for file in before.files:
            there.get((file.partition, file.bucket), []).append(file)
        return [
            _Job(name, key, pieces if key in new else None, tuple(there[key]), tuple(spans)) for key in sorted(there)
        ]

    def _any_within(self, name: str, pieces: Pieces, key: Key, spans: Sequence[Span]) -> bool:
        """Tell whether a piece has rows in one of the spans; its rows are read where its extent does not tell."""
        extent = pieces.extents[key]
        if any(_inside(extent, span) for span in spans):
            return True
        return not pieces.read(key).filter(self._within_any(pieces.schema, name, spans)).is_empty()

    def _files(self, base: Version, jobs: Sequence[_Job]) -> list[DataFile]:
        """Write the files of all jobs, or find them written already."""
        todo = [job for job in jobs if job.identity not in self._written]
        at_once = max(1, min(AT_ONCE, ROWS_AT_ONCE // max([1, *(job.height for job in todo)])))
        for job, file in zip(todo, each(lambda job: self._write(base, job), todo, at_once=at_once), strict=True):
            self._written[job.identity] = file
        files = [self._written[job.identity] for job in jobs]
        return [replace(file, version=base.number + 1) for file in files if file is not None]

    def _write(self, base: Version, job: _Job) -> DataFile | None:
        rows = [frame for frame in (self._kept(base, job), self._new(job)) if frame is not None and frame.height]
        if not rows:
            return None
        whole = pl.concat(rows, how="diagonal_relaxed")
        order = [name for name in ORDER if name in whole.columns]
        (piece,) = self._layout.cut(whole.sort(order, maintain_order=True), time_column(job.table))
        return self._put(job.table, piece)

    def _new(self, job: _Job) -> pl.DataFrame | None:
        """Give the new rows of a job: where they replace others, those of the spans alone."""
        if job.pieces is None:
            return None
        rows = job.pieces.read(job.key)
        return rows.filter(self._within_any(rows.schema, job.table, job.spans)) if job.spans else rows

    def _kept(self, base: Version, job: _Job) -> pl.DataFrame | None:
        """Give the rows of the files before that no span replaces; files wholly inside one are not read."""
        if all(any(_inside(file, span) for span in job.spans) for file in job.before):
            return None
        table = base.table(job.table)
        files = sorted(job.before, key=lambda file: file.version)
        outside = ~self._within_any(table.columns, job.table, job.spans)
        return pl.concat([table.read_file(file).filter(outside) for file in files])

    def _within_any(self, columns: Mapping[str, pl.DataType], name: str, spans: Sequence[Span]) -> pl.Expr:
        return pl.any_horizontal(*[self._within(columns, name, span) for span in spans])

    def _within(self, columns: Mapping[str, pl.DataType], name: str, span: Span) -> pl.Expr:
        time = time_column(name)
        return pl.all_horizontal(*between(time, *span, columns[time], self._layout.zone)).fill_null(value=False)

    def _put(self, table: str, piece: Piece) -> DataFile:
        data = encoded(piece.rows)
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


def _inside(file: DataFile | Extent, span: Span) -> bool:
    return file.first is not None and file.last is not None and span[0] <= file.first and file.last < span[1]


def _checked(name: str, change: Change, layout: Layout) -> Change:
    """Check a change and bring its rows to types that tables keep."""
    if isinstance(change, Retirement) or (isinstance(change, Append) and not isinstance(change.rows, pl.DataFrame)):
        time_column(name)
        return change
    if isinstance(change.rows, pl.DataFrame):
        change = replace(change, rows=checked_rows(name, change.rows))
    if isinstance(change, Replace):
        _check_inside(name, change, layout)
    return change


def _check_inside(name: str, change: Replace, layout: Layout) -> None:
    """Refuse rows outside the interval."""
    where = f"outside the interval from {change.start.isoformat()} to {change.end.isoformat()}"
    if isinstance(change.rows, pl.DataFrame):
        times = as_instants(change.rows[time_column(name)], layout.zone)
        outside = times.is_null() | (times < change.start) | (times >= change.end)
        if outside.any():
            example = times.filter(outside)[0]
            raise InputError(
                f"{outside.sum()} rows of the table '{name}' lie {where}, such as one at {example}. Leave them out."
            )
        return
    for extent in change.rows.extents.values():
        if not _inside(extent, (change.start, change.end)):
            raise InputError(
                f"rows of the table '{name}' lie {where}: there are some from {extent.first} to {extent.last}. "
                "Leave them out."
            )
