"""`sparkhu demo` and, with the champion that it leaves, `sparkhu forecast`: the real pipelines from end to end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from sparkhu.results import json_schemas

SPARKHU = [sys.executable, "-c", "from sparkhu_cli.main import main; main()"]
PROMISED = {
    "report.html",
    "run.json",
    "clean.parquet",
    "stats.parquet",
    "forecasts.parquet",
    "metrics.json",
    "ledger.parquet",
    "quarantine.parquet",
}
pytestmark = pytest.mark.slow


def sparkhu(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*SPARKHU, *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("demo") / "results"
    return out, sparkhu("demo", "--out", out)


Demo = tuple[Path, subprocess.CompletedProcess[str]]


def document(out: Path, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def test_the_demo_leaves_every_promised_file(demo: Demo) -> None:
    out, done = demo
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in out.iterdir()} >= PROMISED
    assert done.stdout.splitlines()[-1] == f"Open the report: {out / 'report.html'}"


@pytest.mark.parametrize("name", ["run", "metrics"])
def test_the_demos_documents_follow_their_schemas(demo: Demo, name: str) -> None:
    jsonschema.validate(document(demo[0], name), json_schemas()[f"{name}.schema.json"])


def test_the_demo_forecasts_every_series_of_several_periods(demo: Demo) -> None:
    out, _ = demo
    forecasts = pl.read_parquet(out / "forecasts.parquet")
    assert forecasts["unique_id"].n_unique() == 17
    assert not forecasts["y_hat"].is_null().any()
    assert set(document(out, "metrics")["groups"]) == {"1w/52", "1mo/12", "1q/4", "1y/1"}


def test_the_demo_says_every_step_once_in_run_json_and_on_the_terminal(demo: Demo) -> None:
    out, done = demo
    steps = [step["step"] for step in document(out, "run")["steps"]]
    assert len(set(steps)) == len(steps)
    assert sorted(line.split()[1] for line in done.stdout.splitlines() if line.startswith("✓")) == sorted(steps)


def test_the_champion_forecasts_the_same_series_without_training(demo: Demo, tmp_path: Path) -> None:
    source = document(demo[0], "run")["parameters"]["source"]
    done = sparkhu("forecast", "--source", source, "--model", "demo", "--out", tmp_path / "new")
    assert (done.returncode, done.stderr) == (0, "")
    keys = ["unique_id", "ds"]
    first = pl.read_parquet(demo[0] / "forecasts.parquet").sort(keys)
    again = pl.read_parquet(tmp_path / "new" / "forecasts.parquet").sort(keys)
    assert again.select(keys).equals(first.select(keys))
    assert (again["y_hat"] - first["y_hat"]).abs().max() == pytest.approx(0, abs=1e-9)
    assert not any(step["step"].startswith("train") for step in document(tmp_path / "new", "run")["steps"])
