"""Tests of the local runner, on a real pipeline of two tasks in real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu_pipelines.local import running
from sparkhu_pipelines.local.running import run_locally


def run(folder: Path, behaviour: str, events: list[dict[str, Any]] | None = None) -> dict[str, Path]:
    root = folder / "root"
    root.mkdir()
    seen = events if events is not None else []
    return run_locally(
        "tiny_pipeline",
        "tiny",
        {"behaviour": behaviour},
        root=root,
        log=folder / "run.log",
        on_event=seen.append,
    )


def alive(root: Path) -> list[int]:
    """Processes whose command line names the folder of the run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(root) in command:
            found.append(int(process.name))
    return found


def test_outputs_are_where_the_runner_says_and_events_tell_what_happened(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []

    outputs = run(tmp_path, "work", events)

    assert (outputs["answer"] / "total.txt").read_text() == "6"
    assert [(event["kind"], event.get("step")) for event in events] == [
        ("step_started", "produce"),
        ("note", "produce"),
        ("step_finished", "produce"),
        ("step_started", "total"),
        ("step_finished", "total"),
    ]


def test_a_step_that_refuses_the_input_gives_its_own_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^behaviour cannot be 'refuse'; give 'work'\.$"):
        run(tmp_path, "refuse")


def test_a_component_that_refuses_before_its_step_begins_gives_its_own_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^behaviour cannot be 'refuse at once'; give 'work'\.$"):
        run(tmp_path, "refuse at once")


def test_a_step_that_breaks_is_named_beside_the_log_that_holds_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(SparkhuError, match=r"step produce failed: the disk is full\. The log '.*run\.log'") as caught:
        run(tmp_path, "break")

    assert not isinstance(caught.value, InputError)
    assert "Traceback" in (tmp_path / "run.log").read_text()


def test_a_step_whose_process_is_killed_is_named(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()

    def on_event(event: dict[str, Any]) -> None:
        if event["kind"] == "note":
            for pid in alive(root):
                if b"kfp.dsl.executor_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    with pytest.raises(SparkhuError, match=r"^step produce was killed: it ended without a word, as when memory runs"):
        run_locally("tiny_pipeline", "tiny", {"behaviour": "sleep"}, root=root, log=tmp_path / "log", on_event=on_event)


def test_a_step_that_never_told_of_its_end_did_not_end_well_though_its_runner_says_so(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()

    with pytest.raises(SparkhuError, match=r"^step vanish was killed: it ended without a word"):
        run_locally("tiny_pipeline", "vanishing", {}, root=root, log=tmp_path / "log", on_event=lambda _: None)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_ends_every_process_of_it(tmp_path: Path, how: signal.Signals) -> None:
    script = (
        "import sys; from pathlib import Path; from sparkhu_pipelines.local.running import run_locally\n"
        "root = Path(sys.argv[1])\n"
        "run_locally('tiny_pipeline', 'tiny', {'behaviour': 'sleep'}, root=root, log=root / 'log',"
        " on_event=lambda event: print(event['kind'], flush=True))"
    )
    root = tmp_path / "root"
    root.mkdir()
    process = subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    try:
        assert process.stdout.readline() == "step_started\n"
        assert len(alive(root)) >= 3
        asked = time.monotonic()
        process.send_signal(how)
        process.wait(timeout=20)
        while alive(root) and time.monotonic() - asked < 10:
            time.sleep(0.05)
    finally:
        watchdog.cancel()
        process.stdout.close()

    assert process.returncode != 0
    assert time.monotonic() - asked < 10
    assert alive(root) == []


def test_a_process_that_has_ended_is_not_waited_for_though_nobody_has_asked_how() -> None:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    assert running._is_at_work(process.pid)
    process.stdin.close()
    until = time.monotonic() + 10
    while running._is_at_work(process.pid):
        assert time.monotonic() < until
    os.killpg(process.pid, 0)  # it is there: nobody has asked how it ended
    process.wait()


def test_processes_of_any_name_are_looked_over(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"sl\xffeep")
    odd.symlink_to("/bin/sleep")
    process = subprocess.Popen([odd, "60"], start_new_session=True)
    try:
        until = time.monotonic() + 10
        while b"\xff" not in Path(f"/proc/{process.pid}/comm").read_bytes():
            assert time.monotonic() < until
        assert running._is_at_work(process.pid)
    finally:
        process.kill()
        process.wait()
    assert not running._is_at_work(process.pid)


def test_a_step_that_breaks_in_a_group_ends_the_run_without_the_other_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkhu_pipelines.local.running.LAST_WORDS_SECONDS", 3.0)
    root, groups = tmp_path / "root", tmp_path / "groups"
    root.mkdir()
    began = time.monotonic()
    with pytest.raises(SparkhuError, match=r"^step work_on failed on group 1 of 5: the disk is full\. The log"):
        run_locally(
            "tiny_pipeline", "tiny_over", {"log": str(groups)}, root=root, log=tmp_path / "run.log",
            on_event=lambda _: None, groups=5,
        )  # fmt: skip

    assert "RuntimeError: the disk is full" in (tmp_path / "run.log").read_text()
    assert time.monotonic() - began < 60
    assert {"4", "5"}.isdisjoint(groups.read_text().split())
    assert alive(root) == []
