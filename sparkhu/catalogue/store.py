"""The catalogue as a database: SQLite in Sparkhu's home folder, or any other by its SQLAlchemy URL.

This module imports SQLAlchemy, so it is imported where a catalogue is opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from sparkhu.catalogue.tables import check_version, create_tables, has_tables
from sparkhu.errors import InputError, SparkhuError
from sparkhu.settings import Settings
from sparkhu.sources.secrets import redacted, with_environment, without_secrets

LOCK_SECONDS = 60


def catalogue_url() -> str:
    """Name the catalogue in use: `SPARKHU_CATALOGUE`, else `catalogue.sqlite` in Sparkhu's home folder."""
    settings = Settings()
    return settings.catalogue or f"sqlite:///{settings.home.absolute() / 'catalogue.sqlite'}"


@contextmanager
def writing() -> Iterator[Connection]:
    """Open the catalogue for one change: all of it is kept when the block ends well, and nothing when it fails.

    A new catalogue gets its tables first. Of two that write at once one waits for the other.

    Raises:
        InputError: The URL cannot be read or connected to, or a newer version of Sparkhu made the catalogue.
        SparkhuError: The database cannot be used.
    """
    url = catalogue_url()
    with _failures_told(url):
        engine = _engine(url, write=True)
        _prepare(engine)
        with engine.begin() as connection:
            check_version(connection, redacted(url), lock=True)
            yield connection


@contextmanager
def reading() -> Iterator[Connection | None]:
    """Open the catalogue to read from it; nothing where there is none yet.

    Raises:
        InputError: The URL cannot be read or connected to, or a newer version of Sparkhu made the catalogue.
        SparkhuError: The database cannot be used.
    """
    url = catalogue_url()
    with _failures_told(url):
        engine = _engine(url, write=False)
        file = _sqlite_file(engine.url)
        if file is not None and not file.is_file():
            yield None
            return
        with engine.begin() as connection:
            there = has_tables(connection)
            if there:
                check_version(connection, redacted(url), lock=False)
            yield connection if there else None


@contextmanager
def _failures_told(url: str) -> Iterator[None]:
    """Tell of a database's failures without its password, causes left out: the log shows them."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SparkhuError(
            f"the catalogue '{redacted(url)}' needs the Python package '{error.name}', which is not installed. "
            "For PostgreSQL: pip install 'sparkhu[postgres]'."
        ) from None
    except ArgumentError:
        raise InputError(f"SPARKHU_CATALOGUE='{redacted(url)}' is no database URL. {_WAY_OUT}") from None
    except (SQLAlchemyError, OSError) as error:
        said = without_secrets(" ".join(str(getattr(error, "orig", None) or error).split()), url)
        # A failure without a statement is one of connecting: of the address and the password that the user gave.
        if Settings().catalogue and isinstance(error, OperationalError) and error.statement is None:
            raise InputError(f"SPARKHU_CATALOGUE='{redacted(url)}' cannot be opened: {said}. {_WAY_OUT}") from None
        raise SparkhuError(f"the catalogue '{redacted(url)}' failed: {said}") from None


_WAY_OUT = "Write dialect://user@host/database, or sqlite:////folder/catalogue.sqlite; or unset it."


def _engine(url: str, *, write: bool) -> Engine:
    opened = _parsed(url)
    file = _sqlite_file(opened)
    if file is None:
        return create_engine(opened, poolclass=NullPool, hide_parameters=True)
    if write:
        file.parent.mkdir(parents=True, exist_ok=True)
    options = {"timeout": LOCK_SECONDS, "isolation_level": None}
    engine = create_engine(opened, poolclass=NullPool, hide_parameters=True, connect_args=options)

    # SQLite's driver begins transactions late and ends them early; these are begun here, a writer's with the lock.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(with_environment(url))
    except InputError:
        raise
    except ValueError as error:
        raise ArgumentError(type(error).__name__) from None
    if parsed.get_backend_name() == "sqlite" and _sqlite_file(parsed) is None:
        raise InputError(f"SPARKHU_CATALOGUE='{redacted(url)}' would forget everything: it names no file. {_WAY_OUT}")
    return parsed


def _sqlite_file(url: URL) -> Path | None:
    """Give the file of an SQLite database; null for any other, and for one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _prepare(engine: Engine) -> None:
    """Make the tables where there are none; of two that do so at once one finds them there."""
    try:
        with engine.begin() as connection:
            if not has_tables(connection):
                create_tables(connection)
    except SQLAlchemyError:
        with engine.begin() as connection:
            there = has_tables(connection)
        if not there:
            raise
