"""Trials as processes of this machine, each the head of a process group that ends with it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final

from sparkhu.errors import InputError, SparkhuError
from sparkhu.tuning import reaping
from sparkhu.tuning.following import check_file_named
from sparkhu.tuning.jobs import Work
from sparkhu.tuning.templates import PLACEHOLDER

GRACE_SECONDS: Final = 5.0


class Processes:
    """Begins trials as processes; they end with this process, however it ends."""

    kind = "subprocess"

    def __init__(self, reaper: "Reaper") -> None:
        self._reaper = reaper

    def check(self, work: Work, metrics_file: str | None) -> None:
        """Check that there is a command, that it exists here, and that it is told its file.

        Raises:
            InputError: One of them is not so.
        """
        path = "spec.trialTemplate.trialSpec…command"
        if not work.command:
            told = "there is none, so that the trial is what its image holds"
            raise InputError(f"{path}: {told}. Give it with --command, or run the image: --runner docker.")
        head = work.command[0]
        if not PLACEHOLDER.search(head) and shutil.which(head) is None:
            told = f"'{head}' does not exist here. Give another command with --command, or run the image"
            raise InputError(f"{path}: {told}: --runner docker.")
        if work.folder is not None and not Path(work.folder).is_dir():
            told = f"got '{work.folder}', which does not exist here. Leave it out, or run the image: --runner docker"
            raise InputError(f"spec.trialTemplate.trialSpec…workingDir: {told}.")
        if metrics_file is not None:
            check_file_named(work, metrics_file)

    def launch(self, work: Work, log: Path, metrics_file: str | None) -> tuple["Process", Path]:
        """Begin a trial; a file that it reports into lies in a folder of the trial's own.

        Raises:
            SparkhuError: It cannot begin.
        """
        source = log
        if metrics_file is not None:
            source = log.with_suffix("") / Path(metrics_file).name
            source.parent.mkdir(exist_ok=True)
            source.unlink(missing_ok=True)
            work = work.elsewhere(metrics_file, str(source.absolute()))
        # A value that waits in a buffer comes too late for early stopping.
        environment = {"PYTHONUNBUFFERED": "1"} | os.environ | dict(work.environment)
        try:
            with log.open("wb") as sink:
                process = subprocess.Popen(
                    work.words,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    cwd=work.folder,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise SparkhuError(f"'{work.words[0]}' cannot begin: {error.strerror or error}") from error
        self._reaper.take(process.pid)
        return Process(process, self._reaper), source


class Process:
    """A trial that is a process group."""

    def __init__(self, process: "subprocess.Popen[bytes]", reaper: "Reaper") -> None:
        self._process = process
        self._reaper = reaper

    def wait(self, seconds: float) -> int | None:
        """Wait so long for its end at most, and give its exit code; None while it runs."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """End the group: asked first, forced after a grace period."""
        group = self._process.pid
        if self._process.poll() is None:
            _signal(group, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
        # What the head of the group left behind ends with it, as in a container.
        _signal(group, signal.SIGKILL)
        self._process.wait()
        self._reaper.release(group)


class Reaper:
    """A process that ends the groups that are left when this process is gone."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(reaping.__file__))], stdin=subprocess.PIPE, start_new_session=True
        )

    def take(self, group: int) -> None:
        """Keep a group in mind."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """Forget a group that has ended."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the groups that are left, and the reaper."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        stream = self._process.stdin
        with self._lock:
            if stream is not None and not stream.closed:
                stream.write(line.encode())
                stream.flush()


@contextmanager
def processes() -> Iterator[Processes]:
    """Give what begins processes; none of them outlives the block, nor this process."""
    reaper = Reaper()
    try:
        yield Processes(reaper)
    finally:
        reaper.close()


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
