"""`sparkhu tune`: what a person sees of an experiment, and how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from click.testing import CliRunner, Result

from sparkhu_cli.main import sparkhu
from tests.sparkhu.tuning.specs import PARAMETERS, document, written

ONE = PARAMETERS[:1]
CODE = "import sys; print('loss=' + sys.argv[1].partition('=')[2])"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))


def tune(folder: Path, *words: str, **spec: Any) -> Result:
    spec = {"parameters": ONE, "code": CODE, **spec}
    file = written(folder, document(**spec))
    return CliRunner().invoke(sparkhu, ["tune", str(file), "--out", str(folder / "tuned"), *words])


def test_an_experiment_is_told_trial_by_trial_and_ends_with_the_best_values(tmp_path: Path) -> None:
    result = tune(tmp_path)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "tuned: minimize loss over lr; random, 6 trials, 2 at once"
    assert len([line for line in lines if re.match(r"✓ tuned-000\d +0\.0\d+ +\d\.\d s  lr=0\.0\d+", line)]) == 6
    status = yaml.safe_load((tmp_path / "tuned" / "experiment.yaml").read_text())["status"]
    best = status["currentOptimalTrial"]
    assert re.fullmatch(r"6 trials in \d+\.\d s; max trial count has reached", lines[-4])
    assert lines[-3].endswith(f"({best['bestTrialName']}) with lr={best['parameterAssignments'][0]['value']}")
    assert lines[-2].startswith(f"results in {tmp_path / 'tuned'}: experiment.yaml, trials.parquet")
    assert lines[-1].startswith("next: train with the best values")
    assert pl.read_parquet(tmp_path / "tuned" / "trials.parquet").height == 6


def test_the_example_of_the_documentation_runs_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "tuning.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    file = tmp_path / "experiment.yaml"
    file.write_text(example, "utf-8")
    result = CliRunner().invoke(sparkhu, ["tune", str(file), "--out", str(tmp_path / "tuned")])
    assert result.exit_code == 0, result.output
    table = pl.read_parquet(tmp_path / "tuned" / "trials.parquet")
    assert set(table["status"]) <= {"Succeeded", "Killed"}


def test_the_same_command_again_does_no_trial(tmp_path: Path) -> None:
    first, again = tune(tmp_path), tune(tmp_path)
    assert again.exit_code == 0
    assert "6 trials earlier, none now" in again.output
    assert again.output.splitlines()[-3:] == first.output.splitlines()[-3:]


def test_the_same_command_goes_on_with_the_best_of_what_there_was(tmp_path: Path) -> None:
    code = "import os; print('loss=' + os.environ['KATIB_TRIAL_NAME'][-1])"
    tune(tmp_path, code=code, parallelTrialCount=1)
    journal = tmp_path / "tuned" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:6]))  # two trials have ended, and the third has begun
    result = tune(tmp_path, code=code, parallelTrialCount=1)
    assert [line[:12] for line in result.output.splitlines()[1:5]] == [f"✓ tuned-000{number}" for number in range(2, 6)]
    assert "best so far" not in result.output
    journal.write_text("".join(lines[:-1]))
    assert "6 trials earlier, none now" in tune(tmp_path, code=code, parallelTrialCount=1).output


def test_an_experiment_that_fails_ends_with_1_and_says_where_to_look(tmp_path: Path) -> None:
    result = tune(tmp_path, code="raise SystemExit('out of luck')", parallelTrialCount=1)
    assert result.exit_code == 1
    assert "✗ tuned-0000" in result.output
    assert "the experiment failed: max failed count has reached. The last one, tuned-000" in result.stderr
    assert "Exit code 1: out of luck. See " in result.stderr
    assert str(tmp_path / "tuned" / "trials") in result.stderr
    status = yaml.safe_load((tmp_path / "tuned" / "experiment.yaml").read_text())["status"]
    assert status["conditions"][-1]["type"] == "Failed"


def test_a_metric_that_never_appears_is_named(tmp_path: Path) -> None:
    result = tune(tmp_path, code="print('accuracy=1')")
    assert result.exit_code == 1
    assert "'loss' was never reported" in result.stderr


def test_a_command_takes_the_place_of_the_containers(tmp_path: Path) -> None:
    result = tune(tmp_path, "--command", "echo loss=${trialParameters.lr}", code="raise SystemExit(1)")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--namespace", "research"], "--namespace is for --engine katib, got --engine local"),
        (["--command", "no-such-program"], "'no-such-program' does not exist here"),
        (["--engine", "katib", "--command", "true"], "--command is for --engine local, got --engine katib"),
        (["--engine", "katib", "--runner", "docker"], "--runner is for --engine local, got --engine katib"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, words: list[str], told: str) -> None:
    result = tune(tmp_path, *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "tuned").exists()


def test_katib_needs_a_namespace(tmp_path: Path) -> None:
    whole = document(parameters=ONE)
    del whole["metadata"]["namespace"]
    file = written(tmp_path, whole)
    result = CliRunner().invoke(sparkhu, ["tune", str(file), "--engine", "katib", "--out", str(tmp_path / "tuned")])
    assert result.exit_code == 2
    assert "metadata.namespace: the experiment names none. Name it there, or with --namespace" in result.stderr


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"algorithm": {"algorithmName": "annealing"}}, "annealing"),
        ({"maxTrialCount": -1, "maxFailedTrialCount": None}, "spec.maxTrialCount: got -1, must be 1 or more"),
    ],
)
def test_an_experiment_that_cannot_be_run_ends_with_2(tmp_path: Path, spec: dict[str, Any], told: str) -> None:
    result = tune(tmp_path, **spec)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "tuned").exists()


@pytest.mark.parametrize("module", ["kubeflow_katib_api", "re2", "kubernetes"])
def test_without_the_extra_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    words = ("--engine", "katib", "--namespace", "team") if module == "kubernetes" else ()
    result = tune(tmp_path, *words)
    assert result.exit_code == 1
    told = f"this command needs '{module}'. Install it with: pip install 'sparkhu[tuning]'"
    assert told in " ".join(result.output.split())


def stop(folder: Path, number: signal.Signals) -> tuple[int, str, list[int]]:
    """Send a signal to the command while two trials run; give its exit code, what it said, and its trials' pids."""
    code = "import os, sys, time; print('pid', os.getpid(), flush=True); time.sleep(60)"
    file = written(folder, document(parameters=ONE, code=code))
    words = ["from sparkhu_cli.main import main; main()", "tune", str(file), "--out", str(folder / "tuned")]
    command = subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    logs = [folder / "tuned" / "trials" / f"tuned-{number:04d}.log" for number in range(2)]
    until = time.monotonic() + 30
    while not all(log.exists() and log.read_text().endswith("\n") for log in logs) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(command.pid, number)
    said, _ = command.communicate(timeout=30)
    return command.returncode, said.decode(), [int(log.read_text().split()[1]) for log in logs]


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_ctrl_c_ends_the_trials_and_leaves_a_result(tmp_path: Path) -> None:
    code, said, pids = stop(tmp_path, signal.SIGINT)
    assert code == 130, said
    assert "interrupted; 0 trials have ended, those under way were ended" in said
    assert said.splitlines()[-1] == "next: the same command goes on from here"
    assert all(has_ended(pid) for pid in pids)
    status = yaml.safe_load((tmp_path / "tuned" / "experiment.yaml").read_text())["status"]
    assert status["killedTrialList"] == ["tuned-0000", "tuned-0001"]
    assert pl.read_parquet(tmp_path / "tuned" / "trials.parquet").height == 2


def test_a_command_that_is_asked_to_end_leaves_no_trial(tmp_path: Path) -> None:
    code, said, pids = stop(tmp_path, signal.SIGTERM)
    assert code == 128 + signal.SIGTERM, said
    assert all(has_ended(pid) for pid in pids)
