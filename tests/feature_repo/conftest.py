"""A home of its own for every test, so that no state is shared."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
