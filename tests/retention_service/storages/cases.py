"""Storages that the contract is held against, each filled and read as others fill and read it."""

import json
import os
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import ClassVar, Protocol

import polars as pl

from sparkhu.lake import Append, Replace, create_lake
from sparkhu.lake.objects import Objects
from sparkhu.lake.storage import NoSuchFile
from sparkhu_retention.storages.features import OnlineRows
from sparkhu_retention.storages.folder import Folder
from sparkhu_retention.storages.lake import LakeFiles
from sparkhu_retention.storages.protocol import RetainedStorage
from sparkhu_retention.storages.runs import Runs
from sparkhu_retention.storages.s3 import Bucket
from tests.sparkhu.lake.made_rows import DAY, START, observed

OUTSIDE = [
    "..",
    "../beside",
    "a/../../beside",
    "a/%2e%2e/b",
    "%2e%2e/beside",
    "%252e%252e/beside",
    "a%252f..%252f..%252fbeside",
    "%25252525252e%25252525252e/beside",
    "..\\beside",
    "/etc/passwd",
    "%2fetc/passwd",
    "C:\\beside",
    "~/beside",
    "",
    "a//b",
    "./a",
    "a\0b",
    "_tombstones/mark/a",
]


class Case(Protocol):
    """A storage, and how those who know nothing of retention use it.

    Attributes:
        ids: Of the items that it is filled with, three at least.
    """

    ids: list[str]

    def opened(self) -> RetainedStorage:
        """Open it anew."""

    def read(self, item: str) -> object | None:
        """Give what a reader finds; null: nothing."""

    def restored(self, item: str, files: list[Path]) -> object:
        """Give what `read` would, from exported files."""

    def change(self, item: str) -> None:
        """Change an item as its owner would, or do away with it and make another in its place."""

    def outside(self) -> list[str]:
        """Give ids that lie outside of it."""


class FolderCase:
    """Files of two folders."""

    ids: ClassVar = ["sales/day=2024-01-01/shop=7/part.csv", "sales/day=2024-01-02/shop=7/part.csv", "über/größe 1.bin"]

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        for number, item in enumerate(self.ids):
            (self.root / item).parent.mkdir(parents=True)
            (self.root / item).write_bytes(f"rows {number}\n".encode() * (number + 1))
        (folder / "beside").mkdir()
        (folder / "beside" / "secret").write_text("of others")
        (self.root / "link").symlink_to(folder / "beside")
        (self.root / "linked").symlink_to(folder / "beside" / "secret")

    def opened(self) -> RetainedStorage:
        return Folder(str(self.root), dates="day={date}")

    def read(self, item: str) -> object | None:
        path = self.root / item
        return path.read_bytes() if path.is_file() else None

    def restored(self, item: str, files: list[Path]) -> object:
        (file,) = files
        return file.read_bytes()

    def change(self, item: str) -> None:
        path = self.root / item
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"other")
        os.utime(path, ns=(1, 1))

    def outside(self) -> list[str]:
        return [*OUTSIDE, "link/secret", "linked"]


class LakeCase:
    """A lake with observations of three days and a table that was published from them."""

    def __init__(self, uri: str) -> None:
        self.lake = create_lake(uri)
        rows = observed("ab", hours=72)
        changes = {"observations": Append(rows), "clean": Replace(rows.head(36), START, START + 3 * DAY, 0, "p")}
        self.lake.commit(changes, run="first", based_on=self.lake.version())
        self.ids = sorted(file.path for name in changes for file in self.lake.version().table(name).manifest.files)
        self.files = {file.path: file for name in changes for file in self.lake.version().manifest(name).files}

    def opened(self) -> RetainedStorage:
        return LakeFiles(self.lake.uri)

    def read(self, item: str) -> object | None:
        file = self.files[item]
        start = datetime.combine(date.fromisoformat(file.partition), time(), UTC)
        rows = self.lake.version().table(item.split("/")[1]).read(start, start + DAY)
        return rows.rows() or None

    def restored(self, item: str, files: list[Path]) -> object:
        return pl.concat(map(pl.read_parquet, files)).rows()

    def change(self, item: str) -> None:
        """Publish the interval of a file anew; what is only ever added to is left as it is."""
        table, file = item.split("/")[1], self.files[item]
        start = datetime.combine(date.fromisoformat(file.partition), time(), UTC)
        rows = observed("a", start, hours=3, y=50)
        self.lake.commit(
            {table: Replace(rows, start, start + DAY, self.lake.version().number, "q")},
            run="other",
            based_on=self.lake.version(),
        )

    def outside(self) -> list[str]:
        return [*OUTSIDE, "current.json", "versions/0.json", "tables/clean/manifests/0.json", "purged/a.json"]


