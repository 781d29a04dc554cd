"""A folder appears whole or not at all, and what a killed process left of one goes with the next attempt at it."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkhu.attempts import new_folder, scratch_folder
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from sparkhu.stages.publishing import publish_results

HOLDS = """
import sys, time
from pathlib import Path
from sparkhu.attempts import new_folder, scratch_folder
with new_folder(*map(Path, sys.argv[1:])) as (draft, *_), scratch_folder(draft) as scratch:
    (scratch / "half").write_text("half")
    print("at work", flush=True)
    time.sleep(60)
"""
DIES_BETWEEN_TWO_RENAMES = """
import os, signal, sys
from pathlib import Path
from sparkhu.attempts import new_folder
rename = Path.rename
def renamed(path, target):
    rename(path, target)
    print("at work", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
with new_folder(Path(sys.argv[1])) as (draft,):
    Path.rename = renamed
"""
INGESTS = """
import sys, time
from sparkhu.sources import SourceOptions
from sparkhu.sources.parts import PartSize
from sparkhu.stages import ingesting, sorting
def settle(*_):
    print("at work", flush=True)
    time.sleep(60)
sorting.settle = settle
source, raw, history, versions = sys.argv[1:]
ingesting.ingest_source(
    source, SourceOptions(), out=raw, history=history, versions=versions, part_size=PartSize(rows=5, text=50, kept=0)
)
"""
PUBLISHES = """
import sys, time
from sparkhu.stages import publishing
def clean_rows(*_):
    print("at work", flush=True)
    time.sleep(60)
publishing.clean_rows = clean_rows
raw, out = sys.argv[1:]
publishing.publish_results(clean={"irregular": [raw]}, tables={}, documents={}, out=out)
"""


@contextmanager
def at_work(code: str, *arguments: Path) -> Iterator[None]:
    """Start a process, wait until it is in the middle, and kill it when the block ends."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "SPARKHU_WORKERS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "at work\n"
            yield
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_halfway(*paths: Path) -> None:
    with new_folder(*paths) as drafts:
        assert all(draft.is_dir() for draft in drafts)
        (drafts[0] / "half").touch()
        raise RuntimeError("broken")


def write(path: Path, name: str) -> None:
    with new_folder(path) as (draft,):
        (draft / name).touch()


def test_an_exception_leaves_neither_result_nor_draft(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        fail_halfway(tmp_path / "x", tmp_path / "deep" / "er" / "y")
    assert names(tmp_path) == ["deep"]
    assert names(tmp_path / "deep" / "er") == []


def test_an_exception_leaves_the_earlier_result_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "d", "first")
    with pytest.raises(RuntimeError, match="broken"):
        fail_halfway(tmp_path / "d")
    assert names(tmp_path / "d") == ["first"]
    assert names(tmp_path) == ["d"]


def test_a_draft_that_is_gone_leaves_the_earlier_result_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "out"
    with new_folder(place) as (draft,):
        (draft / "file").write_text("first")
    with pytest.raises(FileNotFoundError), new_folder(place) as (draft,):
        draft.rmdir()
    assert (place / "file").read_text() == "first"
    assert list(tmp_path.iterdir()) == [place]


def test_of_two_attempts_at_one_place_the_last_to_end_stands_whole(tmp_path: Path) -> None:
    with new_folder(tmp_path / "d") as (first,):
        (first / "first").touch()
        write(tmp_path / "d", "second")
        assert names(tmp_path / "d") == ["second"]
    assert names(tmp_path / "d") == ["first"]
    assert names(tmp_path) == ["d"]


def test_attempts_of_several_processes_end_with_one_whole_result(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sparkhu.attempts import new_folder\n"
        "for _ in range(100):\n"
        "    with new_folder(Path(sys.argv[1])) as (draft,):\n"
        "        for part in range(5): (draft / f'{sys.argv[2]}{part}').touch()"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "d"), name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert names(tmp_path / "d") in ([f"a{part}" for part in range(5)], [f"b{part}" for part in range(5)])
    assert names(tmp_path) == ["d"]


def test_a_killed_attempt_leaves_nothing_in_place_and_the_next_one_sweeps_its_drafts(tmp_path: Path) -> None:
    with at_work(HOLDS, tmp_path / "x", tmp_path / "y"):
        assert len(names(tmp_path)) == 4
    assert not (tmp_path / "x").exists()
    write(tmp_path / "x", "whole")
    assert names(tmp_path / "x") == ["whole"]
    # What was to become y waits for the next attempt at y.
    left = names(tmp_path)
    assert len(left) == 3
    assert all(name == "x" or name.startswith(".y.") for name in left)
    write(tmp_path / "y", "whole")
    assert names(tmp_path) == ["x", "y"]


def test_drafts_of_a_process_at_work_stay(tmp_path: Path) -> None:
    with at_work(HOLDS, tmp_path / "d"):
        write(tmp_path / "d", "whole")
        (half,) = tmp_path.glob(".d.*/.scratch-*/half")
        assert half.read_text() == "half"


def test_only_drafts_of_the_place_are_swept(tmp_path: Path) -> None:
    kept = [".d", ".d.", ".d.0123456", ".d.0123456789", ".d.parquet", ".dd.01234567", "d.01234567", ".d.x.01234567"]
    for name in (*kept, ".d.01234567", ".d.89abcdef.old"):
        (tmp_path / name).mkdir()
    (tmp_path / ".d.fedcba98.lock").touch()
    write(tmp_path / "d", "whole")
    assert names(tmp_path) == sorted([*kept, "d"])


def test_what_a_killed_attempt_had_moved_aside_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "d", "earlier")
    with at_work(DIES_BETWEEN_TWO_RENAMES, tmp_path / "d"):
        pass
    assert not (tmp_path / "d").exists()
    with pytest.raises(RuntimeError, match="broken"):
        fail_halfway(tmp_path / "d")
    assert names(tmp_path / "d") == ["earlier"]
    assert names(tmp_path) == ["d"]


