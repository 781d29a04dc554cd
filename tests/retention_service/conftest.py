"""What every test of the retention service has."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of the test's own: models that other tests have promoted need nothing here."""
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
