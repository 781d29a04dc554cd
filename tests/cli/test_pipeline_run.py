"""What a finished run leaves in its results folder and says at its end."""

import io
import json
from pathlib import Path

import pytest

from sparkhu import ledger
from sparkhu.lineage import StepRecord, Trail
from sparkhu_cli.pipeline_run import _collect, _summarise
from sparkhu_cli.staging import Stage
from sparkhu_cli.terminal import Terminal


@pytest.fixture
def outputs(tmp_path: Path) -> dict[str, Path]:
    """The outputs of a pipeline: results with a history, a report, and what was published."""
    places = {name: tmp_path / name for name in ("results", "report", "published")}
    for name in ("results", "published"):
        places[name].mkdir()
    entries = ledger.with_step(ledger.entries(["a"]), "publish")
    Trail().extended(StepRecord("publish", "2024-01-01T00:00:00+00:00", 1.0), entries).write(places["results"])
    places["report"].write_text("<html>")
    told = {"version": 3, "lake": "plant/lake", "run": "run-1"}
    (places["published"] / "published.json").write_text(json.dumps(told))
    return places


def finished(outputs: dict[str, Path], lake: str) -> tuple[Path, str]:
    out = outputs["results"].parent / "out"
    out.mkdir()
    given = {"lake": lake, "source": "", "metadata": ""}
    record = _collect(outputs, {}, Stage(out, out), "forecast", given)
    said = io.StringIO()
    _summarise(record, out, 1.0, Terminal(said))
    return out, said.getvalue()


def test_a_run_over_a_lake_says_and_keeps_what_it_published_as(outputs: dict[str, Path]) -> None:
    out, said = finished(outputs, "plant/lake")
    assert "Version 3 of 'plant/lake' holds the interval, published by run-1\n" in said
    assert json.loads((out / "published.json").read_text())["run"] == "run-1"
    assert said.splitlines()[-1].startswith("Open the report")


def test_a_forecast_from_a_lake_publishes_nothing(outputs: dict[str, Path]) -> None:
    del outputs["published"]
    out, said = finished(outputs, "plant/lake")
    assert "holds the interval" not in said
    assert not (out / "published.json").exists()


def test_a_run_over_a_source_says_nothing_of_a_lake(outputs: dict[str, Path]) -> None:
    out, said = finished(outputs, "")
    assert "holds the interval" not in said
    assert not (out / "published.json").exists()
