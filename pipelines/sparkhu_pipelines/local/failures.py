"""Why a run on this machine ended early, from the events of its steps and from its log."""

import re
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError, SparkhuError

Event = dict[str, Any]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
REFUSAL = f"{InputError.__name__}: "


class Steps:
    """The steps of a run, as their events tell of them.

    Attributes:
        failed: Events of steps that failed, in order.
        at_work: Events of steps that have begun and not ended: a step that was killed stays here.
    """

    def __init__(self) -> None:
        self.failed: list[Event] = []
        self.at_work: list[Event] = []

    def note(self, event: Event) -> None:
        """Take note of an event."""
        if event["kind"] == "step_started":
            self.at_work.append(event)
        elif event["kind"] in ("step_finished", "step_failed"):
            self.at_work = [begun for begun in self.at_work if _who(begun) != _who(event)]
        if event["kind"] == "step_failed":
            self.failed.append(event)


def _who(event: Event) -> tuple[Any, Any]:
    return event["step"], event.get("group")


def failure(steps: Steps, log: Path) -> SparkhuError:
    """Say why a run ended before its last step.

    Returns:
        An `InputError` where a step refused the user's input, with the step's own words.
    """
    if steps.failed:
        first = steps.failed[0]
        if first["exit_code"] == InputError.exit_code:
            return InputError(first["message"])
        said = first["message"].rstrip(".")
        return SparkhuError(f"step {first['step']} failed{_place(first)}: {said}. The log '{log}' tells more.")
    if steps.at_work:
        last = steps.at_work[-1]
        killed = f"step {last['step']} was killed{_place(last)}: it ended without a word"
        return SparkhuError(f"{killed}, as when memory runs out. The log '{log}' tells more.")
    last_words = _last_error(log)
    if last_words.startswith(REFUSAL):
        return InputError(f"{last_words.removeprefix(REFUSAL)}.")
    return SparkhuError(f"the run ended before its last step: {last_words}. The log '{log}' tells more.")


def _place(event: Event) -> str:
    return f" on group {event['group']} of {event['groups']}" if "group" in event else ""


def _last_error(log: Path) -> str:
    """Find what a task died of when it could tell no event: a refusal, or the last exception of its traceback."""
    text = COLOUR.sub("", log.read_text(errors="replace"))
    found = re.findall(r"^\s*(?:\w+\.)*(\w+Error: .+)$", text, re.MULTILINE)
    own = [line for line in found if "finished with status" not in line]
    refused = [line for line in own if line.startswith(REFUSAL)]
    if own:
        return str((refused or own)[-1]).rstrip(".")
    ended = re.findall(r"Task '([\w-]+)' finished with status FAILURE", text)
    return f"task {ended[-1]} was ended without a word" if ended else "no task says why"
