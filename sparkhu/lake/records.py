"""What a lake writes down: commits and manifests, as JSON with a schema version."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake.columns import type_name, type_of
from sparkhu.lake.layout import Days, Layout

SCHEMA_VERSION = 1
CURRENT = "current.json"
NEXT = "next.json"
VERSIONS = "versions/"
TABLES = "tables/"


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table; it never changes.

    Attributes:
        path: Where it lies, from the lake's root.
        partition: The day, month or year that it belongs to, such as `2024-01-03`.
        bucket: The group of series that it belongs to.
        rows: Its rows.
        bytes: Its size.
        sha256: Its checksum.
        first: The time of its earliest row; null where no row has one.
        last: The time of its latest row, which belongs to it.
        days: The days that it has rows of, in ranges from one day to another, both included.
        version: The version of the lake that added it.
        run: The run that wrote it.
        reach: The latest `ds` of its rows, where another column dates them, as the cutoff does forecasts; else null.
            Files of before it was written down have none.
    """

    path: str
    partition: str
    bucket: int
    rows: int
    bytes: int
    sha256: str
    first: datetime | None
    last: datetime | None
    days: Days
    version: int
    run: str
    reach: datetime | None = None

    def overlaps(self, start: datetime | None, end: datetime | None) -> bool:
        """Tell whether rows of it may lie in `[start, end)`."""
        if self.first is None or self.last is None:
            return start is None and end is None
        return (start is None or self.last >= start) and (end is None or self.first < end)


@dataclass(frozen=True)
class Interval:
    """An interval `[start, end)` of a published table, and what its rows were made from.

    Attributes:
        start: Its start.
        end: Its end, which does not belong to it.
        read_version: The version of the lake that changed the observations last, of those that were read.
        params: Fingerprint of the parameters.
        run: The run that published it.
        read_from: The first instant that was read; the last one lies before `end`. Null: the first row.
    """

    start: datetime
    end: datetime
    read_version: int
    params: str
    run: str
    read_from: datetime | None = None


@dataclass(frozen=True)
class BuriedFile:
    """A file that retention has taken out of a table and that can still be put back.

    Attributes:
        file: The file; versions of before refer to it until it is purged.
        mark: Of the run that buried it.
        at: When, UTC.
        is_superseded: Whether it was no part of the table any more when it was buried: older versions alone had it.
    """

    file: DataFile
    mark: str
    at: datetime
    is_superseded: bool = False


@dataclass(frozen=True)
class Manifest:
    """The columns, files and published intervals of a table at one version, and what retention took out of it.

    Attributes:
        columns: Names and types of its columns.
        files: Its files.
        intervals: Its published intervals, in order of time.
        buried: Files that were taken out and can still be put back.
        purged: Days that files had rows of which were removed for good, in ranges, both ends included; some may have
            come back from an archive.
    """

    columns: pl.Schema = field(default_factory=pl.Schema)
    files: tuple[DataFile, ...] = ()
    intervals: tuple[Interval, ...] = ()
    buried: tuple[BuriedFile, ...] = ()
    purged: Days = ()

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(each.rows for each in self.files)

    def encoded(self) -> bytes:
        """Write it as JSON."""
        columns = {name: type_name(dtype, name) for name, dtype in self.columns.items()}
        content = {
            "schema_version": SCHEMA_VERSION,
            "columns": columns,
            "files": [asdict(each) for each in self.files],
            "intervals": [asdict(each) for each in self.intervals],
            **({"buried": [asdict(each) for each in self.buried]} if self.buried else {}),
            **({"purged": self.purged} if self.purged else {}),
        }
        return json.dumps(content, default=_text, separators=(",", ":")).encode()


@dataclass(frozen=True)
class TableEntry:
    """A table as a commit names it: its manifest and the manifest's checksum."""

    manifest: str
    sha256: str
    rows: int
    files: int


