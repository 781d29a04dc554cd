"""Run a pipeline on this machine: each task a process or a container of its own, driven by kfp's local runner.

The driver runs in a session of its own, so that Ctrl-C reaches it once and in order: the whole group is ended before
the caller sees `KeyboardInterrupt`. Its output goes to a log file; what a person should see arrives as events.
"""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from sparkhu.errors import SparkhuError
from sparkhu_pipelines.local.ending import ending
from sparkhu_pipelines.local.failures import Event, Steps, failure

POLL_SECONDS = 0.05
GRACE_SECONDS = 3.0
LAST_WORDS_SECONDS = 10.0
"""How long a run may go on once a step of a group has failed, so that its traceback reaches the log. KFP's runner would
run all groups that are left; without groups it ends the run itself."""


def run_locally(
    module: str,
    pipeline: str,
    arguments: Mapping[str, Any],
    *,
    root: Path,
    log: Path,
    on_event: Callable[[Event], None],
    environment: Mapping[str, str] | None = None,
    groups: int | None = None,
    runner: str = "subprocess",
) -> dict[str, Path]:
    """Run a pipeline and wait for it.

    Args:
        module: Module that holds the pipeline, such as `sparkhu_pipelines.forecast`.
        pipeline: Name of the pipeline function in it.
        arguments: The pipeline's arguments.
        root: Empty folder for the artifacts; the caller removes it.
        log: File that the tasks' output is appended to.
        on_event: Called with each event of the running steps (see `sparkhu.events`).
        environment: Variables that the steps see beside those of this process, such as passwords.
        groups: Where given, `pipeline` is a function that makes the pipeline for so many groups of shards. KFP's local
            runner works at two of them at a time.
        runner: `subprocess`, or `docker`: tasks are containers of the components' images, which see what the arguments
            and settings name and nothing else (see `sparkhu_pipelines.local.containers`).

    Returns:
        The folder or file of each output of the pipeline.

    Raises:
        InputError: A step refused the user's input; the message is the step's own.
        SparkhuError: A step failed for another reason; the message names the step and the log.
        KeyboardInterrupt: Ctrl-C; all processes and containers of the run have ended.
    """
    events, outputs = root / "events.jsonl", root / "outputs.json"
    root, steps = root.absolute(), Steps()
    places = {"root": str(root), "artifacts": str(root / "artifacts"), "outputs": str(outputs)}
    about = {"module": module, "pipeline": pipeline, "arguments": dict(arguments)}
    job = {**about, "groups": groups, "runner": runner, **places}
    with log.open("ab") as sink:
        driver = _start(job, root, events, sink, environment or {})
        try:
            for event in _follow(events, driver):
                steps.note(event)
                on_event(event)
        finally:
            left = _end_all(driver, root if runner == "docker" else None)
    if driver.returncode != 0 or not outputs.exists():
        raise failure(steps, log)
    if left:
        raise SparkhuError(left)
    return {name: Path(path) for name, path in json.loads(outputs.read_text()).items()}


def _start(
    job: Mapping[str, Any], root: Path, events: Path, sink: IO[bytes], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the driver in a session of its own; what its tasks leave in temporary folders stays inside `root`.

    Nothing is written to its standard input: it ends with this process, also when this one is killed.
    """
    file, scratch = root / "job.json", root / "tmp"
    file.write_text(json.dumps(job))
    events.touch()
    scratch.mkdir()
    # A Docker engine would make it where it is not, as its own.
    Path(job["artifacts"]).mkdir()
    told = {"SPARKHU_EVENTS": str(events), "PYTHONUNBUFFERED": "1", "TMPDIR": str(scratch)}
    return subprocess.Popen(
        [sys.executable, "-m", "sparkhu_pipelines.local.driver", str(file)],
        stdin=subprocess.PIPE,
        stdout=sink,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment, **told},
        start_new_session=True,
    )


def _follow(events: Path, driver: subprocess.Popen[bytes]) -> Iterator[Event]:
    """Yield events as they are written, until the driver has ended, or soon after a step of a group has failed."""
    with events.open() as lines:
        pending, until = "", math.inf
        while True:
            ended = driver.poll() is not None or time.monotonic() > until
            for part in lines:
                pending += part
                if pending.endswith("\n"):
                    event = json.loads(pending)
                    pending = ""
                    if event["kind"] == "step_failed" and "group" in event:
                        until = min(until, time.monotonic() + LAST_WORDS_SECONDS)
                    yield event
            if ended:
                return
            time.sleep(POLL_SECONDS)


def _end_all(driver: subprocess.Popen[bytes], root: Path | None) -> str:
    """End the driver with its processes, and the containers of a run in `root`; say what is left."""
    try:
        _end(driver)
    finally:
        # Also where Ctrl-C came a second time.
        containers = ending(root) if root else None
    if root is None or containers is None or containers.wait() == 0:
        return ""
    return f"containers may be left: {(root / 'ending.log').read_text(errors='replace').strip().splitlines()[-1]}"


def _end(driver: subprocess.Popen[bytes]) -> None:
    """End every process of the driver's group: asked first, forced after a grace period."""
    for ask, grace in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, None)):
        try:
            os.killpg(driver.pid, ask)
        except ProcessLookupError:
            break
        _wait_for_group(driver, grace)
    driver.wait()
    if driver.stdin:
        driver.stdin.close()


def _wait_for_group(driver: subprocess.Popen[bytes], seconds: float | None) -> None:
    until = time.monotonic() + (seconds or GRACE_SECONDS)
    while time.monotonic() < until:
        driver.poll()
        if not _is_at_work(driver.pid):
            return
        time.sleep(POLL_SECONDS)


def _is_at_work(group: int) -> bool:
    """Tell whether a process of the group has not ended; those that ended and were not yet asked how count as ended.

    What outlives the task that began it falls to the system's first process, which in a container may never ask.
    """
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            # The name of a process, in brackets, may be any bytes.
            state, _, of = stat.read_bytes().rpartition(b")")[2].split()[:3]
            if int(of) == group and state != b"Z":
                return True
    return False
