"""The rows of MLflow's database that make up a run or a version of a model."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, Table, and_, create_engine, delete, event, func, insert, or_, select, true
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import ColumnElement

from sparkhu.errors import InputError, SparkhuError
from sparkhu.sources.secrets import redacted

RUN_PARTS = ("params", "metrics", "latest_metrics", "tags")
MODEL_PARTS = ("logged_model_params", "logged_model_metrics", "logged_model_tags")
TABLES = (
    *("experiments", "runs", *RUN_PARTS, "inputs", "input_tags", "logged_models", *MODEL_PARTS),
    *("model_versions", "model_version_tags", "registered_model_aliases"),
)
WORKSPACE = "default"
WAIT_SECONDS = 60
Row = dict[str, Any]
Rows = dict[str, list[Row]]
"""Rows by table; tables that have none are left out."""


@dataclass(frozen=True)
class Run:
    """A run by its id, in an experiment."""

    experiment: int
    run: str


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    name: str
    number: int


Thing = Run | Version


class Database:
    """MLflow's database, read and written where its client offers no way back.

    Args:
        uri: SQLAlchemy URL, as MLflow takes it for a store.

    Raises:
        InputError: It is none of MLflow's.
        SparkhuError: It cannot be used.
    """

    def __init__(self, uri: str) -> None:
        self._shown = redacted(uri)
        options: dict[str, Any] = {"isolation_level": "SERIALIZABLE"}
        if uri.startswith("sqlite"):
            options = {"connect_args": {"timeout": WAIT_SECONDS}}
        try:
            self._engine = create_engine(uri, poolclass=NullPool, **options)
        except (SQLAlchemyError, ImportError) as error:
            raise InputError(f"uri must lead to MLflow's database, got '{self._shown}': {error}") from error
        if uri.startswith("sqlite"):
            event.listen(self._engine, "connect", _leave_transactions_alone)
            event.listen(self._engine, "begin", _begin_to_write)
        self._tables = self._reflected()

    def table(self, name: str) -> Table:
        """Give a table."""
        return self._tables.tables[name]

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Let all that is done within be done, or nothing; nobody writes meanwhile.

        Raises:
            SparkhuError: The database failed.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            said = str(error.__cause__ or type(error).__name__).splitlines()[0]
            raise SparkhuError(f"MLflow's database '{self._shown}' failed: {said}. Nothing was changed.") from error

    def rows(self, connection: Connection, thing: Thing) -> Rows:
        """Read all rows of a run or of a version, with those of its logged model; none where there is no such thing."""
        if isinstance(thing, Run):
            found = {name: self._select(connection, name, self.where(name, thing)) for name in ("runs", *RUN_PARTS)}
            found |= self._inputs(connection, thing)
            measured = self.table("logged_model_metrics").c.run_id == thing.run
            found["logged_model_metrics"] = self._select(connection, "logged_model_metrics", measured)
        else:
            names = ("model_versions", "model_version_tags")
            found = {name: self._select(connection, name, self.where(name, thing)) for name in names}
            for version in found["model_versions"]:
                found |= self._logged(connection, place_of(version))
        return {name: some for name, some in found.items() if some}

    def where(self, table: str, thing: Thing) -> ColumnElement[bool]:
        """Give the condition that rows of a run or of a version fulfil."""
        columns = self.table(table).c
        if isinstance(thing, Run):
            is_it: ColumnElement[bool] = columns.run_uuid == thing.run
            return and_(is_it, columns.experiment_id == thing.experiment) if table == "runs" else is_it
        return and_(columns.name == thing.name, columns.version == thing.number, self.ours(table))

    def ours(self, table: str) -> ColumnElement[bool]:
        """Give the condition that rows of the workspace fulfil; older MLflow has one alone, and no name for it."""
        columns = self.table(table).c
        return columns.workspace == WORKSPACE if "workspace" in columns else true()

    def remove(self, connection: Connection, rows: Rows) -> None:
        """Remove rows, those that refer to others first."""
        for name in reversed([name for name in TABLES if name in rows]):
            table = self.table(name)
            keys = [column.name for column in table.primary_key]
            for row in rows[name]:
                connection.execute(delete(table).where(*(table.c[key] == row[key] for key in keys)))

    def add(self, connection: Connection, rows: Rows) -> None:
        """Add rows that are not there, those that are referred to first.

        A metric of a logged model belongs to a run as well: it is added where both are there, by the later of the two.
        """
        for name in (name for name in TABLES if name in rows):
            table = self.table(name)
            keys = [column.name for column in table.primary_key]
            for row in rows[name]:
                if name == "logged_model_metrics" and not self._has_both(connection, row):
                    continue
                same = [table.c[key] == row[key] for key in keys]
                if not connection.execute(select(func.count()).select_from(table).where(*same)).scalar():
                    connection.execute(insert(table).values({key: row[key] for key in row if key in table.c}))

    def _inputs(self, connection: Connection, run: Run) -> Rows:
        """Read what a run was given, and which logged models it has read and written."""
        inputs = self.table("inputs").c
        is_given = and_(inputs.destination_type == "RUN", inputs.destination_id == run.run)
        is_linked = and_(inputs.source_type.in_(("RUN_INPUT", "RUN_OUTPUT")), inputs.source_id == run.run)
        found = self._select(connection, "inputs", or_(is_given, is_linked))
        if not found:
            return {}
        of_these = self.table("input_tags").c.input_uuid.in_([row["input_uuid"] for row in found])
        return {"inputs": found, "input_tags": self._select(connection, "input_tags", of_these)}

    def _has_both(self, connection: Connection, metric: Row) -> bool:
        runs, models = self.table("runs").c, self.table("logged_models").c
        run = select(runs.run_uuid).where(runs.run_uuid == metric["run_id"])
        model = select(models.model_id).where(models.model_id == metric["model_id"])
        return connection.execute(select(run.exists() & model.exists())).scalar_one() is True

    def _logged(self, connection: Connection, place: str) -> Rows:
        models = self._select(connection, "logged_models", self.table("logged_models").c.artifact_location == place)
        ids = [model["model_id"] for model in models]
        parts = {name: self._select(connection, name, self.table(name).c.model_id.in_(ids)) for name in MODEL_PARTS}
        return {"logged_models": models, **parts}

    def _select(self, connection: Connection, name: str, condition: ColumnElement[bool]) -> list[Row]:
        table = self.table(name)
        found = connection.execute(select(table).where(condition).order_by(*table.primary_key))
        return [dict(row) for row in found.mappings()]

    def _reflected(self) -> MetaData:
        tables = MetaData()
        try:
            with self._engine.connect() as connection:
                for name in TABLES:
                    Table(name, tables, autoload_with=connection, resolve_fks=False)
        except NoSuchTableError as error:
            raise InputError(
                f"uri must lead to MLflow's database, got '{self._shown}', which has no table '{error}'. Give the "
                "backend store of MLflow 3.5 or later, such as sqlite:///mlflow.db."
            ) from error
        except SQLAlchemyError as error:
            raise SparkhuError(f"MLflow's database '{self._shown}' cannot be used: {type(error).__name__}.") from error
        return tables


DELETED = "Deleted_Internal"
"""The stage that MLflow gives to versions which are deleted."""


def place_of(version: Mapping[str, Any]) -> str:
    """Give the URI of a version's files."""
    return str(version.get("storage_location") or version["source"])


def digest(rows: Rows, without: str) -> str:
    """Tell the content of rows, but for a tag of that name and for when they were written last."""
    kept = {
        name: [
            {key: value for key, value in row.items() if not key.startswith("last_updated")}
            for row in some
            if row.get("key") != without
        ]
        for name, some in rows.items()
    }
    text = json.dumps({name: some for name, some in kept.items() if some}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _leave_transactions_alone(connection: Any, _: object) -> None:
    connection.isolation_level = None


def _begin_to_write(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
