"""Trials as processes: what they write is followed, early stopping and ends reach them, and nothing outlives them."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.engine import run_jobs
from sparkhu.tuning.following import Lines
from sparkhu.tuning.processes import processes
from sparkhu.tuning.reading import experiment_of
from sparkhu.tuning.result import Result
from tests.sparkhu.tuning.specs import PARAMETERS, container_of, document, written

ONE = PARAMETERS[:1]


def run(folder: Path, whole: dict[str, Any], command: str | None = None) -> Result:
    with processes() as launcher:
        return run_jobs(experiment_of(whole), launcher=launcher, out=folder, command=command)


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)


def test_trials_are_given_their_assignment_and_their_metrics_are_read(tmp_path: Path) -> None:
    code = """
import os, sys
given = dict(word[2:].split("=") for word in sys.argv[1:])
print("I am", os.environ["KATIB_TRIAL_NAME"], file=sys.stderr)
print("loss=" + given["lr"])
print("2024-05-01T10:00:00Z loss=7")
"""
    result = run(tmp_path, document(code=code))
    assert (result.reason, len(result.trials)) == ("ExperimentMaxTrialsReached", 6)
    for trial in result.trials:
        (seen,) = trial.observations
        assert (seen.min, seen.latest, trial.objective) == (trial.assignment["lr"], "7", float(trial.assignment["lr"]))
        log = (tmp_path / "trials" / f"{trial.name}.log").read_text()
        assert f"I am {trial.name}\n" in log


def test_a_trial_that_fails_says_its_exit_code_and_its_last_line(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        document(parameters=ONE, code="print('loss=1'); raise SystemExit('out of luck')", parallelTrialCount=1),
    )
    assert (result.succeeded, result.reason) == (False, "ExperimentFailed")
    assert result.trials[0].message == "Trial has failed. Exit code 1: out of luck"
    assert (result.trials[0].objective, result.trials[0].observations) == (None, ())


def test_a_trial_that_is_killed_says_its_signal(tmp_path: Path) -> None:
    result = run(tmp_path, document(parameters=ONE, code="import os; os.kill(os.getpid(), 9)", parallelTrialCount=1))
    assert result.trials[0].message == "Trial has failed. Ended by signal 9"


def test_a_metric_that_never_appears_fails_the_experiment(tmp_path: Path) -> None:
    result = run(tmp_path, document(parameters=ONE, code="print('accuracy=1')", parallelTrialCount=1))
    assert result.reason == "ExperimentFailed"
    assert [trial.status for trial in result.trials] == ["MetricsUnavailable"] * 3
    assert result.trials[0].message == "Metrics are not available: 'loss' was never reported"
    assert result.experiment.status.trial_metrics_unavailable == 3


def test_a_trial_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    counts = {"parallelTrialCount": 1, "maxFailedTrialCount": 1}
    whole = document(parameters=ONE, code="import time; time.sleep(60)", **counts)
    whole["spec"]["trialTemplate"]["trialSpec"]["spec"]["activeDeadlineSeconds"] = 1
    began = time.monotonic()
    result = run(tmp_path, whole)
    assert time.monotonic() - began < 10
    assert "it took longer than 1 s" in result.trials[0].message


def test_a_trial_that_is_worse_is_stopped_while_it_runs(tmp_path: Path) -> None:
    code = """
import os, time
worse = os.environ["KATIB_TRIAL_NAME"].endswith("3")
for step in range(3):
    print(f"loss={9 if worse else 1}")
if worse:
    time.sleep(60)
