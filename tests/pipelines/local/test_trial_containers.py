"""Trials as containers of their images: run, followed, stopped, and gone when the study is."""

import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.engine import run_jobs
from sparkhu.tuning.reading import experiment_of
from sparkhu.tuning.result import Result
from sparkhu_pipelines.local.ending import engine
from sparkhu_pipelines.local.trial_containers import containers
from tests.pipelines.local.contained import containers_of
from tests.sparkhu.tuning.specs import PARAMETERS, container_of, document, written

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("containers")]

PROGRAMS = {"bin/sh": "/bin/sh", "bin/sleep": "/bin/sleep", "bin/id": "/usr/bin/id"}


def libraries(program: str) -> set[str]:
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"(/\S+) \(0x", said))


@pytest.fixture(scope="module")
def shell_image() -> Iterator[str]:
    """Make an image that holds this machine's shell, and nothing else."""
    try:
        engine().close()
    except InputError as error:
        pytest.skip(str(error))
    name, data = f"trial-shell:{os.getpid()}", io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for place, program in PROGRAMS.items():
            archive.add(Path(program).resolve(), place)
        for library in sorted(set().union(*map(libraries, PROGRAMS.values()))):
            archive.add(Path(library).resolve(), library.removeprefix("/"))
    with closing(engine()) as client:
        client.api.import_image_from_data(data.getvalue(), *name.split(":"))
        yield name
        client.images.remove(name, force=True)


def shell(image: str, script: str, **spec: Any) -> dict[str, Any]:
    whole = document(parameters=PARAMETERS[:1], **spec)
    words = ["/bin/sh", "-c"]
    container_of(whole).update(image=image, command=words, args=[script, "--lr=${trialParameters.lr}"])
    return whole


def run(folder: Path, whole: dict[str, Any]) -> Result:
    with containers(folder) as launcher:
        return run_jobs(experiment_of(whole), launcher=launcher, out=folder)


def test_trials_run_in_their_image_and_leave_no_container(tmp_path: Path, shell_image: str) -> None:
    script = 'echo "loss=${0#--lr=} $KATIB_TRIAL_NAME"; [ ! -e /etc/passwd ] && echo "alone" >&2'
    result = run(tmp_path, shell(shell_image, script, maxTrialCount=3))
    assert result.reason == "ExperimentMaxTrialsReached"
    assert all(trial.objective == float(trial.assignment["lr"]) for trial in result.trials)
    log = (tmp_path / "trials" / "tuned-0001.log").read_text()
    assert "tuned-0001" in log
    assert "alone" in log
    assert containers_of(tmp_path) == []


def test_a_container_that_fails_says_how(tmp_path: Path, shell_image: str) -> None:
    result = run(tmp_path, shell(shell_image, "echo out of luck; exit 3", parallelTrialCount=1, maxFailedTrialCount=1))
    assert result.trials[0].message == "Trial has failed. Exit code 3: out of luck"


def test_a_container_that_cannot_begin_is_a_failed_trial(tmp_path: Path, shell_image: str) -> None:
    whole = shell(shell_image, "", parallelTrialCount=1, maxFailedTrialCount=1)
    container_of(whole)["command"] = ["/no/such/program"]
    result = run(tmp_path, whole)
    assert result.trials[0].status == "Failed"
    assert "/no/such/program" in result.trials[0].message
    assert containers_of(tmp_path) == []


def test_a_metrics_file_in_a_container_is_read(tmp_path: Path, shell_image: str) -> None:
    collector = {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"path": "/katib/metrics.log"}}}
    script = "echo loss=0.5 > /katib/metrics.log; echo loss=0.25 >> /katib/metrics.log"
    result = run(tmp_path, shell(shell_image, script, metricsCollectorSpec=collector, maxTrialCount=2))
    assert [trial.objective for trial in result.trials] == [0.25, 0.25]


def test_a_container_is_stopped_early(tmp_path: Path, shell_image: str) -> None:
    script = "case $KATIB_TRIAL_NAME in *3) echo loss=9; /bin/sleep 60;; *) echo loss=1;; esac"
    settings = [{"name": "min_trials_required", "value": "3"}, {"name": "start_step", "value": "1"}]
    stopping = {"algorithmName": "medianstop", "algorithmSettings": settings}
    began = time.monotonic()
    result = run(tmp_path, shell(shell_image, script, earlyStopping=stopping, parallelTrialCount=1, maxTrialCount=4))
    assert [trial.status for trial in result.trials] == [*["Succeeded"] * 3, "EarlyStopped"]
    assert time.monotonic() - began < 45


@pytest.mark.usefixtures("shell_image")
def test_an_image_that_is_not_here_is_refused_before_the_first_trial(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'no-such-image:1' is not on this machine. Fetch it: docker pull no-such"):
        run(tmp_path / "study", shell("no-such-image:1", ""))
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_stopped_leaves_no_container(
    tmp_path: Path, shell_image: str, number: signal.Signals
) -> None:
    file, out = written(tmp_path, shell(shell_image, "echo begun; /bin/sleep 60")), tmp_path / "tuned"
    words = ["tune", str(file), "--runner", "docker", "--out", str(out)]
    command = subprocess.Popen(
        [sys.executable, "-c", "from sparkhu_cli.main import main; main()", *words],
        env={**os.environ, "SPARKHU_HOME": str(tmp_path / "home")},
        stdout=subprocess.DEVNULL,
    )
    logs = [out / "trials" / f"tuned-000{place}.log" for place in range(2)]
    until = time.monotonic() + 40
    while not all(log.exists() and log.read_text() for log in logs) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(containers_of(out)) == 2
    os.kill(command.pid, number)
    code = command.wait(40)
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    until = time.monotonic() + (20 if number == signal.SIGKILL else 0)
    while containers_of(out) and time.monotonic() < until:
        time.sleep(0.1)
    assert containers_of(out) == []
