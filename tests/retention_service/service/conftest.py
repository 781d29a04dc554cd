"""A service on a database of its own, over a folder of dated files."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sparkhu_retention.database.opening import Database, open_database
from sparkhu_retention.places import Place
from sparkhu_retention.service.app import make_app
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.keys import Keys
from sparkhu_retention.service.settings import RetentionSettings

Client = Callable[..., TestClient]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'retention.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def keys(database: Database) -> dict[str, str]:
    """A key of each role."""
    return {role: Keys(database).add(f"a-{role}", role, by="test") for role in ("viewer", "operator")}


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A folder of a file a day, of January 2023."""
    folder = tmp_path / "live"
    for day in range(1, 31):
        file = folder / f"logs/day=2023-01-{day:02d}/part.txt"
        file.parent.mkdir(parents=True)
        file.write_text(f"day {day}\n" * 100)
    return folder


@pytest.fixture
def place(live: Path, tmp_path: Path) -> Place:
    (tmp_path / "archive").mkdir()
    options = {"dates": "day={date}"}
    return Place(name="plant", uri=str(live), kind="folder", archive=str(tmp_path / "archive"), options=options)


@pytest.fixture
def operations(database: Database, place: Place) -> Embedded:
    return Embedded(database, {place.name: place})


@pytest.fixture
def client(database: Database, operations: Embedded, keys: dict[str, str]) -> Iterator[Client]:
    """Make a client that signs in as a role, and whose service has the given settings."""
    opened = []

    def make(role: str | None = "operator", peer: str = "127.0.0.1", **settings: Any) -> TestClient:
        app = make_app(operations, Keys(database), RetentionSettings(**settings))
        headers = {"Authorization": f"Bearer {keys[role]}"} if role else {}
        made = TestClient(app, headers=headers, client=(peer, 50_000), raise_server_exceptions=False)
        opened.append(made)
        return made.__enter__()

    yield make
    for each in opened:
        each.__exit__(None, None, None)
