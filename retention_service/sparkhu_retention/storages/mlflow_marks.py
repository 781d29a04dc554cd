"""What MLflow's database says of what is buried: MLflow's own deleted stage, and a tag of retention beside it."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from sparkhu.errors import InputError
from sparkhu_retention.storages.ids import checked_id
from sparkhu_retention.storages.mlflow_rows import (
    DELETED,
    WORKSPACE,
    Database,
    Row,
    Rows,
    Run,
    Thing,
    Version,
    place_of,
)

TAG = "sparkhu.retention"
"""The tag of what is buried: by which run, when, what it was, and whether it is being purged."""

_ID = re.compile(r"runs/(?P<experiment>\d+)/(?P<run>[0-9a-f]{32})|versions/(?P<name>[^/:@]+)/(?P<number>[1-9]\d*)")
_TAGS = {Run: "tags", Version: "model_version_tags"}
_MAIN = {Run: "runs", Version: "model_versions"}


def thing_of(item: str, uri: str) -> Thing:
    """Tell which run or version an id names.

    Raises:
        InputError: It names none.
    """
    said = _ID.fullmatch(checked_id(item, uri))
    if said is None:
        raise InputError(f"id must be runs/<experiment>/<run> or versions/<name>/<number>, got '{item}'")
    return Run(int(said["experiment"]), said["run"]) if said["run"] else Version(said["name"], int(said["number"]))


def is_named(item: str) -> bool:
    """Tell whether `thing_of` knows an id."""
    return _ID.fullmatch(item) is not None


def main_row(rows: Rows) -> Row:
    """Give the row of the run or of the version itself."""
    return (rows.get("runs") or rows["model_versions"])[0]


def files_of(rows: Rows) -> str:
    """Give the URI of the files of a run or of a version."""
    main = main_row(rows)
    return str(main["artifact_uri"]) if "artifact_uri" in main else place_of(main)


def is_live(rows: Rows) -> bool:
    """Tell whether MLflow's client finds a run or a version."""
    if not {"runs", "model_versions"} & rows.keys():
        return False
    main = main_row(rows)
    return bool(main["lifecycle_stage"] == "active" if "lifecycle_stage" in main else main["current_stage"] != DELETED)


def said_of(rows: Rows) -> dict[str, Any] | None:
    """Read the tag of what is buried, or half purged; null where there is none, or one of what was restored since."""
    said = tag_of(rows)
    return None if said and is_live(rows) and not said["purging"] else said


def tag_of(rows: Rows) -> dict[str, Any] | None:
    """Read the tag of retention, also where somebody has restored a run in MLflow since, which leaves the tag."""
    for tag in (*rows.get("tags", ()), *rows.get("model_version_tags", ())):
        if tag["key"] == TAG:
            return dict(json.loads(tag["value"]))
    return None


def may_come_back(tag: str) -> bool:
    """Tell whether what bears a tag of retention is not half purged."""
    return not json.loads(tag)["purging"]


class Marks:
    """Sets and removes the stage and the tag of what is buried.

    Args:
        database: MLflow's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def hide(self, connection: Connection, thing: Thing, rows: Rows, said: Mapping[str, Any]) -> None:
        """Delete a run or a version as MLflow does, and write down what it was."""
        stages = {"main": main_row(rows).get("current_stage", "active")}
        for model in rows.get("logged_models", ()):
            stages[model["model_id"]] = model["lifecycle_stage"]
        at = datetime.now(UTC).isoformat()
        self.tag(connection, thing, {**said, "at": at, "stages": stages, "purging": False})
        self._set(connection, thing, {"main": DELETED, **{each: "deleted" for each in stages if each != "main"}})

    def show(self, connection: Connection, thing: Thing, said: Mapping[str, Any]) -> None:
        """Give a run or a version the stage back that it had."""
        self._set(connection, thing, said["stages"])
        self._untag(connection, thing)

    def tag(self, connection: Connection, thing: Thing, said: Mapping[str, Any]) -> None:
        """Set the tag of retention."""
        self._untag(connection, thing)
        table = self._database.table(_TAGS[type(thing)])
        whose = {"run_uuid": thing.run} if isinstance(thing, Run) else {"name": thing.name, "version": thing.number}
        if "workspace" in table.c:
            whose["workspace"] = WORKSPACE
        connection.execute(insert(table).values(key=TAG, value=json.dumps(said), **whose))

    def marked(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """List what is buried, or half purged, with what the tag says; what was restored in MLflow is not among it."""
        runs, versions = self._database.table("runs").c, self._database.table("model_versions").c
        tags, of_version = self._database.table("tags").c, self._database.table("model_version_tags").c
        asked_runs = select(runs.experiment_id, runs.run_uuid, runs.lifecycle_stage == "active", tags.value)
        asked_runs = asked_runs.where(tags.key == TAG, tags.run_uuid == runs.run_uuid)
        keys = [name for name in ("workspace", "name", "version") if name in versions]
        asked = select(versions.name, versions.version, versions.current_stage != DELETED, of_version.value)
        asked = asked.where(of_version.key == TAG, *(of_version[name] == versions[name] for name in keys))
        asked = asked.where(self._database.ours("model_versions"))
        with self._database.transaction() as connection:
            found = [(f"runs/{one}/{run}", *rest) for one, run, *rest in connection.execute(asked_runs)]
            found += [(f"versions/{name}/{number}", *rest) for name, number, *rest in connection.execute(asked)]
        for item, is_there, value in sorted(found):
            said = dict(json.loads(value))
            if said["purging"] or not is_there:
                yield item, said

    def _untag(self, connection: Connection, thing: Thing) -> None:
        table = self._database.table(_TAGS[type(thing)])
        connection.execute(delete(table).where(self._database.where(table.name, thing), table.c.key == TAG))

    def _set(self, connection: Connection, thing: Thing, stages: Mapping[str, str]) -> None:
        table = self._database.table(_MAIN[type(thing)])
        values: Row = {"current_stage": stages["main"]}
        if isinstance(thing, Run):
            is_gone = stages["main"] == DELETED
            values = {"lifecycle_stage": "deleted" if is_gone else "active"}
            values["deleted_time"] = int(time.time() * 1000) if is_gone else None
        connection.execute(update(table).where(self._database.where(table.name, thing)).values(values))
        models = self._database.table("logged_models")
        for model, stage in stages.items():
            if model != "main":
                connection.execute(update(models).where(models.c.model_id == model).values(lifecycle_stage=stage))


def redacted_row(version: Row) -> Row:
    """Give what MLflow itself leaves of a version that is deleted: its number is never given again."""
    kept = dict.fromkeys(("description", "user_id", "status_message", "storage_location"))
    texts = {"source": "REDACTED-SOURCE-PATH", "run_id": "REDACTED-RUN-ID", "run_link": "REDACTED-RUN-LINK"}
    return {**version, **kept, **texts, "current_stage": DELETED, "last_updated_time": int(time.time() * 1000)}
