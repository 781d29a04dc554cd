"""Open the service's database: SQLite in Sparkhu's home folder, or any other by its SQLAlchemy URL.

What is written lasts when a transaction ends; of two that write to SQLite at once one waits. Tables are made, and
brought to the version of this code, when a database is opened.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from sparkhu.errors import InputError, SparkhuError
from sparkhu.settings import Settings
from sparkhu.sources.secrets import redacted, with_environment, without_secrets

MIGRATIONS = Path(__file__).with_name("migrations")
VERSIONS = "retention_schema"
NEWEST = "0001"
LOCK_SECONDS = 60
MIGRATING = 7_275_031_864
"""Which advisory lock of PostgreSQL lets one process at a time migrate."""
_WAY_OUT = "Write sqlite:////folder/retention.sqlite or postgresql+psycopg://user:${PASSWORD}@host/database."


class Database:
    """An open database.

    Args:
        url: SQLAlchemy URL; `${NAME}` stands for the environment variable.

    Attributes:
        name: The URL without its secrets.
        engine: SQLAlchemy's.
        clock: Tells the time, UTC; null: the server does, or this machine where its file is the database.

    Raises:
        InputError: The URL cannot be used, or a newer version of Sparkhu made the tables.
        SparkhuError: The database fails.
    """

    def __init__(self, url: str) -> None:
        self.name = redacted(url)
        self._url = url
        self.clock: Callable[[], datetime] | None = None
        with self._failures_told():
            self.engine = _engine(url, self.name)
            try:
                self._migrate()
            except BaseException:
                self.close()
                raise

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction: all of it is kept when the block ends well, and nothing when it fails."""
        with (
            self._failures_told(),
            self.engine.connect().execution_options(writing=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin a transaction that only reads."""
        with self._failures_told(), self.engine.connect() as connection, connection.begin():
            yield connection

    def now(self, connection: Connection) -> datetime:
        """Tell the time, UTC, by one clock for all who share the database."""
        if self.clock is not None:
            return self.clock()
        if connection.dialect.name != "postgresql":
            return datetime.now(UTC)
        told: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return told.astimezone(UTC)

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()

    def _migrate(self) -> None:
        with self.engine.connect() as connection, connection.begin():
            if _version(connection) == NEWEST:
                return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
            version = _version(connection)
            if version == NEWEST:
                return
            if version is not None and version > NEWEST:
                raise InputError(
                    f"the database '{self.name}' has tables of version {version}, this version of Sparkhu knows up to "
                    f"{NEWEST}. Update Sparkhu, or name another database."
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        """Tell of failures without the password; causes are left out, because logs show them."""
        try:
            yield
        except ModuleNotFoundError as error:
            raise SparkhuError(
                f"the database '{self.name}' needs the Python package '{error.name}', which is not installed. "
                "For PostgreSQL: pip install 'sparkhu[postgres]'."
            ) from None
        except ArgumentError:
            raise InputError(f"'{self.name}' is no database URL. {_WAY_OUT}") from None
        except SQLAlchemyError as error:
            said = " ".join(str(getattr(error, "orig", None) or error).split())
            raise SparkhuError(f"the database '{self.name}' failed: {without_secrets(said, self._url)}") from None


def open_database(url: str | None = None) -> Database:
    """Open the database of the service and bring its tables up to date.

    Args:
        url: SQLAlchemy URL; null: `retention.sqlite` in Sparkhu's home folder.

    Raises:
        InputError: The URL cannot be used, or a newer version of Sparkhu made the tables.
        SparkhuError: The database fails.
    """
    return Database(url or f"sqlite:///{Settings().home.absolute() / 'retention.sqlite'}")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSIONS):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSIONS}"))
    return found


def _engine(url: str, name: str) -> Engine:
    try:
        parsed: URL = make_url(with_environment(url))
    except InputError:
        raise
    except ValueError as error:
        raise ArgumentError(type(error).__name__) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise InputError(f"the database must be SQLite or PostgreSQL, got '{name}'. {_WAY_OUT}")
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed, hide_parameters=True, pool_pre_ping=True)
    if parsed.database in (None, "", ":memory:"):
        raise InputError(f"'{name}' would forget everything: it names no file. {_WAY_OUT}")
    folder = Path(str(parsed.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder '{folder}' of the database cannot be made: {error.strerror}.") from None
    options = {"timeout": LOCK_SECONDS, "isolation_level": None}
    engine = create_engine(parsed, hide_parameters=True, connect_args=options)

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        # Written before a storage is touched means: on the disk.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    # SQLite's driver begins transactions late and ends them early; these are begun here, a writer's with the lock.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
