import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sparkhu import ledger
from sparkhu.lineage import (
    Group,
    StepRecord,
    Trail,
    code_fingerprint,
    file_checksum,
    last_steps,
    read_trail,
    summed,
)


def record(step: str, minute: int, **facts: object) -> StepRecord:
    return StepRecord(step, f"2020-01-01T00:{minute:02d}:00+00:00", 0.5, **facts)  # type: ignore[arg-type]


def entry(step: str, *ids: str) -> object:
    return ledger.with_step(ledger.entries(list(ids)), step)


@pytest.fixture
def diamond(tmp_path: Path) -> tuple[Path, Path]:
    """Two results of one common step."""
    common = Trail().extended(record("ingest", 0), entry("ingest", "a", "b"))  # type: ignore[arg-type]
    folders = tmp_path / "left", tmp_path / "right"
    for minute, folder in ((2, folders[0]), (1, folders[1])):
        folder.mkdir()
        made = record(folder.name, minute, inputs=("ingest",))
        common.extended(made, entry(folder.name, "a")).write(folder)  # type: ignore[arg-type]
    return folders


def test_a_trail_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = record(
        "fill",
        1,
        rows_in=3,
        inputs=("a", "b"),
        params={"width": 1.5, "path": "x"},
        counts={"filled": 2},
        sources=({"uri": "x.csv"},),
        notes=("period 1h",),
    )
    Trail().extended(made, entry("fill", "a")).write(tmp_path)  # type: ignore[arg-type]
    trail = read_trail([tmp_path])
    assert trail.history == (made,)
    assert trail.entries.equals(entry("fill", "a"))  # type: ignore[arg-type]


def test_trails_join_once_and_earliest_first(diamond: tuple[Path, Path]) -> None:
    for folders in (diamond, diamond[::-1]):
        trail = read_trail(folders)
        assert [item.step for item in trail.history] == ["ingest", "right", "left"]
        assert sorted(trail.entries.select("unique_id", "step").rows()) == [
            ("a", "ingest"),
            ("a", "left"),
            ("a", "right"),
            ("b", "ingest"),
        ]


def test_the_last_steps_are_those_that_wrote_the_folders_each_once(diamond: tuple[Path, Path]) -> None:
    left, right = diamond
    assert last_steps([left, right, left]) == ("left", "right")
    assert last_steps([]) == ()


def test_no_folders_have_an_empty_trail() -> None:
    trail = read_trail([])
    assert trail.history == ()
    assert trail.entries.is_empty()


def test_parameters_that_json_does_not_know_are_written_as_text(tmp_path: Path) -> None:
    Trail().extended(record("x", 0, params={"at": Path("a/b")}), entry("x")).write(tmp_path)  # type: ignore[arg-type]
    assert json.loads((tmp_path / "history.json").read_text())[0]["params"] == {"at": "a/b"}


def test_a_file_checksum_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc" * 100_000)
    assert file_checksum(tmp_path / "x") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_the_code_fingerprint_is_the_same_in_every_process() -> None:
    code = "from sparkhu.lineage import code_fingerprint; print(code_fingerprint())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    version, digest = code_fingerprint().split("+")
    assert other == f"{version}+{digest}"
    assert len(digest) == 12
    assert set(digest) <= set("0123456789abcdef")


def test_the_code_fingerprint_changes_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparkhu import lineage

    monkeypatch.setattr(lineage, "__file__", str(tmp_path / "lineage.py"))
    seen = set()
    for name, text in (("a.py", "x = 1"), ("a.py", "x = 2"), ("b.py", "x = 2"), ("notes.txt", "x")):
        (tmp_path / name).write_text(text)
        seen.add(code_fingerprint.__wrapped__())
    assert len(seen) == 3


def test_records_of_groups_become_one_with_their_sums() -> None:
    one = record("fill", 4, rows_in=3, rows_out=5, series_in=1, series_skipped=1, counts={"a": 1}, notes=("x",))
    two = record("fill", 2, rows_in=4, rows_out=6, series_in=2, series_failed=1, counts={"a": 2, "b": 7}, notes=("x",))
    both = {"inputs": ("mark",), "code": "0.1"}
    params = ({"width": 1.5, "group": 1}, {"width": 1.5, "group": 2})
    found = summed([replace(each, params=given, **both) for each, given in zip((one, two), params, strict=True)])
    assert found == StepRecord(
        "fill",
        "2020-01-01T00:02:00+00:00",
        1.0,
        rows_in=7,
        rows_out=11,
        series_in=3,
        series_skipped=1,
        series_failed=1,
        params={"width": 1.5},
        counts={"a": 3, "b": 7},
        notes=("x",),
        **both,  # type: ignore[arg-type]
    )


def test_a_trail_is_of_a_group_from_where_it_is_taken_until_groups_are_gathered() -> None:
    taken = record("take_group", 1, params={"group": 2, "groups": 3})
    assert Trail((record("ingest", 0),)).group is None
    assert Trail((record("ingest", 0), taken, record("fill", 2))).group == Group(2, 3)
    assert Trail((taken, record("gather_groups", 3))).group is None