@dataclass(frozen=True)
class Commit:
    """One version of the whole lake.

    Attributes:
        version: Its number; the first is 0.
        committed_at: When it was committed, UTC.
        run: The run that did it.
        note: What the run said of it.
        parent: Where the version before lies; empty for the first.
        path: Where this version lies among the `versions/`.
        layout: The lake's layout.
        tables: Its tables by name.
        sources: What the run read, with checksums: files, or tables of a lake with version and span.
        code: Version and fingerprint of the library that ran.
        sweeps: How many versions up to this one announce a sweep (`sparkhu.lake.sweeping`).
    """

    version: int
    committed_at: datetime
    run: str
    note: str
    parent: str
    path: str
    layout: Layout
    tables: Mapping[str, TableEntry]
    sources: tuple[Mapping[str, Any], ...] = ()
    code: str = ""
    sweeps: int = 0

    def encoded(self) -> bytes:
        """Write it as JSON."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        return (json.dumps(content, default=_text, indent=1) + "\n").encode()


def read_commit(data: bytes, what: str) -> Commit:
    """Read a commit.

    Args:
        data: Its JSON.
        what: How messages name it.

    Raises:
        InputError: An older or a newer Sparkhu wrote it.
        SparkhuError: It is damaged.
    """
    content = _content(data, what)
    try:
        return Commit(
            version=int(content["version"]),
            committed_at=datetime.fromisoformat(content["committed_at"]),
            run=str(content["run"]),
            note=str(content["note"]),
            parent=str(content["parent"]),
            path=str(content["path"]),
            layout=Layout(**content["layout"]),
            tables={name: TableEntry(**entry) for name, entry in content["tables"].items()},
            sources=tuple(dict(source) for source in content.get("sources", ())),
            code=str(content.get("code", "")),
            sweeps=int(content.get("sweeps", 0)),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(what, error) from error


def read_manifest(data: bytes, what: str) -> Manifest:
    """Read a manifest; `what` is how messages name it, errors are those of `read_commit`."""
    content = _content(data, what)
    try:
        return Manifest(
            columns=pl.Schema({name: type_of(dtype) for name, dtype in content["columns"].items()}),
            files=tuple(read_file(each) for each in content["files"]),
            intervals=tuple(_interval(each) for each in content["intervals"]),
            buried=tuple(_buried(each) for each in content.get("buried", ())),
            purged=_days(content.get("purged", ())),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(what, error) from error


def checksum(data: bytes) -> str:
    """Give the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _content(data: bytes, what: str) -> dict[str, Any]:
    try:
        content = json.loads(data)
        schema = content["schema_version"]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(what, error) from error
    if schema != SCHEMA_VERSION:
        age = "a newer" if isinstance(schema, int) and schema > SCHEMA_VERSION else "an older"
        raise InputError(
            f"{what} has lake schema {schema}, written by {age} Sparkhu; this one reads {SCHEMA_VERSION}. "
            f"{'Update Sparkhu.' if age == 'a newer' else 'Ingest the sources into a new lake.'}"
        )
    return dict(content)


def _damaged(what: str, error: Exception) -> SparkhuError:
    return SparkhuError(f"{what} is damaged ({type(error).__name__}: {error}). Restore it from a backup.")


def read_file(content: Mapping[str, Any]) -> DataFile:
    """Read what a manifest says of a file; raises as building a value of its parts does."""
    stamps = {name: content.get(name) for name in ("first", "last", "reach")}
    times = {name: datetime.fromisoformat(stamp) if stamp else None for name, stamp in stamps.items()}
    return DataFile(**{**content, **times, "days": _days(content["days"])})


def _days(ranges: Sequence[Sequence[str]]) -> Days:
    return tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in ranges)


def _buried(content: dict[str, Any]) -> BuriedFile:
    at = datetime.fromisoformat(content["at"])
    return BuriedFile(**{**content, "file": read_file(content["file"]), "at": at})


def _interval(content: dict[str, Any]) -> Interval:
    times = {name: datetime.fromisoformat(content[name]) for name in ("start", "end")}
    begin = content.get("read_from")  # intervals of before it was written down have none
    return Interval(**{**content, **times, "read_from": datetime.fromisoformat(begin) if begin else None})


def _text(value: Any) -> str:
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a manifest")
