"""A world of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkhu_retention.database.opening import Database
from tests.retention_service.applying.world import ARCHIVED, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database(f"sqlite:///{tmp_path / 'retention.sqlite'}")
    made = World(tmp_path, database)
    made.policy(ARCHIVED)
    yield made
    database.close()
