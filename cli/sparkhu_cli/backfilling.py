"""Run the pipeline for many intervals of a lake, some at once: each a call of `sparkhu run` of its own."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkhu.folder_locks import is_held
from sparkhu_cli.terminal import FAILED, OK, Terminal, seconds_text

if TYPE_CHECKING:
    from sparkhu.backfilling import Slot
    from sparkhu.lake.readers import Announcement, Reader
    from sparkhu.lake.storage import Storage

POLL_SECONDS = 0.2
COMMAND = "from sparkhu_cli.main import main; main()"
GRACE_SECONDS = 20
HELD_SECONDS = 60
"""How long a run of an earlier backfill that was killed is waited for; longer, and the folder is of somebody alive."""
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class _Job:
    name: str
    process: subprocess.Popen[bytes]
    said: Path
    began: float


def run_backfill(
    parameters: Mapping[str, Any], *, first: str, last: str, every: str, parallel: int, out: Path, terminal: Terminal
) -> None:
    """Process what is new or out of date, and stop at the first interval that fails.

    Args:
        parameters: Those of every run; `lake` and `zone` among them.
        first: Start of the first interval.
        last: End of the last one.
        every: Length of an interval.
        parallel: Runs at once.
        out: Folder that holds a folder of results for each interval.
        terminal: Where progress is shown.

    Raises:
        InputError: There is no lake, or the intervals cannot be made.
        SparkhuError: A run failed; those that were under way have ended, and what they published stays.
    """
    from sparkhu.backfilling import due_slots, slots
    from sparkhu.errors import SparkhuError
    from sparkhu.lake import open_lake

    lake = open_lake(parameters["lake"])
    found = due_slots(lake, slots(first, last, every, zone=parameters["zone"]))
    due = _announced(found, terminal)
    began, total, done = time.monotonic(), len(due), 0
    reading = _announcing(lake.version().storage, _readers(due, parameters))
    with reading as announcements, tempfile.TemporaryDirectory() as scratch, _ended() as jobs:
        while due or jobs:
            for announcement in announcements:
                announcement.renew()
            while due and len(jobs) < parallel:
                slot = due.popleft()
                _wait_until_free(out / slot.name, terminal)
                limits = {"start": slot.start.isoformat(), "end": slot.end.isoformat()}
                jobs.append(_start(slot.name, {**parameters, **limits}, out / slot.name, Path(scratch)))
            terminal.passing(f"{done:,} of {total:,} intervals; {', '.join(job.name for job in jobs)} under way")
            time.sleep(POLL_SECONDS)
            for job in [job for job in jobs if job.process.poll() is not None]:
                jobs.remove(job)
                if job.process.returncode:
                    terminal.marked(FAILED, job.name)
                    raise SparkhuError(f"interval {job.name} failed: {_why(job.said)}")
                done += 1
                rest = (time.monotonic() - began) / done * (total - done)
                left = f", about {seconds_text(rest)} left" if total > done else ""
                terminal.marked(OK, f"{job.name}  {seconds_text(time.monotonic() - job.began)}{left}")
    terminal.line(f"{total:,} intervals in {seconds_text(time.monotonic() - began)}; results in {out}")


@contextmanager
def _announcing(storage: "Storage", readers: Sequence["Reader"]) -> Iterator[list["Announcement"]]:
    """Keep announcements of readers for as long as the block runs."""
    from sparkhu.lake.readers import announcing

    with ExitStack() as stack:
        yield [stack.enter_context(announcing(storage, reader)) for reader in readers]


def _readers(due: Sequence["Slot"], parameters: Mapping[str, Any]) -> list["Reader"]:
    """Say what of the lake the intervals will read, look-back included."""
    from sparkhu.lake.readers import Reader
    from sparkhu.lake.tables import OBSERVATIONS
    from sparkhu.lookback import ALL, looked_back
    from sparkhu.stages.lake_reading import PROFILES

    given, end = parameters.get("lookback", ""), due[-1].end if due else None
    start = looked_back(due[0].start, given, zone=parameters["zone"]) if due and given not in ("", ALL) else None
    return [Reader("a backfill", OBSERVATIONS, start, end), Reader("a backfill", PROFILES, None, end)]


def _announced(found: Sequence["Slot"], terminal: Terminal) -> deque["Slot"]:
    """Say what is to be done, and give it."""
    from sparkhu.backfilling import TO_DO

    due = deque(slot for slot in found if slot.due in TO_DO)
    count = Counter(slot.due for slot in found)
    terminal.line(
        f"{len(found):,} intervals: {count['done']:,} done, {len(due):,} to do, {count['out of date']:,} out of date"
    )
    if count["empty"]:
        where = "before the first observation or behind the last"
        terminal.line(f"{count['empty']:,} intervals lie {where}; they are left out")
    if removed := [slot.name for slot in found if slot.due == "removed"]:
        which = f"{len(removed):,} intervals, {removed[0]} the first,"
        terminal.line(f"{which} are left out: retention has taken observations of them out of the lake")
        terminal.line("Put these back to process them: sparkhu retention restore")
    return due


def _wait_until_free(folder: Path, terminal: Terminal) -> None:
    """Wait for a run that still holds its folder: one whose backfill was killed is on its way to its end."""
    deadline = time.monotonic() + HELD_SECONDS
    while is_held(folder) and time.monotonic() < deadline:
        terminal.passing(f"waiting for an earlier run that is writing into {folder}")
        time.sleep(POLL_SECONDS)


def _start(name: str, parameters: Mapping[str, Any], out: Path, scratch: Path) -> _Job:
    """Start a run; a password in the address of metadata reaches it by its environment and no file."""
    import yaml

    from sparkhu.sources.secrets import sealed

    metadata, secrets = sealed(parameters["metadata"])
    file, said = scratch / f"{name}.yaml", scratch / f"{name}.txt"
    file.write_text(yaml.safe_dump({**parameters, "metadata": metadata}))
    call = [sys.executable, "-c", COMMAND, "run", "--params", str(file), "--out", str(out)]
    with said.open("wb") as sink:
        process = subprocess.Popen(
            call,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **secrets},
            preexec_fn=partial(_end_with_parent, os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509 - the command has no other thread
        )
    return _Job(name, process, said, time.monotonic())


def _end_with_parent(parent: int) -> None:
    """Have the system end this process, in order, when the command that started it dies, however it dies.

    Linux alone offers that: elsewhere a run whose backfill was killed goes on to its end, and holds its folder so long.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before this was said
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _ended() -> Iterator[list[_Job]]:
    """Give a list for running jobs; however the block ends, they are asked to end, and waited for."""
    jobs: list[_Job] = []
    try:
        yield jobs
    finally:
        for job in jobs:
            job.process.terminate()
        for job in jobs:
            try:
                job.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                job.process.kill()


def _why(said: Path) -> str:
    """Find what a run says that it failed of."""
    lines = [line.strip() for line in said.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return (errors or lines or ["it said nothing"])[-1]
