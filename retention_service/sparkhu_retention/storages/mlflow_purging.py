"""Runs and versions of MLflow removed for good, and nothing that another needs."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection

from sparkhu_retention.storages import mlflow_files as artifacts
from sparkhu_retention.storages.ids import checked_mark
from sparkhu_retention.storages.mlflow_holds import holds_of
from sparkhu_retention.storages.mlflow_marks import (
    Marks,
    files_of,
    is_live,
    main_row,
    redacted_row,
    tag_of,
    thing_of,
)
from sparkhu_retention.storages.mlflow_places import Places, places_of_runs, places_of_versions, written_once
from sparkhu_retention.storages.mlflow_rows import MODEL_PARTS, Database, Rows, Run, Thing, Version
from sparkhu_retention.storages.protocol import Changed


class Purge:
    """Removes what was buried under a mark.

    Args:
        database: MLflow's.
        uri: How messages name it.
        mark: Of the run that buried.
    """

    def __init__(self, database: Database, uri: str, mark: str) -> None:
        self._database, self._uri, self._mark = database, uri, checked_mark(mark)
        self._marks = Marks(database)
        self._gone: set[str] = set()
        self._written = cache(written_once)

    def of(self, ids: Sequence[str]) -> int:
        """Remove files and rows; what is gone already is no matter.

        Files that another has as well, which is there or may come back, stay for it.

        Returns:
            Bytes that were freed.

        Raises:
            Changed: Something needs one again, or somebody has restored it in MLflow; nothing of the call was done.
        """
        things = {item: thing_of(item, self._uri) for item in ids}
        with self._database.transaction() as connection:
            runs = places_of_runs(self._database, connection, self._written)
            versions = places_of_versions(self._database, connection, self._written)
            for item, thing in things.items():
                self._due(connection, item, thing, versions)
        return sum(self._purged(item, thing, runs) for item, thing in things.items())

    def _purged(self, item: str, thing: Thing, runs: Places) -> int:
        with self._database.transaction() as connection:
            versions = places_of_versions(self._database, connection, self._written)
            due = self._due(connection, item, thing, versions)
            if due is None:
                return 0
            rows, said = due
            self._marks.tag(connection, thing, {**said, "purging": True})
        place = files_of(rows)
        shared = runs.sharing(place, item) | versions.sharing(place, item)
        kept = {path for owner, path in shared.items() if owner.item not in self._gone}
        stays = artifacts.remove(place, kept)
        self._remove(thing, rows, with_models=isinstance(thing, Run) or not kept)
        self._gone.add(item)
        return int(said["bytes"]) - stays

    def _due(
        self, connection: Connection, item: str, thing: Thing, versions: Places
    ) -> tuple[Rows, dict[str, Any]] | None:
        """Give the rows and the tag of what is buried under the mark; null where it is not."""
        rows = self._database.rows(connection, thing)
        said = tag_of(rows)
        if said is None or said["mark"] != self._mark:
            return None
        needed = ["somebody has restored it in MLflow"] if is_live(rows) else []
        needed += holds_of(self._database, connection, thing, rows, versions)
        if needed and not said["purging"]:
            raise Changed(f"'{item}' of '{self._uri}' is not purged: {'; '.join(needed)}. Plan again.")
        return rows, said

    def _remove(self, thing: Thing, rows: Rows, *, with_models: bool) -> None:
        """Remove rows; those of logged models stay where others are made of them too."""
        kept = () if with_models else ("logged_models", *MODEL_PARTS)
        with self._database.transaction() as connection:
            self._database.remove(connection, {name: some for name, some in rows.items() if name not in kept})
            if isinstance(thing, Version):
                self._database.add(connection, {"model_versions": [redacted_row(main_row(rows))]})
