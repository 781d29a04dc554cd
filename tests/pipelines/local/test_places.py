"""Tests of what a run reaches: what its arguments and settings say, place by place."""

from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu.settings import Settings
from sparkhu_pipelines.local.places import Places, places_of


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data/2024").mkdir(parents=True)
    (tmp_path / "data/day.csv").write_text("ds,y\n")
    (tmp_path / "sales.db").touch()
    monkeypatch.chdir(tmp_path)


def found(folder: Path, settings: Settings | None = None, **arguments: str) -> Places:
    return places_of(arguments, settings or Settings(home=folder / "home"), folder / "root")


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("data/day.csv", "data/day.csv"),
        ("{here}/data", "data"),
        ("file://{here}/data/day.csv", "data/day.csv"),
        ("data/20*/[a-z]*.csv", "data"),
        ("data/../sales.db", "sales.db"),
        ("sqlite:///sales.db", "sales.db"),
        ("sqlite+pysqlite:///{here}/sales.db?mode=ro", "sales.db"),
        ("zip://day.csv::{here}/data/day.csv", "data/day.csv"),
        ("simplecache::file://{here}/data/day.csv", "data/day.csv"),
    ],
)
def test_a_source_on_this_machine_is_read_where_it_lies(tmp_path: Path, source: str, place: str) -> None:
    places = found(tmp_path, source=source.replace("{here}", str(tmp_path)))

    assert places.read == {tmp_path / place}
    assert places.is_local


@pytest.mark.parametrize(
    "source",
    [
        "s3://plant/day.csv",
        "postgresql://ann:${PASSWORD}@db/sales",
        "https://host/day.csv",
        "simplecache::s3://b/k.csv",
    ],
)
def test_a_source_elsewhere_needs_the_network_and_no_folder(tmp_path: Path, source: str) -> None:
    places = found(tmp_path, source=source)

    assert places.read == set()
    assert not places.is_local


def test_folders_that_are_written_are_made_and_those_that_are_read_are_not(tmp_path: Path) -> None:
    places = found(tmp_path, source="data/nothing.csv", lake="lake", past="results", metadata="types.csv")

    assert places.written == {tmp_path / "root", tmp_path / "home", tmp_path / "lake"}
    assert all(folder.is_dir() for folder in places.written)
    assert places.read == set()
    assert not (tmp_path / "results").exists()


def test_stores_of_the_settings_are_written_in_their_folders(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "home",
        tracking_uri=f"sqlite:///{tmp_path}/runs/mlflow.db",
        catalogue=f"sqlite:///{tmp_path}/types/catalogue.sqlite",
    )

    places = found(tmp_path, settings, source="data")

    assert places.written == {tmp_path / name for name in ("root", "home", "runs", "types")}
    assert places.is_local


def test_a_tracking_server_needs_the_network(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", tracking_uri="http://127.0.0.1:5000")

    assert not found(tmp_path, settings, source="data").is_local


def test_what_sqlite_has_not_yet_brought_into_a_database_is_read_with_it(tmp_path: Path) -> None:
    (tmp_path / "sales.db-wal").touch()

    assert found(tmp_path, source="sqlite:///sales.db").read == {tmp_path / "sales.db", tmp_path / "sales.db-wal"}


def test_a_home_folder_of_the_user_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert found(tmp_path, source="~/data").read == {tmp_path / "data"}


def test_a_store_of_files_is_the_only_folder_that_is_written_for_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", tracking_uri=f"file://{tmp_path}/runs")

    assert found(tmp_path, settings).written == {tmp_path / name for name in ("root", "home", "runs")}


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(InputError, match=f"the store '{uri}' is in memory"):
        found(tmp_path, Settings(home=tmp_path / "home", catalogue=uri))