def test_what_was_moved_aside_does_not_replace_what_came_after(tmp_path: Path) -> None:
    write(tmp_path / "d", "later")
    write(tmp_path / ".d.01234567.old", "earlier")
    with pytest.raises(RuntimeError, match="broken"):
        fail_halfway(tmp_path / "d")
    assert names(tmp_path / "d") == ["later"]
    assert names(tmp_path) == ["d"]


def test_storage_without_locks_is_written_to_and_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    (tmp_path / ".d.01234567").mkdir()
    write(tmp_path / "d", "whole")
    assert names(tmp_path / "d") == ["whole"]
    assert ".d.01234567" in names(tmp_path)


def test_a_name_that_is_swept_before_it_is_locked_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, taken = fcntl.flock, []

    def swept_first(handle: int, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.glob("*.lock"))
            taken[0].unlink()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", swept_first)
    with new_folder(tmp_path / "d") as (draft,):
        assert draft.name != taken[0].stem
        assert names(tmp_path) == [draft.name, f"{draft.name}.lock"]


def test_a_name_that_another_sweeper_made_anew_before_it_is_locked_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, flock = [], fcntl.flock

    def swept_and_made_anew(handle: int, how: int) -> None:
        if not locked:
            (lock,) = tmp_path.glob("*.lock")
            lock.unlink()
            lock.touch()
        locked.append(handle)
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", swept_and_made_anew)
    with new_folder(tmp_path / "out") as (draft,):
        assert len(locked) == 2
        other, *_ = set(tmp_path.glob("*.lock")) - {draft.with_name(f"{draft.name}.lock")}
        assert other.exists()


def test_a_scratch_folder_goes_however_its_block_ends(tmp_path: Path) -> None:
    def interrupted() -> None:
        with scratch_folder(tmp_path) as scratch:
            (scratch / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == []


def test_a_killed_ingest_and_a_killed_publication_are_swept_by_the_next(tmp_path: Path) -> None:
    source, place = tmp_path / "a.csv", tmp_path / "out"
    source.write_text("time,value\n" + "".join(f"2024-01-{day:02d},{day}\n" for day in range(1, 29)))
    outputs = {"out": place / "raw", "history": place / "history", "versions": place / "versions"}
    with at_work(INGESTS, source, *outputs.values()):
        assert list(place.glob(".raw.*/.scratch-*/*"))
    ingest_source(str(source), SourceOptions(), **outputs)
    assert names(place) == ["history", "raw", "versions"]
    with at_work(PUBLISHES, place / "raw", place / "results"):
        assert list(place.glob(".results.*/.scratch-*"))
    publish_results(clean={"irregular": [place / "raw"]}, tables={}, documents={}, out=place / "results")
    assert names(place) == ["history", "raw", "results", "versions"]
    assert names(place / "results") == ["clean.parquet", "history.json", "ledger.parquet"]
