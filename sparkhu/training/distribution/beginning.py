"""The processes of a job: one for each rank of torch's, or a `horovodrun` that begins those of Horovod's."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sparkhu.training.distribution.environment import loopback, worker_environment
from sparkhu.training.distribution.job import LOG
from sparkhu.training.distribution.lock import HOLDER
from sparkhu.training.distribution.torch_ranks import MEETING
from sparkhu.tuning.processes import Process, Reaper

if TYPE_CHECKING:
    from sparkhu.training.distribution.launching import Launch

HOROVODRUN: Final = "sparkhu.training.distribution.horovodrun"
CYCLE_MILLISECONDS: Final = 3
"""How often Horovod's processes ask one another for work."""
SHELL_SIGNALLED: Final = 128
"""A shell adds it to the number of the signal that ended its command."""
SLACK_SECONDS: Final = 30
"""How much longer than the launcher Horovod's ranks wait for each other: the launcher names who lacks."""


@dataclass(frozen=True)
class Begun:
    """The workers of an attempt.

    Attributes:
        processes: One for each rank, or one `horovodrun` for all.
        log: What they print.
    """

    processes: Sequence[Process]
    log: Path

    def over(self) -> bool:
        """Say whether all have ended, or one has failed."""
        codes = [process.wait(0) for process in self.processes]
        return any(codes) or None not in codes

    def failed(self) -> str | None:
        """Say which worker failed first and how; None where none did."""
        ends = [(rank, process.wait(0)) for rank, process in enumerate(self.processes)]
        failed = [(rank, code) for rank, code in ends if code]
        if failed and len(self.processes) == 1:
            log = self.log.read_text("utf-8", "replace")
            found = re.findall(r"Process (\d+) exit with status code (\d+)", log)
            failed = [(int(rank), _of_shell(int(code))) for rank, code in found] or failed
        # Those that were connected to one that was killed end with an error of their own.
        failed.sort(key=lambda end: end[1] >= 0 or end[1] == -signal.SIGTERM)
        return f"rank {failed[0][0]} {_end(failed[0][1])}" if failed else None


@contextmanager
def begun(folder: Path, how: "Launch", holder: str, attempt: int) -> Iterator[Begun]:
    """Begin the workers of a job; they end with the block, and with this process.

    Args:
        folder: Of the job.
        how: How they are begun.
        holder: Of the lock of the job.
        attempt: How often they have been begun before.
    """
    with ExitStack() as stack:
        reaper = Reaper()
        stack.callback(reaper.close)
        log = stack.enter_context((folder / LOG).open("ab"))
        processes: list[Process] = []
        for command, environment in _commands(folder, how, holder, attempt):
            started = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
            reaper.take(started.pid)
            processes.append(Process(started, reaper))
            stack.callback(processes[-1].end)
        yield Begun(processes, folder / LOG)


def _commands(folder: Path, how: "Launch", holder: str, attempt: int) -> list[tuple[list[str], Mapping[str, str]]]:
    """Give the commands that begin the workers, and the environment of each."""
    worker = [sys.executable, "-m", how.module, str(folder), how.distribution, f"{how.join_seconds:g}"]
    if how.distribution == "horovod":
        return [(horovodrun(worker, how), _horovod_environment(how, holder))]
    meeting = folder / f"meeting-{attempt}"
    meeting.unlink(missing_ok=True)
    told = {HOLDER: holder, MEETING: str(meeting), "GLOO_SOCKET_IFNAME": loopback(), "WORLD_SIZE": str(how.workers)}
    return [
        (worker, worker_environment({**told, "RANK": str(rank), "LOCAL_RANK": str(rank)}))
        for rank in range(how.workers)
    ]


def horovodrun(worker: Sequence[str], how: "Launch") -> list[str]:
    """Give the command that begins the workers of Horovod's on this machine, or from here on the hosts."""
    hosts, interface = (how.hosts, how.interface) if how.hosts else (f"localhost:{how.workers}", loopback())
    options = horovod_options(how.workers, interface, how.join_seconds)
    return [sys.executable, "-m", HOROVODRUN, *options, "-H", hosts, *worker]


def horovod_options(workers: int, interface: str, join_seconds: float) -> list[str]:
    """Give the options of every `horovodrun`, but for where its hosts are; it keeps no cache, and unpickles none.

    Horovod's own cycle of a millisecond takes more from processors that train as well than waiting for a longer one.

    Args:
        workers: How many.
        interface: The network by which they meet.
        join_seconds: How long the launcher lets them take to join.
    """
    seconds = f"{join_seconds + SLACK_SECONDS:.0f}"
    options = ["-np", str(workers), "--gloo", "--disable-cache", "--network-interfaces", interface]
    options += ["--cycle-time-ms", str(CYCLE_MILLISECONDS)]
    return [*options, "--start-timeout", seconds, "--gloo-timeout-seconds", seconds]


def _horovod_environment(how: "Launch", holder: str) -> dict[str, str]:
    # On other hosts a lock of this one may not be seen; there the workers end as soon as one of them is gone.
    return worker_environment({} if how.hosts else {HOLDER: holder}, elsewhere=bool(how.hosts))


def _of_shell(code: int) -> int:
    return SHELL_SIGNALLED - code if code > SHELL_SIGNALLED else code


def _end(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
