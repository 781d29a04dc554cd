"""Live progress of a run: a line a step, what was found said below it, what needs attention counted."""

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sparkhu_cli.terminal import FAILED, OK, Terminal, seconds_text

Event = dict[str, Any]
NAME_WIDTH: Final = 30
LONG_SECONDS: Final = 1.0


class Progress:
    """Turns the events of running steps into lines.

    A step that runs over groups of shards is one line as well: when the last group has done it, with the sums of all.

    Args:
        terminal: Where to write.
        clock: Gives seconds; replaced in tests.

    Attributes:
        records: The record of each finished step, by its name.
    """

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self._terminal = terminal
        self._clock = clock
        self._began: dict[tuple[str, int], float] = {}
        self._groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._notes: dict[str, list[str]] = defaultdict(list)

    def on_event(self, event: Event) -> None:
        """Take one event of `sparkhu.events`; kinds that say nothing to a person are passed over."""
        handlers: dict[str, Callable[[Event], None]] = {
            "step_started": self._started,
            "part_done": partial(self._done, "parts read"),
            "shard_done": partial(self._done, "shards"),
            "trial_done": partial(self._done, "trials"),
            "epoch_done": lambda event: self._done(event["what"], event),
            "step_finished": self._finished,
            "step_failed": self._failed,
            "note": self._noted,
        }
        if event["kind"] in handlers:
            handlers[event["kind"]](event)

    def _started(self, event: Event) -> None:
        self._began[event["step"], event.get("group", 0)] = self._clock()
        self._terminal.passing(f"  {event['step']}{_place(event)}")

    def _done(self, what: str, event: Event) -> None:
        seconds = self._clock() - self._began[event["step"], event.get("group", 0)]
        if seconds >= LONG_SECONDS:
            count = f"{event['done']:,} of {event['of']:,} {what}{_place(event)}"
            self._terminal.passing(f"  {event['step']:<{NAME_WIDTH}} {count}  {seconds_text(seconds)}")

    def _finished(self, event: Event) -> None:
        record = event["record"]
        if "group" in event:
            done = self._groups[event["step"]]
            done.append(record)
            if len(done) < event["groups"]:
                self._terminal.passing(f"  {event['step']:<{NAME_WIDTH}} {len(done)} of {event['groups']} groups")
                return
            record = _summed(done)
        self.records[event["step"]] = record
        rows = f"{record['rows_in']:>12,} → {record['rows_out']:<12,}"
        self._terminal.marked(OK, f"{event['step']:<{NAME_WIDTH}} {rows} {seconds_text(record['seconds']):>10}")
        self._say_notes(event["step"])

    def _failed(self, event: Event) -> None:
        self._terminal.marked(FAILED, f"{event['step']}{_place(event)}")
        self._say_notes(event["step"])

    def _noted(self, event: Event) -> None:
        self._notes[event.get("step", "")].append(event["message"])
        if not event.get("step"):
            self._say_notes("")

    def _say_notes(self, step: str) -> None:
        for message in self._notes.pop(step, []):
            self._terminal.aside(f"    {message}")


def _place(event: Event) -> str:
    return f" of group {event['group']} of {event['groups']}" if "group" in event else ""


def _summed(records: list[dict[str, Any]]) -> dict[str, Any]:
    from sparkhu.lineage import StepRecord, summed

    return dict(vars(summed([StepRecord(**record) for record in records])))
