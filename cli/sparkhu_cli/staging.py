"""Write results beside their place and move them in at the end: a folder holds a whole result or none.

A run works in a hidden folder inside the results folder, so the last step is a rename on the same disk. `run.json` is
moved away first and comes back last: where it stands, everything else is of the same run. An earlier result is kept
until the new one is whole.
"""

import json
import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sparkhu.errors import InputError
from sparkhu.folder_locks import held
from sparkhu.results import FILES, REGISTRATION, RUN, UNREGISTERED

PREFIX: Final = ".sparkhu-"


@dataclass(frozen=True)
class Stage:
    """Where a run works until it is done.

    Attributes:
        work: Folder for what the run makes on its way; it is thrown away.
        results: Folder for the files that move into the results folder.
    """

    work: Path
    results: Path


@contextmanager
def staged(out: Path, *, last: str = RUN, owned: tuple[str, ...] = FILES) -> Iterator[Stage]:
    """Give a stage whose results move into `out` when the block ends well; when it fails, `out` is as it was.

    Args:
        out: The results folder; made where it does not exist.
        last: The file that comes last: with it the folder is whole.
        owned: Names of files that an earlier result left, removed where the new one has none of that name.

    Raises:
        InputError: `out` is no folder, another run is writing into it, or it keeps models of an earlier run that were
            not registered yet and would go.
        OSError: Storage fails.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out '{out}' is a file. Name a folder.")
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    try:
        with held(out, f"another run is writing into '{out}'. Wait for it, or name another --out."):
            if UNREGISTERED in owned:
                _keep_waiting(out)
            yield from _in_stage(out, last, owned)
    except BaseException:
        for folder in made:
            if not any(folder.iterdir()):
                folder.rmdir()
        raise


def _keep_waiting(out: Path) -> None:
    """Refuse a folder whose earlier result has models that wait for being registered."""
    try:
        content = json.loads((out / UNREGISTERED / REGISTRATION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # There is none, or none that could be registered.
    if isinstance(content, dict) and content.get("registered_at") is None:
        raise InputError(
            f"--out '{out}' keeps models of an earlier run that are not registered yet. Register them first (sparkhu "
            f"register {out}), remove '{out / UNREGISTERED}', or name another --out."
        )


def _in_stage(out: Path, last: str, owned: tuple[str, ...]) -> Iterator[Stage]:
    for left_by_killed_run in out.glob(f"{PREFIX}*"):
        shutil.rmtree(left_by_killed_run)
    stage = out / f"{PREFIX}{uuid.uuid4().hex[:8]}"
    try:
        work, results = stage / "work", stage / "results"
        work.mkdir(parents=True)
        results.mkdir()
        yield Stage(work, results)
        with _signals_held():
            _publish(results, out, last, owned, aside=stage / "replaced")
    finally:
        # A second Ctrl-C must not leave half of the stage behind.
        with _signals_held():
            shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let Ctrl-C and a termination wait until the block has ended.

    A signal mask would not do: it is a thread's own, and another thread would take the signal for the whole process.
    """
    held: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda received, _: held.append(received))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


def _publish(results: Path, out: Path, last: str, owned: tuple[str, ...], aside: Path) -> None:
    """Move the earlier result aside and the new one in; where a move fails, the earlier one comes back."""
    names = sorted((path.name for path in results.iterdir()), key=lambda name: (name == last, name))
    earlier = sorted({last, *owned, *names}, key=lambda name: (name != last, name))
    aside.mkdir()
    replaced: list[str] = []
    moved: list[str] = []
    try:
        for name in earlier:
            if os.path.lexists(out / name):
                (out / name).rename(aside / name)
                replaced.append(name)
        for name in names:
            (results / name).replace(out / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            _remove(out / name)
        for name in reversed(replaced):
            (aside / name).rename(out / name)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
