"""Online rows of the feature store, by view and day of the snapshot that they show."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.storages import features_rows as online
from sparkhu_retention.storages.failures import told
from sparkhu_retention.storages.files import checksum_of, exported_of
from sparkhu_retention.storages.ids import checked_id, checked_mark
from sparkhu_retention.storages.listing import frames
from sparkhu_retention.storages.protocol import Buried, Exported
from sparkhu_retention.storages.tombstones import changed, occupied, purged

FILE = "online.db"
_ID = re.compile(r"(?P<table>[A-Za-z0-9_]+)/(?P<day>\d{4}-\d{2}-\d{2})")


class OnlineRows:
    """The rows that the feature store serves, from its SQLite file; those of one view and day are an item.

    They are the newest of each series, so what is old is of series that nothing came for since. What is buried is moved
    to a table beside, in one transaction. The offline rows are tables of a lake, and retained there: a snapshot that
    stays in the lake is brought online again by the next run.

    Args:
        uri: The file, or the folder that has it as `online.db`, such as `features` below Sparkhu's home.

    Raises:
        InputError: There is no such file.
        SparkhuError: It cannot be used.
    """

    kind = "features"

    def __init__(self, uri: str) -> None:
        self.uri = uri
        given = Path(uri.removeprefix("file://").removeprefix("sqlite:///")).absolute()
        self._path = given / FILE if given.is_dir() else given
        if not self._path.is_file():
            raise InputError(f"uri must be the SQLite file of an online store, or its folder, got '{uri}'")

    def items(self) -> Iterator[pl.DataFrame]:
        """List the days of all views; what is buried is not among them."""
        with online.opened(self._path) as connection:
            found = [self._row(connection, *one) for one in self._days(connection)]
        return frames(found, ("id", "dataset", "line", "start", "end", "rows", "bytes", "content"))

    def export(self, contents: Mapping[str, str], folder: Path) -> Iterator[Exported]:
        """Write rows as Parquet; values are in Feast's own form."""
        for item, content in contents.items():
            table, day = self._parts(item)
            with online.opened(self._path) as connection:
                names = online.columns(connection, table)
                rows = list(online.rows(connection, table, day, names))
            if not rows or online.measured(iter(rows))[2] != content:
                raise changed(item, self.uri)
            target = folder / f"{item}.parquet"
            with told("export", target):
                target.parent.mkdir(parents=True, exist_ok=True)
                pl.DataFrame(rows, names, orient="row", infer_schema_length=None).write_parquet(target)
            yield exported_of(item, target, folder)

    def bury(self, contents: Mapping[str, str], mark: str) -> None:
        """Move rows beside, all of a call at once."""
        asked = {item: self._parts(item) for item in contents}
        now = datetime.now(UTC).isoformat()
        with online.opened(self._path) as connection:
            there = self._tombs(connection, checked_mark(mark))
            for item, (table, day) in asked.items():
                if there.get(item) == contents[item]:
                    continue
                count, _, content = self._measured(connection, table, day)
                if item in there or not count or content != contents[item]:
                    raise changed(item, self.uri)
                online.bury(connection, table, day, (mark, now, content))

    def buried(self) -> Iterator[Buried]:
        """List what lies beside."""
        with online.opened(self._path) as connection:
            found = list(online.tombs(connection))
        for table, day, mark, at, _, size in found:
            yield Buried(f"{table}/{day}", mark, datetime.fromisoformat(at), size)

    def unbury(self, ids: Sequence[str], mark: str) -> None:
        """Move rows back; where a series has a row of a later day by now, that one stays."""
        asked = {item: self._parts(item) for item in ids}
        with online.opened(self._path) as connection:
            there = self._tombs(connection, checked_mark(mark))
            for item, (table, day) in asked.items():
                if item not in there:
                    if not self._measured(connection, table, day)[0]:
                        raise purged(item, self.uri)
                elif not online.unbury(connection, table, day, mark):
                    raise occupied(f"{self._path}/{item}")

    def purge(self, ids: Sequence[str], mark: str) -> int:
        """Remove rows for good."""
        asked = {item: self._parts(item) for item in ids}
        freed = 0
        with online.opened(self._path) as connection:
            checked_mark(mark)
            for table, day, whose, _, _, size in list(online.tombs(connection)):
                if whose == mark and f"{table}/{day}" in asked:
                    online.purge(connection, table, day, mark)
                    freed += size
        return freed

    def put_back(self, archived: Iterable[Exported], folder: Path) -> None:
        """Insert rows anew; where a series has a row of a later day by now, that one stays."""
        for each in archived:
            (table, day), source = self._parts(each.id), folder / each.path
            with told("read", source):
                given = checksum_of(source)
            if given != each.sha256:
                raise SparkhuError(
                    f"'{source}' is damaged: its checksum is not that of '{each.id}'. It was not put back."
                )
            frame = pl.read_parquet(source)
            with online.opened(self._path) as connection:
                if table not in online.feature_tables(connection):
                    raise SparkhuError(f"'{self._path}' has no table '{table}'. Apply the features' definitions first.")
                names = [name for name in online.columns(connection, table) if name in frame.columns]
                if not online.insert(connection, table, day, names, frame.select(names).rows()):
                    raise occupied(f"{self._path}/{each.id}")

    def _days(self, connection: Any) -> Iterator[tuple[str, str]]:
        for table in online.feature_tables(connection):
            for day in online.days(connection, table):
                if _ID.fullmatch(f"{table}/{day}"):
                    yield table, day

    def _row(self, connection: Any, table: str, day: str) -> tuple[object, ...]:
        count, size, content = self._measured(connection, table, day)
        start = datetime.fromisoformat(day).replace(tzinfo=UTC)
        return f"{table}/{day}", f"online/{table}", "", start, start + timedelta(days=1), count, size, content

    def _measured(self, connection: Any, table: str, day: str) -> tuple[int, int, str]:
        return online.measured(online.rows(connection, table, day, online.columns(connection, table)))

    def _tombs(self, connection: Any, mark: str) -> dict[str, str]:
        """Give what is buried under a mark, with its content."""
        found = online.tombs(connection)
        return {f"{table}/{day}": content for table, day, whose, _, content, _ in found if whose == mark}

    def _parts(self, item: str) -> tuple[str, str]:
        said = _ID.fullmatch(checked_id(item, self.uri))
        if said is None or said["table"].startswith(online.TOMBS):
            raise InputError(f"id must be <table>/<day>, such as sparkhu_series_state/2024-01-03, got '{item}'")
        return said["table"], said["day"]