class BucketCase:
    """Objects below a prefix; other prefixes of the bucket are none of its matter."""

    ids: ClassVar = ["sales/day=2024-01-01/a b.csv", "sales/day=2024-01-02/a b.csv", "über/größe 1%41+.bin"]

    def __init__(self, bucket: str) -> None:
        self.objects = Objects(f"s3://{bucket}/{uuid.uuid4().hex}/root")
        for number, item in enumerate(self.ids):
            self.objects.write(item, f"rows {number}\n".encode() * (number + 1))

    def opened(self) -> RetainedStorage:
        return Bucket(self.objects.uri, dates="day={date}")

    def read(self, item: str) -> object | None:
        try:
            return self.objects.read(item)
        except NoSuchFile:
            return None

    def restored(self, item: str, files: list[Path]) -> object:
        (file,) = files
        return file.read_bytes()

    def change(self, item: str) -> None:
        self.objects.write(item, b"other")

    def outside(self) -> list[str]:
        return OUTSIDE


class RunsCase:
    """Results of three runs, and a folder that is none."""

    ids: ClassVar = ["first", "north/monday", "north/tuesday"]

    def __init__(self, folder: Path) -> None:
        self.root = folder / "results"
        for number, item in enumerate(self.ids):
            run = self.root / item
            (run / "unregistered").mkdir(parents=True)
            finished = f"2024-01-0{number + 1}T05:00:00+00:00"
            record = {"pipeline": "forecast", "started": "2024-01-01T04:00:00+00:00", "finished": finished}
            (run / "run.json").write_text(json.dumps(record))
            pl.DataFrame({"y": range(number + 2)}).write_parquet(run / "forecasts.parquet")
            (run / "unregistered" / "registration.json").write_text('{"registered_at": "2024-01-01"}')
        (self.root / "north" / "under-way").mkdir()
        (self.root / "north" / "under-way" / "run.log").write_text("step 1")

    def opened(self) -> RetainedStorage:
        return Runs(str(self.root))

    def read(self, item: str) -> object | None:
        files = [path for path in sorted((self.root / item).rglob("*")) if path.is_file()]
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in files} or None

    def restored(self, item: str, files: list[Path]) -> object:
        scratch = next(parent for parent in files[0].parents if parent.name == "scratch")
        return {path.relative_to(scratch).as_posix(): path.read_bytes() for path in files}

    def change(self, item: str) -> None:
        (self.root / item).mkdir(parents=True, exist_ok=True)
        (self.root / item / "run.json").write_text('{"pipeline": "predict"}')

    def outside(self) -> list[str]:
        return OUTSIDE


class OnlineCase:
    """Online rows of two days in one view and of one in another, in tables as Feast makes them."""

    ids: ClassVar = [
        "sparkhu_series_parts/2024-01-01",
        "sparkhu_series_state/2024-01-01",
        "sparkhu_series_state/2024-01-02",
    ]
    DDL = (
        "CREATE TABLE {} (entity_key BLOB, feature_name TEXT, value BLOB, value_text TEXT, vector_value BLOB, "
        "event_ts timestamp, created_ts timestamp, PRIMARY KEY(entity_key, feature_name))"
    )

    def __init__(self, folder: Path) -> None:
        self.path = folder / "online.db"
        self.write(*(self.DDL.format(table) for table in ("sparkhu_series_state", "sparkhu_series_parts", "notes")))
        self.write("DROP TABLE notes", "CREATE TABLE notes (entity_key BLOB, text TEXT)")
        for number, item in enumerate(self.ids):
            for key in (b"\x00a", b"\xffb"):
                self.insert(item, key + bytes([number]), b"\x01\x02")

    def insert(self, item: str, key: bytes, value: bytes) -> None:
        table, _, day = item.partition("/")
        for feature in ("y", "trend"):
            self.write(
                f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, NULL, NULL, ?, NULL)",
                (key, feature, value, int(datetime.fromisoformat(f"{day}T05:00:00+00:00").timestamp())),
            )

    def write(self, *statements: str | tuple[object, ...]) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            if len(statements) == 2 and isinstance(statements[1], tuple):
                connection.execute(str(statements[0]), statements[1])
            else:
                for statement in statements:
                    connection.execute(str(statement))
            connection.commit()

    def opened(self) -> RetainedStorage:
        return OnlineRows(str(self.path.parent))

    def read(self, item: str) -> object | None:
        table, _, day = item.partition("/")
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute(
                f"SELECT entity_key, feature_name, value, event_ts FROM {table} WHERE date(event_ts, 'unixepoch') = ? "
                "ORDER BY entity_key, feature_name",
                (day,),
            )
            return found.fetchall() or None

    def restored(self, item: str, files: list[Path]) -> object:
        (file,) = files
        return pl.read_parquet(file).select("entity_key", "feature_name", "value", "event_ts").rows()

    def change(self, item: str) -> None:
        self.insert(item, b"\x00a" + bytes([self.ids.index(item)]), b"\x03")

    def outside(self) -> list[str]:
        return [*OUTSIDE, "notes", "retention__sparkhu_series_state/2024-01-01", 'a"b/2024-01-01', "sparkhu/today"]
