"""A place for a lake of its own for every test: a folder, an S3 endpoint, and one that ignores conditions."""

from pathlib import Path

import pytest

from sparkhu.lake import Lake, create_lake


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "lake")


@pytest.fixture
def lake(place: str) -> Lake:
    return create_lake(place)
