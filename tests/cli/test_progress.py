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


def test_epochs_are_shown_as_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    epoch = {"kind": "epoch_done", "step": "ingest", "what": "epochs of lstm 1h/24", "done": 2, "of": 8}
    text = events(STARTED, epoch, live=True, times=[0.0, 2.0])
    assert text.endswith(f"  {'ingest':<30} 2 of 8 epochs of lstm 1h/24  2.0 s")


def test_shards_done_are_not_shown_elsewhere() -> None:
    shard = {"kind": "shard_done", "step": "ingest", "done": 3, "of": 1200}
    assert events(STARTED, shard, times=[0.0, 100.0]) == ""


def test_events_of_an_unknown_kind_are_passed_over() -> None:
    assert events({"kind": "heartbeat"}) == ""


def of_group(number: int, **event: Any) -> dict[str, Any]:
    return {**event, "group": number, "groups": 2}


def record(**facts: Any) -> dict[str, Any]:
    return {"step": "clean", "started": "2026-01-01T00:00:00+00:00", "seconds": 1.5, **facts}


def test_a_step_over_groups_is_one_line_with_the_sums_of_all_groups() -> None:
    begun = [of_group(number, kind="step_started", step="clean") for number in (1, 2)]
    ended = [
        of_group(number, kind="step_finished", step="clean", record=record(rows_in=number, rows_out=10 * number))
        for number in (2, 1)
    ]
    assert events(*begun, ended[0]) == ""
    assert events(*begun, *ended) == f"✓ {'clean':<30} {'3':>12} → {'30':<12} {'3.0 s':>10}\n"


def test_a_terminal_shows_how_many_groups_are_done_and_which_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    begun = of_group(2, kind="step_started", step="clean")
    shard = of_group(2, kind="shard_done", step="clean", done=3, of=12)
    ended = of_group(2, kind="step_finished", step="clean", record=record())
    text = events(begun, shard, ended, live=True, times=[0.0, 2.0])
    assert [line.strip() for line in text.split("\r\x1b[2K")] == [
        "clean of group 2 of 2",
        f"{'clean':<30} 3 of 12 shards of group 2 of 2  2.0 s",
        f"{'clean':<30} 1 of 2 groups",
    ]


def test_a_step_that_failed_in_a_group_names_it() -> None:
    failed = of_group(2, kind="step_failed", step="clean", message="no", exit_code=1)
    assert events(failed) == "✗ clean of group 2 of 2\n"
