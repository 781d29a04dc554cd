"""Where the catalogue is, what it refuses, and what it never says."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from sparkhu.catalogue.store import catalogue_url
from sparkhu.catalogue.syncing import catalogued, sync
from sparkhu.catalogue.tables import SERIES, VERSION
from sparkhu.errors import InputError, SparkhuError
from tests.sparkhu.catalogue.conftest import series


def test_it_is_in_the_home_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    assert catalogue_url() == f"sqlite:///{tmp_path / 'home' / 'catalogue.sqlite'}"
    assert catalogued().height == 0
    assert not (tmp_path / "home").exists(), "to look makes no file"
    sync(series(("a",)), "plant")
    assert (tmp_path / "home" / "catalogue.sqlite").is_file()


def test_a_newer_schema_is_refused_for_reading_and_writing(catalogue: str) -> None:
    sync(series(("a",)), "plant")
    with sa.create_engine(catalogue, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.update(VERSION).values(version=2))
    message = "has schema 2, this version of Sparkhu knows 1. Update Sparkhu, or name another catalogue in SPARKHU_CATA"
    with pytest.raises(InputError, match=message) as caught:
        catalogued()
    with pytest.raises(InputError, match=message):
        sync(series(("b",)), "plant")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("plant.db", "SPARKHU_CATALOGUE='plant.db' is no database URL. Write dialect://"),
        ("nosuch://ann:pea@host/x", r"SPARKHU_CATALOGUE='nosuch://ann:\*\*\*@host/x' is no database URL"),
        ("postgresql://ann:pea@host:port/x", r"'postgresql://ann:\*\*\*@host:port/x' is no database URL"),
        ("sqlite://", "SPARKHU_CATALOGUE='sqlite://' would forget everything"),
        ("sqlite:///:memory:", "would forget everything"),
        ("postgresql://ann:${NOT_SET}@host/x", "needs the environment variable NOT_SET"),
    ],
)
def test_a_url_that_cannot_be_is_the_users_to_mend(url: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_CATALOGUE", url)
    for use in (catalogued, lambda: sync(series(("a",)), "plant")):
        with pytest.raises(InputError, match=message):
            use()


def test_a_database_that_cannot_be_connected_to_is_the_users_to_mend_and_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARKHU_CATALOGUE", "postgresql+psycopg://ann:pea%2Fnut@127.0.0.1:1/x")
    with pytest.raises(
        InputError, match=r"CATALOGUE='postgresql\+psycopg://ann:\*\*\*@127.* cannot be opened"
    ) as caught:
        catalogued()
    assert "nut" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_wrong_password_is_not_repeated(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = sa.make_url(postgres_url).set(password="wr0ng").render_as_string(hide_password=False)
    monkeypatch.setenv("SPARKHU_CATALOGUE", wrong)
    with pytest.raises(InputError, match="password authentication failed") as caught:
        sync(series(("a",)), "plant")
    assert "wr0ng" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.sqlite").write_text("no database at all" * 100)
    monkeypatch.setenv("SPARKHU_CATALOGUE", f"sqlite:///{tmp_path}/c.sqlite")
    with pytest.raises(SparkhuError, match="failed: file is not a database"):
        sync(series(("a",)), "plant")


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_CATALOGUE", "mysql+mysqldb://ann:pea@host/x")
    with pytest.raises(SparkhuError, match="needs the Python package 'MySQLdb'"):
        catalogued()


def test_keys_have_a_length_where_a_database_needs_one() -> None:
    made = str(CreateTable(SERIES).compile(dialect=mysql.dialect()))  # type: ignore[no-untyped-call]
    assert "unique_id VARCHAR(255) NOT NULL" in made
