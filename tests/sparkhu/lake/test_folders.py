"""A lake in a local folder: where it may lie, and who waits for whom."""

import fcntl
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import create_lake, folders, open_lake
from sparkhu.lake.folders import Folder
from sparkhu.lake.storage import NoSuchFile


def test_a_folder_is_named_by_a_path_or_a_file_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_lake(f"file://{tmp_path}/deep/down/lake")
    assert open_lake(str(tmp_path / "deep" / "down" / "lake")).version().number == 0
    monkeypatch.chdir(tmp_path / "deep")
    lake = open_lake("down/lake")
    monkeypatch.chdir(tmp_path)
    assert lake.version().number == 0, "a relative path is that of the moment when the lake was opened"


def test_of_two_swaps_from_one_state_one_succeeds(tmp_path: Path) -> None:
    storage = Folder(str(tmp_path / "lake"))
    assert not storage.swap("current.json", "tag of something", b"0")
    assert storage.swap("current.json", None, b"0")
    for turn in range(20):
        _, tag = storage.read_tagged("current.json")
        ready = threading.Barrier(4)

        def swap(name: int, tag: str = tag, turn: int = turn, ready: threading.Barrier = ready) -> bool:
            ready.wait()
            return Folder(storage.uri).swap("current.json", tag, f"{turn} {name}".encode())

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(swap, range(4)))
        assert sum(won) == 1
        assert storage.read("current.json") == f"{turn} {won.index(True)}".encode()


def test_a_lock_that_another_program_holds_is_waited_for_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LOCK_SECONDS", 0.3)
    storage = Folder(str(tmp_path / "lake"))
    assert storage.swap("current.json", None, b"0")
    _, tag = storage.read_tagged("current.json")
    handle = os.open(tmp_path / "lake" / "current.lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(SparkhuError, match=r"has been held by another program for 0.3 s. Nothing was changed"):
        storage.swap("current.json", tag, b"1")
    threading.Timer(0.1, os.close, [handle]).start()
    assert storage.swap("current.json", tag, b"1")


def test_files_are_listed_by_their_prefix_with_size_and_time(tmp_path: Path) -> None:
    storage = Folder(str(tmp_path))
    before = datetime.now(UTC)
    for path in ("versions/2-b.json", "versions/10-a.json", "tables/a/x", "versions/2/deep"):
        storage.write(path, b"four")
    assert [found.path for found in storage.listed("versions/2")] == ["versions/2-b.json", "versions/2/deep"]
    (found,) = storage.listed("tables/")
    assert (found.path, found.bytes) == ("tables/a/x", 4)
    assert abs((found.modified - before).total_seconds()) < 60
    assert storage.listed("nothing/") == []
    storage.remove(["versions/2-b.json", "versions/never"])
    assert [found.path for found in storage.listed("versions/")] == ["versions/10-a.json", "versions/2/deep"]


def test_what_cannot_be_read_or_removed_is_named(tmp_path: Path) -> None:
    storage = Folder(str(tmp_path))
    storage.write("a/file", b"")
    with pytest.raises(NoSuchFile, match=f"there is no file '{tmp_path}/a/none'"):
        storage.read("a/none")
    with pytest.raises(NoSuchFile):
        storage.read("a/file/below")
    with pytest.raises(SparkhuError, match=f"cannot read '{tmp_path}/a': Is a directory"):
        storage.read("a")
    with pytest.raises(SparkhuError, match=f"cannot remove '{tmp_path}/a': Is a directory"):
        storage.remove(["a"])
    with pytest.raises(InputError, match=f"cannot write '{tmp_path}/a/file/below': Not a directory. Give a folder"):
        storage.write("a/file/below", b"")


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_the_write_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().relative_to(tmp_path)}")
        sync(handle)

    def renamed(draft: Path, target: Path) -> Path:
        done.append(f"{draft.relative_to(tmp_path)} -> {target.relative_to(tmp_path)}")
        return rename(draft, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    storage = Folder(str(tmp_path))
    storage.write("a/b/file", b"0")
    draft = done[-3].removeprefix("sync ")
    assert draft.startswith(".drafts/")
    # Folders that are new are made durable, each in the one above it; then the draft, its new name, and the folder.
    assert done == ["sync .", "sync a", "sync .", f"sync {draft}", f"{draft} -> a/b/file", "sync a/b"]
    done.clear()
    assert storage.swap("current.json", None, b"0")
    draft = done[0].removeprefix("sync ")
    assert done == [f"sync {draft}", f"{draft} -> current.json", "sync ."]
