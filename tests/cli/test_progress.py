"""Events of running steps, as lines."""

import io
from typing import Any

import pytest

from sparkhu_cli.progress import Progress
from sparkhu_cli.terminal import Terminal
from tests.cli.test_terminal import Screen


def events(*kinds: dict[str, Any], live: bool = False, times: list[float] | None = None) -> str:
    stream = Screen() if live else io.StringIO()
    ticks = iter(times or [0.0] * 100)
    progress = Progress(Terminal(stream), clock=lambda: next(ticks))
    for event in kinds:
        progress.on_event(event)
    return stream.getvalue()


STARTED = {"kind": "step_started", "step": "ingest"}
FINISHED = {
    "kind": "step_finished",
    "step": "ingest",
    "record": {"rows_in": 17420, "rows_out": 121940, "seconds": 0.83},
}


def test_a_finished_step_is_one_line_with_rows_and_seconds() -> None:
    line = events(STARTED, FINISHED)
    assert line == f"✓ {'ingest':<30} {'17,420':>12} → {'121,940':<12} {'0.8 s':>10}\n"


def test_notes_stand_below_their_step() -> None:
    note = {"kind": "note", "step": "ingest", "message": "time column: date"}
    lines = events(STARTED, note, FINISHED).splitlines()
    assert lines[0].startswith("✓ ingest")
    assert lines[1] == "    time column: date"


def test_a_note_of_no_step_is_said_at_once() -> None:
    assert events({"kind": "note", "message": "hello"}) == "    hello\n"


def test_a_failed_step_is_marked_and_its_notes_are_kept() -> None:
    note = {"kind": "note", "step": "ingest", "message": "found this"}
    failed = {"kind": "step_failed", "step": "ingest", "message": "no", "exit_code": 2}
    assert events(STARTED, note, failed) == "✗ ingest\n    found this\n"


def test_shards_done_are_shown_on_a_terminal_once_a_step_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    shard = {"kind": "shard_done", "step": "ingest", "done": 3, "of": 1200}
    text = events(STARTED, shard, shard, live=True, times=[0.0, 0.9, 2.0])
    assert text == f"  ingest\r\x1b[2K  {'ingest':<30} 3 of 1,200 shards  2.0 s"


def test_parts_of_a_source_are_shown_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    part = {"kind": "part_done", "step": "ingest", "done": 2, "of": 20}
    text = events(STARTED, part, live=True, times=[0.0, 2.0])
    assert text.endswith(f"  {'ingest':<30} 2 of 20 parts read  2.0 s")


def test_shards_done_are_not_shown_elsewhere() -> None:
    shard = {"kind": "shard_done", "step": "ingest", "done": 3, "of": 1200}
    assert events(STARTED, shard, times=[0.0, 100.0]) == ""


def test_events_of_an_unknown_kind_are_passed_over() -> None:
    assert events({"kind": "heartbeat"}) == ""
