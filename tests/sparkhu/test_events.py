import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkhu import events


def test_nothing_is_written_unless_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    events.emit("note", message="x")
    monkeypatch.setenv("SPARKHU_EVENTS", "")
    events.emit("note", message="x")
    assert list(tmp_path.iterdir()) == []


def test_each_event_is_one_json_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    events.emit("shard_done", step="validate", done=1, at=Path("a b"))
    events.emit("note", message="two\nlines")
    lines = (tmp_path / "events").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"kind": "shard_done", "step": "validate", "done": 1, "at": "a b"},
        {"kind": "note", "message": "two\nlines"},
    ]


def test_lines_of_several_writers_stay_whole(tmp_path: Path) -> None:
    code = (
        "import sys; from sparkhu.events import emit\n"
        "for number in range(200): emit('note', writer=sys.argv[1], number=number, text='x' * 5000)"
    )
    environment = {**os.environ, "SPARKHU_EVENTS": str(tmp_path / "events")}
    writers = [subprocess.Popen([sys.executable, "-c", code, name], env=environment) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    for name in "abc":
        assert [event["number"] for event in found if event["writer"] == name] == list(range(200))
    assert {len(event["text"]) for event in found} == {5000}
