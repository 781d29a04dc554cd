"""What a study did, line by line, on disk: it survives the end of its process at any moment.

The journal is a file of JSON lines in the folder of the study. A line counts once it is whole and on disk, and what it
tells has not happened before: a trial whose beginning is written and whose end is not is run again under the same
assignment.
"""

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sparkhu.durable_folders import sync_folder
from sparkhu.errors import InputError, SparkhuError
from sparkhu.tuning.trials import Measurement, Observation, Status, Trial

JOURNAL: Final = "journal.jsonl"
VERSION: Final = 1


@dataclass
class Past:
    """What a study did before.

    Attributes:
        started: When it was begun, UTC.
        trials: Every trial, in the order of their numbers; those under way when it was stopped are `Running`.
        reason: Why it ended; None where it did not.
        ended: When it ended, UTC.
    """

    started: datetime
    trials: list[Trial] = field(default_factory=list)
    reason: str | None = None
    ended: datetime | None = None


class Journal:
    """The journal of a study; held by one process at a time.

    Args:
        folder: Folder of the study; made where there is none.
        identity: What the study is. A journal of another one is refused.

    Attributes:
        past: What the study did before; empty where it begins now.

    Raises:
        InputError: The folder is of another study, or another process works at it.
        SparkhuError: The journal is damaged.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.place = folder / JOURNAL
        self._handle = os.open(self.place, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._hold()
            self.past = self._read(identity)
            self._trials = len(self.past.trials)
        except BaseException:
            self.close()
            raise

    def begun(self, trials: Sequence[Trial]) -> None:
        """Keep that trials begin; one of an earlier process that is run again is in the journal already."""
        fresh = [trial for trial in trials if trial.number >= self._trials]
        if fresh:
            self._append([{"kind": "begun", "trial": _begun_document(trial)} for trial in fresh])
            self._trials += len(fresh)

    def ended(self, trials: Sequence[Trial]) -> None:
        """Keep how trials ended."""
        self._append([{"kind": "ended", "trial": _ended_document(trial)} for trial in trials])

    def finished(self, reason: str, at: datetime) -> None:
        """Keep that the study ended, and why."""
        self._append([{"kind": "finished", "reason": reason, "at": at.isoformat()}])

    def restarted(self) -> None:
        """Keep that a study which had ended goes on."""
        self._append([{"kind": "restarted"}])

    def close(self) -> None:
        """Let go of the journal."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _hold(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = "Wait for it, end it, or name another folder."
            raise InputError(f"another process works at the study in '{self.place.parent}'. {told}") from None

    def _read(self, identity: Mapping[str, Any]) -> Past:
        lines = self._whole_lines()
        if not lines:
            started = datetime.now(UTC)
            self._append([{"kind": "study", "version": VERSION, "identity": identity, "at": started.isoformat()}])
            sync_folder(self.place.parent)
            return Past(started)
        self._check(lines[0], identity)
        past = Past(datetime.fromisoformat(lines[0]["at"]))
        for number, line in enumerate(lines[1:], start=2):
            try:
                _replay(past, line)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise self._damaged(number) from error
        return past

    def _whole_lines(self) -> list[dict[str, Any]]:
        """Read the lines; what a process that was killed left of its last one is cut away."""
        text = self.place.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            os.ftruncate(self._handle, len(whole))
        lines = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                lines.append(json.loads(line))
            except ValueError:
                raise self._damaged(number) from None
        return lines

    def _check(self, header: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        if header.get("kind") != "study" or header.get("version") != VERSION:
            raise self._damaged(1)
        theirs, ours = header["identity"], json.loads(_line({"identity": identity}))["identity"]
        if theirs != ours:
            name, their, our = _first_difference(theirs, ours, "")
            told = f"its {name} is {_short(their)}, here it is {_short(our)}"
            way_out = "Name another folder, or remove this one."
            raise InputError(f"'{self.place.parent}' holds another study: {told}. {way_out}")

    def _damaged(self, number: int) -> SparkhuError:
        return SparkhuError(
            f"line {number} of '{self.place}' is damaged. Cut the file before that line to go on from there, or name "
            "another folder."
        )

    def _append(self, documents: Sequence[Mapping[str, Any]]) -> None:
        data = "".join(map(_line, documents)).encode()
        before = os.fstat(self._handle).st_size
        try:
            while data:
                data = data[os.write(self._handle, data) :]
            os.fsync(self._handle)
        except BaseException:
            # A full disk, or Ctrl-C between two parts: no half line may stay before what is written next.
            with suppress(OSError):
                os.ftruncate(self._handle, before)
            raise


def _line(document: Mapping[str, Any]) -> str:
    """Write a document as a line; a date, which YAML may hold, is written as a text."""
    return f"{json.dumps(document, separators=(',', ':'), default=str)}\n"


def _begun_document(trial: Trial) -> dict[str, Any]:
    document: dict[str, Any] = {"number": trial.number, "name": trial.name, "assignment": dict(trial.assignment)}
    return document | ({"labels": dict(trial.labels)} if trial.labels else {})


def _ended_document(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "status": trial.status,
        "started": trial.started and trial.started.isoformat(),
        "ended": trial.ended and trial.ended.isoformat(),
        "measurements": [[m.at.isoformat(), m.metric, m.value] for m in trial.measurements],
        "observations": [[o.metric, o.latest, o.min, o.max] for o in trial.observations],
        "objective": trial.objective,
        "message": trial.message,
    }


def _replay(past: Past, line: Mapping[str, Any]) -> None:
    """Let one line happen."""
    kind = line["kind"]
    if kind == "begun":
        told = line["trial"]
        trial = Trial(told["number"], told["name"], told["assignment"], told.get("labels", {}))
        if trial.number == len(past.trials):
            past.trials.append(trial)
        elif trial not in past.trials:  # journals of earlier versions tell again of a trial that is run again
            raise ValueError(f"trial {trial.number} does not follow trial {len(past.trials) - 1}")
    elif kind == "ended":
        told = line["trial"]
        past.trials[told["number"]] = _ended(past.trials[told["number"]], told)
    elif kind == "finished":
        past.reason, past.ended = line["reason"], datetime.fromisoformat(line["at"])
    elif kind == "restarted":
        past.reason, past.ended = None, None
    else:
        raise ValueError(f"unknown kind '{kind}'")


def _ended(trial: Trial, told: Mapping[str, Any]) -> Trial:
    status: Status = told["status"]
    return replace(
        trial,
        status=status,
        started=_moment(told["started"]),
        ended=_moment(told["ended"]),
        measurements=tuple(Measurement(datetime.fromisoformat(at), *rest) for at, *rest in told["measurements"]),
        observations=tuple(Observation(*texts) for texts in told["observations"]),
        objective=told["objective"],
        message=told["message"],
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _first_difference(theirs: Any, ours: Any, path: str) -> tuple[str, Any, Any]:
    """Find where two documents differ, and what stands there."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        name = next(name for name in {**ours, **theirs} if theirs.get(name) != ours.get(name))
        return _first_difference(theirs.get(name), ours.get(name), f"{path}.{name}" if path else name)
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        place = next(place for place, pair in enumerate(zip(theirs, ours, strict=True)) if pair[0] != pair[1])
        return _first_difference(theirs[place], ours[place], f"{path}[{place}]")
    return path, theirs, ours


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
