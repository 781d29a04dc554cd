"""`sparkhu models` and `sparkhu rollback` on a real registry."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sparkhu.registry import Candidate, Comparison, log_model, promote
from sparkhu_cli.main import sparkhu
from tests.sparkhu.registry.conftest import bundle

__all__ = ["bundle"]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(sparkhu, list(arguments))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_champion_before_forecasts_again_and_the_list_says_so(home: Path, bundle: Callable[..., Path]) -> None:
    assert invoke("models").stdout == "No model is registered yet: sparkhu run trains one.\n"
    for score in (0.5, 0.25):
        version = log_model(bundle("linear" if score == 0.5 else "seasonal_naive"), name="plant", metrics={})
        promote("plant", [Candidate(version, score)], Comparison("mae", window="validation"))
    assert invoke("models").stdout.splitlines() == ["model  versions  champion", "plant         2         2"]

    done = invoke("rollback", "plant")

    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        ["✓ champion of 'plant' is version 1 again, not 2", "undo: sparkhu rollback plant --to 2"],
    )
    lines = invoke("models", "plant").stdout.splitlines()
    assert ["champion" in line for line in lines[1:3]] == [False, True]
    assert [line.split()[0] for line in lines[1:3]] == ["2", "1"]
    assert "mae 0.250" in lines[1]
    refused = invoke("rollback", "plant")
    assert refused.exit_code == 2
    assert "no champion of 'plant' before version 1 is known" in refused.output
