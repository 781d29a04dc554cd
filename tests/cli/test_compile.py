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


def test_fan_out_puts_preparation_into_a_loop_over_groups(tmp_path: Path) -> None:
    result = CliRunner().invoke(sparkhu, ["compile", "--fan-out", "7", "--out", str(tmp_path)])
    assert (result.exit_code, result.stderr) == (0, "")
    tasks = next(yaml.safe_load_all((tmp_path / "forecast.yaml").read_text()))["root"]["dag"]["tasks"]
    loops = [task["parameterIterator"]["items"]["raw"] for task in tasks.values() if "parameterIterator" in task]
    assert loops == ["[1, 2, 3, 4, 5, 6, 7]"]


@pytest.mark.parametrize("groups", ["0", "101", "many"])
@pytest.mark.parametrize("command", ["compile", "run"])
def test_another_number_of_groups_is_refused_before_anything_starts(tmp_path: Path, command: str, groups: str) -> None:
    result = CliRunner().invoke(sparkhu, [command, "--fan-out", groups, "--out", str(tmp_path / "out")])
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "--fan-out" in result.stderr


def test_a_file_of_settings_gives_every_task_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("{registry: registry.example.org, defaults: {memory_limit: 20Gi}}")
    words = ["compile", "--cluster", str(tmp_path / "cluster.yaml"), "--out", str(tmp_path / "compiled")]
    assert CliRunner().invoke(sparkhu, words).exit_code == 0
    for name in ("forecast", "predict"):
        pipeline = next(yaml.safe_load_all((tmp_path / "compiled" / f"{name}.yaml").read_text()))
        containers = [each["container"] for each in pipeline["deploymentSpec"]["executors"].values()]
        assert {each["resources"]["resourceMemoryLimit"] for each in containers} == {"20Gi"}
        assert all(each["image"].startswith("registry.example.org/sparkhu/") for each in containers)


def test_settings_that_cannot_be_leave_nothing_compiled(tmp_path: Path) -> None:
    out = tmp_path / "compiled"
    (tmp_path / "cluster.yaml").write_text("defaults: {memory: lots}")
    for file, message in (("cluster.yaml", "'defaults.memory' cannot be 'lots'"), ("none.yaml", "cannot be read")):
        result = CliRunner().invoke(sparkhu, ["compile", "--cluster", str(tmp_path / file), "--out", str(out)])
        assert (result.exit_code, out.exists()) == (2, False)
        assert message in result.stderr
