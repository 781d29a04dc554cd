"""How the history of retention looks: a line each thing that was done, and what puts it back."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sparkhu_cli.retention_lines import moment, plain, write_json
from sparkhu_cli.terminal import SKIPPED, Terminal

if TYPE_CHECKING:
    from sparkhu_retention.service.answers import HistoryEntry, Page
    from sparkhu_retention.service.operations import Operations

COLUMNS: Final = ("line", "at (UTC)", "by", "what", "storage", "items", "policy", "run", "which")
REMOVED: Final = ("buried", "purged")
SHOWN: Final = ("policy", "version", "kind", "rows", "plan", "hold", "said")
"""Details that have a place of their own in a line."""


def show_history(operations: "Operations", history: "Page[HistoryEntry]", terminal: Terminal, *, as_json: bool) -> None:
    """Show the audit log, the newest line first; plans of nothing are counted alone, but for JSON."""
    if as_json:
        write_json(plain(history.items))
        return
    told = [entry for entry in history.items if not _is_idle(entry)]
    if not history.items:
        terminal.line("nothing was done yet")
        return
    terminal.table(COLUMNS, [_line(entry) for entry in told], [">", "<", "<", "<", "<", ">", "<", "<", "<"])
    idle = len(history.items) - len(told)
    if idle:
        terminal.aside(f"{idle:,} plan{'s' * (idle != 1)} of nothing left out; --json shows all")
    if history.next:
        terminal.aside(f"older lines: --before {history.next}")
    _tell_what_puts_back(operations, told, terminal)


def _is_idle(entry: "HistoryEntry") -> bool:
    return entry.what == "planned" and not entry.items


def _line(entry: "HistoryEntry") -> list[str]:
    return [
        str(entry.seq),
        moment(entry.at),
        entry.by,
        entry.what,
        f"{entry.storage or SKIPPED}{', archive' if entry.details.get('kind') == 'archive' else ''}",
        SKIPPED if entry.items is None else f"{entry.items:,}",
        _policy(entry),
        entry.run or SKIPPED,
        _which(entry),
    ]


def _policy(entry: "HistoryEntry") -> str:
    if entry.policy is None:
        return SKIPPED
    return f"{entry.policy} version {entry.policy_version}" if entry.policy_version else entry.policy


def _which(entry: "HistoryEntry") -> str:
    if entry.item is not None:
        return ": ".join([entry.item, *([entry.details["said"]] if "said" in entry.details else [])])
    return _details(entry.details) or SKIPPED


def _details(details: Mapping[str, Any]) -> str:
    said = [str(details["said"])] if "said" in details else []
    named = [f"{name} {details[name]}" for name in ("plan", "hold") if name in details]
    counts = [f"{count['items']:,} {step}" for step, count in details.get("counts", {}).items()]
    rest = [
        f"{name} {value}" for name, value in details.items() if name not in SHOWN and not isinstance(value, dict | list)
    ]
    return ", ".join([*named, *counts, *rest, *said])


def _tell_what_puts_back(operations: "Operations", told: Sequence["HistoryEntry"], terminal: Terminal) -> None:
    """Name the command that takes the newest removal back that can be."""
    for entry in told:
        objects = entry.details.get("objects", ())
        marks = {each.get("mark") for each in objects}
        if entry.what not in REMOVED or entry.storage is None or len(marks) != 1:
            continue
        (mark,) = marks
        if operations.comes_back(entry.storage, [each["id"] for each in objects], run=mark):
            back = f"sparkhu retention restore --storage {shlex.quote(entry.storage)} {_meant(entry, mark)}"
            terminal.aside(f"what line {entry.seq} tells of comes back by: {back}")
            return


def _meant(entry: "HistoryEntry", run: str) -> str:
    """Write what a line is about for a shell; whoever names a file must not choose what is pasted."""
    if entry.item is None:
        return f"--run {shlex.quote(run)}"
    return f"{'-- ' * entry.item.startswith('-')}{shlex.quote(entry.item)}"
