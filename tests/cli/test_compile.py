"""`sparkhu compile`: YAML that Kubeflow Pipelines runs."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sparkhu_cli.main import sparkhu


def test_every_pipeline_is_written_as_yaml_and_named(tmp_path: Path) -> None:
    out = tmp_path / "compiled"
    result = CliRunner().invoke(sparkhu, ["compile", "--out", str(out)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.split() == [str(out / "forecast.yaml"), str(out / "predict.yaml")]
    for path in out.iterdir():
        assert yaml.safe_load(path.read_text())["pipelineInfo"]["name"] == f"sparkhu-{path.stem}"


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkhu_pipelines.compiling.PIPELINES", {"forecast": "forecast_pipeline", "x": "none"})
    result = CliRunner().invoke(sparkhu, ["compile", "--out", str(tmp_path / "compiled")])
    assert (result.exit_code, list(tmp_path.iterdir())) == (1, [])
