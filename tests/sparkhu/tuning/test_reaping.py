"""Process groups whose keeper is gone are ended."""

import signal
import subprocess
import sys
import time

from sparkhu.tuning import reaping


def test_groups_that_were_not_said_to_have_ended_are_left() -> None:
    assert reaping.left(["+1\n", "+2\n", "-1\n", "+3\n", "-4\n"]) == {2, 3}


def test_groups_are_asked_and_then_forced() -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    polite = "import time; print(1, flush=True); time.sleep(60)"
    begun = [
        subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
        for code in (polite, stubborn)
    ]
    for process in begun:
        assert process.stdout is not None
        process.stdout.readline()
    began = time.monotonic()
    reaping.end([process.pid for process in begun], seconds=0.5)
    assert time.monotonic() - began >= 0.5
    codes = [process.wait(5) for process in begun]
    for process in begun:
        assert process.stdout is not None
        process.stdout.close()
    assert codes == [-signal.SIGTERM, -signal.SIGKILL]


def test_groups_that_are_gone_are_passed_over() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    process.wait()
    reaping.end([process.pid])
