"""Runs and model versions of MLflow, with their files."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from sqlalchemy import Connection, select

from sparkhu.errors import InputError, SparkhuError
from sparkhu.sources.secrets import redacted
from sparkhu_retention.storages import mlflow_files as artifacts
from sparkhu_retention.storages.failures import told
from sparkhu_retention.storages.files import exported_of
from sparkhu_retention.storages.ids import checked_id, checked_mark, is_id
from sparkhu_retention.storages.listing import frames
from sparkhu_retention.storages.mlflow_archive import read_archive
from sparkhu_retention.storages.mlflow_holds import holds_of
from sparkhu_retention.storages.mlflow_marks import (
    TAG,
    Marks,
    files_of,
    is_live,
    is_named,
    said_of,
    thing_of,
)
from sparkhu_retention.storages.mlflow_places import Places, places_of_versions
from sparkhu_retention.storages.mlflow_purging import Purge
from sparkhu_retention.storages.mlflow_rows import (
    DELETED,
    Database,
    Rows,
    Run,
    Thing,
    digest,
)
from sparkhu_retention.storages.paths import instant
from sparkhu_retention.storages.protocol import Buried, Exported
from sparkhu_retention.storages.tombstones import changed, purged

LONGEST_TAG = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Seen:
    """A run or a version as it stands."""

    item: str
    thing: Thing
    rows: Rows
    files: Mapping[str, int]

    @property
    def content(self) -> str:
        return digest({**self.rows, "files": [{"path": path, "size": size} for path, size in self.files.items()]}, TAG)

    @property
    def bytes(self) -> int:
        return sum(self.files.values()) + len(json.dumps(self.rows, default=str))


class Tracking:
    """Runs and versions of models that MLflow keeps, each an item.

    What is buried has the stage that MLflow itself gives to what is deleted, and so has the logged model of a version:
    its client does not find it any more. Its files stay until it is purged. MLflow's server offers no way back for
    versions, so it is the database that is named, and files must be reached without the server.

    Held back are a run that goes on, one that a version came from or has files of, one that a logged model of another
    run has metrics of, a version with an alias, and one that has files in common with another. A run that somebody
    restores in MLflow counts as never buried.

    Args:
        uri: SQLAlchemy URL of the database, such as `sqlite:///mlflow.db` or `postgresql+psycopg://…`.

    Raises:
        InputError: It is no database of MLflow.
        SparkhuError: It cannot be used.
    """

    kind = "mlflow"

    def __init__(self, uri: str) -> None:
        self.uri = redacted(uri)
        self._database = Database(uri)
        self._marks = Marks(self._database)

    def items(self) -> Iterator[pl.DataFrame]:
        """List runs and versions; what is deleted, by retention or otherwise, is not among them."""
        names = ("id", "dataset", "line", "start", "end", "bytes", "content", "tags", "holds")
        return frames((self._row(seen, holds) for seen, holds in self._all()), names)

    def export(self, contents: Mapping[str, str], folder: Path) -> Iterator[Exported]:
        """Write rows as Parquet, a file a table, and files as they are."""
        for item, content in contents.items():
            seen = self._seen(item)
            if seen is None or seen.content != content:
                raise changed(item, self.uri)
            for table, rows in seen.rows.items():
                target = folder / item / "rows" / f"{table}.parquet"
                with told("export", target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    pl.DataFrame(rows, infer_schema_length=None).write_parquet(target)
                yield exported_of(item, target, folder)
            for path in seen.files:
                target = folder / item / "artifacts" / path
                artifacts.fetch(files_of(seen.rows), path, target)
                yield exported_of(item, target, folder)

    def bury(self, contents: Mapping[str, str], mark: str) -> None:
        """Delete runs and versions as MLflow does, but so that there is a way back."""
        checked_mark(mark)
        seen = {item: self._seen(item, mark) for item in contents}
        with self._database.transaction() as connection:
            versions = places_of_versions(self._database, connection)
            for item, content in contents.items():
                there = seen[item]
                said = said_of(self._database.rows(connection, thing_of(item, self.uri)))
                if said and said["mark"] == mark and said["content"] == content:
                    continue
                now = self._look(connection, item, there.files) if there and not said else None
                if now is None or now.content != content or self._holds(connection, now, versions):
                    raise changed(item, self.uri)
                told_of = {"mark": mark, "content": content, "bytes": now.bytes}
                self._marks.hide(connection, now.thing, now.rows, told_of)

    def buried(self) -> Iterator[Buried]:
        """List what bears the tag of retention."""
        for item, said in self._marks.marked():
            yield Buried(item, str(said["mark"]), datetime.fromisoformat(str(said["at"])), int(said["bytes"]))

    def unbury(self, ids: Sequence[str], mark: str) -> None:
        """Give runs and versions the stage back that they had."""
        checked_mark(mark)
        with self._database.transaction() as connection:
            for item in ids:
                thing = thing_of(item, self.uri)
                rows = self._database.rows(connection, thing)
                said = said_of(rows)
                if said and said["mark"] == mark and not said["purging"]:
                    self._marks.show(connection, thing, said)
                elif said or not is_live(rows):
                    raise purged(item, self.uri)

    def purge(self, ids: Sequence[str], mark: str) -> int:
        """Remove the files and the rows of buried runs and versions; of a version MLflow keeps the number."""
        return Purge(self._database, self.uri, mark).of(ids)

    def put_back(self, archived: Iterable[Exported], folder: Path) -> None:
        """Write runs and versions anew as they were, files first."""
        given: dict[str, list[Exported]] = {}
        for each in archived:
            thing_of(each.id, self.uri)
            if not checked_id(each.path, each.id).startswith((f"{each.id}/rows/", f"{each.id}/artifacts/")):
                raise InputError(f"id must be that of the archive, got '{each.id}' for its file '{each.path}'")
            given.setdefault(each.id, []).append(each)
        for item, some in given.items():
            thing = thing_of(item, self.uri)
            with self._database.transaction() as connection:
                there = self._database.rows(connection, thing)
                if is_live(there):
                    continue
                if said_of(there):
                    raise SparkhuError(f"'{item}' of '{self.uri}' is buried. Put it back from its tombstone.")
            rows, files = read_archive(item, some, folder)
            artifacts.write(files_of(rows), files)
            with self._database.transaction() as connection:
                self._database.remove(connection, self._database.rows(connection, thing))
                self._database.add(connection, rows)

    def _all(self) -> Iterator[tuple[_Seen, list[str]]]:
        with self._database.transaction() as connection:
            places = places_of_versions(self._database, connection)
            runs, versions = (self._database.table(name).c for name in ("runs", "model_versions"))
            found = connection.execute(
                select(runs.experiment_id, runs.run_uuid)
                .where(runs.lifecycle_stage == "active")
                .order_by(runs.run_uuid)
            )
            names = [f"runs/{experiment}/{run}" for experiment, run in found]
            there = (versions.current_stage != DELETED, self._database.ours("model_versions"))
            order = (versions.name, versions.version)
            numbered = connection.execute(select(*order).where(*there).order_by(*order))
            names += [f"versions/{name}/{number}" for name, number in numbered]
        for item in (name for name in names if is_id(name) and is_named(name)):
            seen = self._seen(item)
            if seen is not None:
                with self._database.transaction() as connection:
                    holds = self._holds(connection, seen, places)
                yield seen, holds

    def _seen(self, item: str, mark: str = "") -> _Seen | None:
        """Look at a run or a version; null where there is none, or a deleted one that is not buried under the mark."""
        thing = thing_of(item, self.uri)
        with self._database.transaction() as connection:
            rows = self._database.rows(connection, thing)
            if not is_live(rows) and (said_of(rows) or {"mark": ""})["mark"] != (mark or None):
                return None
        place = files_of(rows)
        files = artifacts.sizes_of(place) if artifacts.is_reachable(place) else {}
        return _Seen(item, thing, rows, files)

    def _look(self, connection: Connection, item: str, files: Mapping[str, int]) -> _Seen | None:
        thing = thing_of(item, self.uri)
        rows = self._database.rows(connection, thing)
        if not ({"runs", "model_versions"} & rows.keys()):
            return None
        return _Seen(item, thing, rows, files)

    def _holds(self, connection: Connection, seen: _Seen, versions: Places) -> list[str]:
        return holds_of(self._database, connection, seen.thing, seen.rows, versions)

    def _row(self, seen: _Seen, holds: list[str]) -> tuple[object, ...]:
        if isinstance(seen.thing, Run):
            run = seen.rows["runs"][0]
            dataset = f"runs/{self._experiment(seen.thing)}"
            first, last = run["start_time"], run["end_time"]
            span = (_instant(first), max(_instant(last), instant(_instant(first))[1])) if first and last else None
        else:
            version = seen.rows["model_versions"][0]
            dataset, span = f"models/{seen.thing.name}", instant(_instant(version["creation_time"]))
        start, end = span or (None, None)
        told_tags = seen.rows.get("tags" if isinstance(seen.thing, Run) else "model_version_tags", [])
        tags = [f"{tag['key']}={tag['value']}" for tag in told_tags if _is_told(tag)]
        return seen.item, dataset, dataset, start, end, seen.bytes, seen.content, tags, holds

    def _experiment(self, run: Run) -> str:
        experiments = self._database.table("experiments").c
        with self._database.transaction() as connection:
            found = connection.execute(select(experiments.name).where(experiments.experiment_id == run.experiment))
            return str(found.scalar_one_or_none() or run.experiment)


def _instant(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def _is_told(tag: Mapping[str, object]) -> bool:
    """Tell whether policies may match a tag: MLflow's own are left out, and so are long ones."""
    return not str(tag["key"]).startswith("mlflow.") and len(str(tag["value"])) <= LONGEST_TAG and tag["key"] != TAG
