"""The online store: the newest features of every series in SQLite, changed all at once."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

from feast import FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.sqlite import SqliteOnlineStore, SqliteOnlineStoreConfig, _quote_id, _table_id
from feast.online_response import OnlineResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.utils import to_naive_utc

from sparkhu.errors import SparkhuError
from sparkhu_features.state import state_path

WAIT_SECONDS = 60.0
"""How long one that materialises waits for another."""

_writing: ContextVar[tuple[object, sqlite3.Connection] | None] = ContextVar("writing", default=None)

Rows = list[tuple[EntityKey, dict[str, Value], datetime, datetime | None]]


class WholeSqliteOnlineStoreConfig(SqliteOnlineStoreConfig):
    """The part `online_store` of `feature_store.yaml`.

    Attributes:
        type: Names this store.
        path: The SQLite file; a relative one lies below Sparkhu's home.
    """

    type: str = "sparkhu_features.online.WholeSqliteOnlineStore"
    path: str = "online.db"


class WholeSqliteOnlineStore(SqliteOnlineStore):
    """Feast's SQLite store; what is materialised appears whole, and never takes the place of newer rows.

    The file has a write-ahead log: readers go on while rows are written, and see the old ones until the new ones are
    committed; one answer holds the rows of one commit. A writer that is killed leaves the old ones. The file must lie
    on a disk of this machine.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reading = threading.local()

    @staticmethod
    def _get_db_path(config: RepoConfig) -> str:
        return str(state_path(config.online_store.path))

    def _get_conn(self, config: RepoConfig) -> sqlite3.Connection:
        if writer := self._writer():
            return writer
        if not hasattr(self._reading, "connection"):
            self._reading.connection = _connect(self._get_db_path(config))
        return self._reading.connection  # type: ignore[no-any-return]

    def get_online_features(self, config: RepoConfig, *arguments: Any, **options: Any) -> OnlineResponse:
        """Read the features of entities, all views as of one commit; see Feast's documentation."""
        connection = self._get_conn(config)
        connection.execute("BEGIN")
        try:
            return super().get_online_features(config, *arguments, **options)
        finally:
            connection.rollback()

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Any]) -> None:
        """Remove the file and its log."""
        self._get_conn(config).close()
        del self._reading.connection
        for ending in ("", "-wal", "-shm"):
            Path(self._get_db_path(config) + ending).unlink(missing_ok=True)

    @contextmanager
    def whole(self, config: RepoConfig) -> Iterator[None]:
        """Let all that is written within appear at once, or not at all.

        Raises:
            SparkhuError: Another program was writing all the time.
        """
        connection = _connect(self._get_db_path(config))
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise SparkhuError(
                f"'{self._get_db_path(config)}' could not be written for {WAIT_SECONDS:g} s: {error}. Nothing was "
                "changed. Let the other program end, and run it again."
            ) from error
        token = _writing.set((self, connection))
        try:
            yield
            connection.commit()
        finally:
            _writing.reset(token)
            connection.close()  # what is not committed is rolled back

    def _writer(self) -> sqlite3.Connection | None:
        """Give the connection of `whole`: other threads read on, on one of their own."""
        held = _writing.get()
        return held[1] if held and held[0] is self else None

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: Rows, progress: Callable[[int], Any] | None
    ) -> None:
        """Write rows; one that is older than what is there is left out. Within `whole` nothing is seen yet."""
        if self._writer() is None:
            with self.whole(config):
                self.online_write_batch(config, table, data, progress)
            return
        name = _quote_id(_table_id(config.project, table, config.registry.enable_online_feature_view_versioning))
        # Rows of one moment replace each other: a snapshot that was published anew is the better one.
        self._get_conn(config).executemany(
            f"INSERT INTO {name} (entity_key, feature_name, value, event_ts, created_ts) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (entity_key, feature_name) DO UPDATE SET "
            "value = excluded.value, event_ts = excluded.event_ts, created_ts = excluded.created_ts "
            "WHERE excluded.event_ts >= event_ts OR event_ts IS NULL",
            _cells(config, data),
        )
        if progress:
            progress(len(data))

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Any],
        entities_to_keep: Sequence[Any],
        partial: bool,
    ) -> None:
        """Make the tables of new views and drop those of views that are gone, all at once."""
        with self.whole(config):
            super().update(
                config, tables_to_delete, tables_to_keep, entities_to_delete, entities_to_keep, partial=partial
            )


def counted(config: RepoConfig, views: Sequence[FeatureView]) -> dict[str, int]:
    """Count the entities of each view that have online rows; nothing is counted in a store of another kind."""
    if not isinstance(config.online_store, WholeSqliteOnlineStoreConfig):
        return {}
    versioning = config.registry.enable_online_feature_view_versioning
    with closing(_connect(str(state_path(config.online_store.path)))) as connection:
        return {
            view.name: connection.execute(
                f"SELECT count(DISTINCT entity_key) FROM {_quote_id(_table_id(config.project, view, versioning))}"
            ).fetchone()[0]
            for view in views
        }


def _cells(config: RepoConfig, data: Rows) -> Iterator[tuple[bytes, str, bytes, datetime, datetime | None]]:
    """Give the cells of rows, one a feature, as the table holds them."""
    for key, values, at, created in data:
        entity = serialize_entity_key(key, config.entity_key_serialization_version)
        moments = to_naive_utc(at), created and to_naive_utc(created)
        for name, value in values.items():
            yield entity, name, value.SerializeToString(), *moments


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=WAIT_SECONDS,
        detect_types=sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES,
        check_same_thread=False,
        isolation_level=None,
    )
    connection.execute("PRAGMA journal_mode = WAL")
    return connection
