"""Plain files: what the contract does not say of every storage."""

import errno
import os
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import create_lake
from sparkhu_retention.storages import tombstones
from sparkhu_retention.storages.folder import Folder
from sparkhu_retention.storages.opening import open_retained
from sparkhu_retention.storages.protocol import Changed, Exported

MARK = "run-1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    for name in ("a/one", "a/two"):
        (root / name).write_text(name)
    return root


def contents(root: Path) -> dict[str, str]:
    return dict(pl.concat(Folder(str(root)).items()).select("id", "content").iter_rows())


def test_files_are_dated_by_their_writing_unless_told_otherwise(root: Path) -> None:
    os.utime(root / "a/one", ns=(0, 1_704_067_200_123_456_000))
    first = pl.concat(open_retained(str(root)).items()).filter(id="a/one").row(0, named=True)
    assert first["end"] > first["start"] == datetime(2024, 1, 1, 0, 0, 0, 123_456, UTC)
    assert (first["dataset"], first["line"]) == ("a", "a")


def test_a_file_that_is_written_to_while_it_is_buried_is_put_back_with_all_others(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, renamed = contents(root), Path.rename

    def written_to(self: Path, target: Path) -> Path:
        if self.name == "two":
            self.write_text("more than before")
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", written_to)
    with pytest.raises(Changed):
        Folder(str(root)).bury(planned, MARK)
    assert [(root / name).read_text() for name in sorted(planned)] == ["a/one", "more than before"]
    assert list(Folder(str(root)).buried()) == []


def test_what_a_writer_added_after_the_burial_is_not_purged(root: Path) -> None:
    with (root / "a/one").open("a") as file:
        storage = Folder(str(root))
        storage.bury(contents(root), MARK)
        file.write("the last line")
    with pytest.raises(Changed, match="was written to after it was buried"):
        storage.purge(["a/one"], MARK)
    storage.unbury(["a/one"], MARK)
    assert (root / "a/one").read_text() == "a/onethe last line"


class Killed(BaseException):
    pass


@pytest.mark.parametrize("then", ["bury", "unbury"])
def test_a_run_killed_amid_putting_back_is_finished_either_way(
    root: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    storage, planned = Folder(str(root)), contents(root)
    storage.bury(planned, MARK)

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Killed):
            storage.unbury(["a/one"], MARK)
    assert (root / "a/one").is_file()
    assert len(list(storage.buried())) == 2, "it lies in both places"
    if then == "bury":
        storage.bury(planned, MARK)
        assert not (root / "a/one").exists()
    storage.unbury(list(planned), MARK)
    assert contents(root) == planned
    assert list(storage.buried()) == []


def test_a_file_with_another_name_frees_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").hardlink_to(root / "a/one")
    storage = Folder(str(root))
    storage.bury(contents(root), MARK)
    assert storage.purge(["a/one", "a/two"], MARK) == len("a/two")
    assert (tmp_path / "kept").read_text() == "a/one"


def test_nothing_is_left_below_tombstones_when_all_is_purged(root: Path) -> None:
    storage = Folder(str(root))
    storage.bury(contents(root), MARK)
    storage.purge(["a/one", "a/two"], MARK)
    assert [path for path in (root / "_tombstones").rglob("*") if path.is_file() or path.name == MARK] == []


def test_an_archive_is_put_back_over_nothing(root: Path, tmp_path: Path) -> None:
    storage = Folder(str(root))
    (tmp_path / "scratch").mkdir()
    archived = list(storage.export(contents(root), tmp_path / "scratch"))
    (root / "a/one").write_text("new")
    with pytest.raises(SparkhuError, match="is there again"):
        storage.put_back(archived, tmp_path / "scratch")
    assert (root / "a/one").read_text() == "new"


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_what_a_producer_writes_while_an_archive_is_put_back_stays(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    storage, synced = Folder(str(root)), os.fsync
    (tmp_path / "scratch").mkdir()
    archived = list(storage.export({"a/one": contents(root)["a/one"]}, tmp_path / "scratch"))
    (root / "a/one").unlink()

    def produced(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):  # the copy is whole, and about to appear
            (root / "a/one").write_text("new")
        synced(handle)

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fsync", produced)
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    with pytest.raises(SparkhuError, match="is there again"):
        storage.put_back(archived, tmp_path / "scratch")
    assert (root / "a/one").read_text() == "new"
    assert list((root / "_tombstones" / ".drafts").iterdir()) == []


def test_a_file_comes_back_from_an_archive_with_the_time_of_its_writing_and_its_rights(
    root: Path, tmp_path: Path
) -> None:
    os.utime(root / "a/one", ns=(0, 1_704_067_200_123_456_789))
    (root / "a/one").chmod(0o4640)
    storage = Folder(str(root))
    before = pl.concat(storage.items())
    (tmp_path / "scratch").mkdir()
    archived = list(storage.export(contents(root), tmp_path / "scratch"))
    storage.bury(contents(root), MARK)
    storage.purge(["a/one", "a/two"], MARK)
    storage.put_back(archived, tmp_path / "scratch")
    status = (root / "a/one").stat()
    assert (status.st_mtime_ns, stat.S_IMODE(status.st_mode)) == (1_704_067_200_123_456_789, 0o640)
    assert pl.concat(storage.items()).drop("content").equals(before.drop("content")), "its age does not begin anew"


def test_a_full_disk_leaves_no_half_file(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    archived = [Exported("b/new", "file", None, 100, tombstones.__name__)]
    with pytest.raises(SparkhuError, match="damaged"):
        Folder(str(root)).put_back(archived, tmp_path)
    assert not (root / "b/new").exists()
    assert not list((root / "_tombstones" / ".drafts").iterdir())


def test_what_killed_runs_have_left_is_swept_and_what_cannot_be_keeps_no_purge_from_going_on(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drafts, purging = (root / "_tombstones" / name for name in (".drafts", ".purging"))
    for folder in (drafts / "old", drafts / "new", purging / "half", purging / "stuck"):
        folder.mkdir(parents=True)
        (folder / "file").write_text("half")
    for path in (drafts / "file", purging / "file"):
        path.write_text("half")
    for path in (drafts / "old", drafts / "file"):
        os.utime(path, (0, 0))
    removed = shutil.rmtree

    def refused(path: Path) -> None:
        if path.name == "stuck":
            raise PermissionError(1, "Operation not permitted", str(path))
        removed(path)

    monkeypatch.setattr(shutil, "rmtree", refused)
    storage = Folder(str(root))
    storage.bury(contents(root), MARK)
    assert storage.purge(["a/one", "a/two"], MARK) == len("a/one") + len("a/two")
    assert [path.name for path in drafts.iterdir()] == ["new"]
    assert [path.name for path in purging.iterdir()] == ["stuck"]
    assert "stuck', which no run needs: Operation not permitted" in caplog.text


def test_a_lake_and_the_tombstones_of_a_storage_below_are_no_files(root: Path) -> None:
    create_lake(str(root / "b" / "lake"))
    for folder in ("b/_tombstones/run-9/x", "lakes/versions"):
        (root / folder).mkdir(parents=True)
        (root / folder / "0-0-0@20240101T000000000000Z").write_text("buried")
    assert sorted(contents(root)) == ["a/one", "a/two", "lakes/versions/0-0-0@20240101T000000000000Z"]
    with pytest.raises(InputError, match=r"^uri must be plain files .* is a lake\. Leave out kind"):
        open_retained(str(root / "b" / "lake"), "folder")


def test_a_folder_that_may_not_be_read_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(InputError, match=r"cannot list '.*root': Permission denied"):
        list(Folder(str(root)).items())


def test_what_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^uri must be a folder that is there"):
        open_retained(str(tmp_path / "nowhere"), "folder")
    (tmp_path / "away").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "_tombstones").symlink_to(tmp_path / "away")
    with pytest.raises(InputError, match="no symbolic link"):
        open_retained(str(tmp_path / "root"), "folder")
    with pytest.raises(InputError, match=r"^kind must be one of folder"):
        open_retained(str(tmp_path), "tape")
    with pytest.raises(InputError, match=r"^options has 'colour'.* it knows dates, zone"):
        open_retained(str(tmp_path), "folder", {"colour": "red"})
