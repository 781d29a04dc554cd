"""Opening the database: tables are made once, are those of the models, and what is asked in vain is told."""

import multiprocessing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.database.opening import VERSIONS, Database, open_database
from sparkhu_retention.database.tables import Base, Key


def test_migrations_make_the_tables_of_the_models(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSIONS})
        assert compare_metadata(context, Base.metadata) == []


def test_an_open_database_is_opened_again_with_what_is_in_it(url: str) -> None:
    first = Database(url)
    with first.writing() as connection:
        connection.execute(sa.text("UPDATE retention_lease SET token = 7"))
    first.close()
    second = Database(url)
    with second.reading() as connection:
        assert connection.scalar(sa.text("SELECT token FROM retention_lease")) == 7
    second.close()


def opened(url: str) -> None:
    Database(url).close()


def test_of_several_that_open_a_new_database_at_once_each_finds_its_tables(url: str) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=opened, args=(url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4


def test_what_fails_is_rolled_back(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            connection.execute(sa.text("UPDATE retention_lease SET token = 7"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with database.reading() as connection:
        assert connection.scalar(sa.text("SELECT token FROM retention_lease")) == 0


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    old = Database(url)
    with old.writing() as connection:
        connection.execute(sa.text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
    old.close()
    with pytest.raises(InputError, match="tables of version 9999"):
        Database(url)


def test_sqlite_waits_until_what_it_was_told_is_on_the_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'retention.sqlite'}")
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    database.close()


def test_the_default_lies_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    open_database().close()
    assert (tmp_path / "home" / "retention.sqlite").is_file()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "is no database URL"),
        ("sqlite://", "names no file"),
        ("mysql://ann:pea@host/db", "must be SQLite or PostgreSQL"),
        ("postgresql+psycopg://ann:${RETENTION_UNSET}@host/db", "RETENTION_UNSET, which is not set"),
    ],
)
def test_urls_that_cannot_be_used_are_refused(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        Database(url)
    assert "pea" not in str(caught.value)


def test_a_server_that_is_away_is_told_of_without_the_password() -> None:
    with pytest.raises(SparkhuError, match="failed") as caught:
        Database("postgresql+psycopg://ann:peacock@127.0.0.1:9/db")
    assert "peacock" not in str(caught.value)


def test_a_key_is_kept_once(database: Database) -> None:
    row = {"role": "viewer", "salt": "s", "digest": "d", "made_at": sa.func.current_timestamp()}
    with database.writing() as connection:
        connection.execute(sa.insert(Key).values(name="one", **row))
    with pytest.raises(SparkhuError), database.writing() as connection:
        connection.execute(sa.insert(Key).values(name="two", **row))