"""
    settings = [{"name": "min_trials_required", "value": "3"}, {"name": "start_step", "value": "2"}]
    stopping = {"algorithmName": "medianstop", "algorithmSettings": settings}
    whole = document(parameters=ONE, code=code, earlyStopping=stopping, parallelTrialCount=1, maxTrialCount=4)
    result = run(tmp_path, whole)
    assert [trial.status for trial in result.trials] == [*["Succeeded"] * 3, "EarlyStopped"]
    assert result.trials[3].objective == 9


def with_file(place: dict[str, Any], code: str) -> dict[str, Any]:
    collector = {"collector": {"kind": "File"}, "source": {"fileSystemPath": place}}
    whole = document(parameters=ONE, code=code, metricsCollectorSpec=collector)
    container_of(whole)["args"].append("--log=/katib/metrics.txt")
    return whole


WRITES = "import sys; file = open(sys.argv[2].partition('=')[2], 'a'); file.write({!r})"


def test_a_metrics_file_is_the_trials_own(tmp_path: Path) -> None:
    result = run(tmp_path, with_file({"path": "/katib/metrics.txt"}, WRITES.format("loss=0.25\n")))
    assert [trial.objective for trial in result.trials] == [0.25] * 6
    assert [len(trial.measurements) for trial in result.trials] == [1] * 6
    assert (tmp_path / "trials" / "tuned-0000" / "metrics.txt").read_text() == "loss=0.25\n"


def test_a_metrics_file_of_json_is_read(tmp_path: Path) -> None:
    lines = '{"loss": "0.5", "timestamp": 2}\n{"loss": "0.7", "timestamp": 1}\n'
    result = run(tmp_path, with_file({"path": "/katib/metrics.txt", "format": "JSON"}, WRITES.format(lines)))
    (seen,) = result.trials[0].observations
    assert (seen.latest, seen.min, seen.max) == ("0.5", "0.5", "0.7")


def test_a_metrics_file_that_is_no_json_fails_its_trial(tmp_path: Path) -> None:
    whole = with_file({"path": "/katib/metrics.txt", "format": "JSON"}, WRITES.format("loss=0.5"))
    whole["spec"]["parallelTrialCount"] = 1
    result = run(tmp_path, whole)
    assert result.trials[0].message.startswith("Trial has failed. metrics.txt: 'loss=0.5' cannot be read")


@pytest.mark.parametrize("path", ["/elsewhere/metrics.txt", "/katib/metrics", "/katib/metrics.t"])
def test_a_metrics_file_that_no_trial_is_told_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match=rf"got '{path}', which neither the command nor the environment"):
        run(tmp_path / "study", with_file({"path": path}, "print()"))
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("container", "told"),
    [
        ({"command": ["no-such-program"]}, "'no-such-program' does not exist here"),
        ({"command": None}, "the trial is what its image holds. Give it with --command, or run the image"),
        ({"workingDir": "/no/such/folder"}, "workingDir: got '/no/such/folder', which does not exist here"),
    ],
)
def test_what_does_not_exist_here_is_refused_before_the_first_trial(
    tmp_path: Path, container: dict[str, Any], told: str
) -> None:
    whole = document(parameters=ONE)
    container_of(whole).update(container)
    with pytest.raises(InputError) as raised:
        run(tmp_path / "study", whole)
    assert told in str(raised.value)
    assert not (tmp_path / "study").exists()


def test_a_given_command_runs_instead(tmp_path: Path) -> None:
    result = run(tmp_path, document(parameters=ONE), "echo loss=${trialParameters.lr}")
    assert all(trial.objective == float(trial.assignment["lr"]) for trial in result.trials)


def test_another_command_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    run(tmp_path, document(parameters=ONE), "echo loss=1")
    with pytest.raises(InputError, match=r'its kind of trials is "subprocess: echo loss=1"'):
        run(tmp_path, document(parameters=ONE), "echo loss=2")


def test_what_a_trial_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    code = "import subprocess, sys; print('left', subprocess.Popen(['sleep', '60']).pid); print('loss=1')"
    began = time.monotonic()
    run(tmp_path, document(parameters=ONE, code=code, parallelTrialCount=1, maxTrialCount=1))
    assert time.monotonic() - began < 20
    pid = int((tmp_path / "trials" / "tuned-0000.log").read_text().split()[1])
    assert wait_until_gone(pid)


KILLED = """
import sys
from pathlib import Path
from sparkhu.tuning.engine import run_jobs
from sparkhu.tuning.processes import processes
from sparkhu.tuning.reading import read_experiment
with processes() as launcher:
    run_jobs(read_experiment(Path(sys.argv[1])), launcher=launcher, out=Path(sys.argv[2]))
"""


def test_a_study_that_is_killed_leaves_no_process_and_goes_on_with_the_same_trials(tmp_path: Path) -> None:
    code = f"""
import os, pathlib, sys, time
runs = pathlib.Path({str(tmp_path)!r}) / "runs"
with runs.open("a") as file:
    file.write(" ".join([os.environ["KATIB_TRIAL_NAME"], str(os.getpid()), *sys.argv[1:]]) + "\\n")
print("loss=1", flush=True)
if not (runs.parent / "quick").exists():
    time.sleep(60)
"""
    whole = document(parameters=ONE, code=code)
    victim = subprocess.Popen([sys.executable, "-c", KILLED, str(written(tmp_path, whole)), str(tmp_path / "study")])
    runs = tmp_path / "runs"
    until = time.monotonic() + 30
    while (not runs.exists() or runs.read_text().count("\n") < 2) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    before = [line.split() for line in runs.read_text().splitlines()]
    assert all(wait_until_gone(int(pid)) for _, pid, _ in before)
    (tmp_path / "quick").touch()
    result = run(tmp_path / "study", whole)
    assert result.reason == "ExperimentMaxTrialsReached"
    after = [line.split() for line in runs.read_text().splitlines()][len(before) :]
    assert Counter(name for name, *_ in after) == Counter(trial.name for trial in result.trials)
    assert {(name, given) for name, _, given in before} <= {(name, given) for name, _, given in after}


def test_lines_are_given_when_they_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "log"
    lines = Lines(file)
    assert list(lines.new(whole=False)) == []
    file.write_bytes(b"one\r\ntw")
    assert list(lines.new(whole=False)) == ["one"]
    with file.open("ab") as sink:
        sink.write("o\ndrei ä".encode()[:-1])
    assert list(lines.new(whole=False)) == ["two"]
    with file.open("ab") as sink:
        sink.write("ä".encode()[1:])
    assert list(lines.new(whole=True)) == ["drei ä"]
