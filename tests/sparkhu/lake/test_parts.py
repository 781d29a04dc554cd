"""Files larger than memory: written and read a part at a time, in every kind of storage."""

import random
import tracemalloc
from pathlib import Path

import pytest

from sparkhu.lake import objects
from sparkhu.lake.storage import PART, NoSuchFile, open_storage

MEGABYTE = 1 << 20


def source(folder: Path, size: int) -> Path:
    path = folder / "source"
    path.write_bytes(random.Random(size).randbytes(size))
    return path


@pytest.mark.parametrize("size", [0, 1, PART, 2 * PART + 1, 3 * PART])
def test_a_file_that_is_written_and_read_a_part_at_a_time_is_the_same(place: str, tmp_path: Path, size: int) -> None:
    storage, given = open_storage(place), source(tmp_path, size)
    storage.put("a/file", given)
    parts = list(storage.parts("a/file"))
    assert b"".join(parts) == given.read_bytes() == storage.read("a/file")
    assert all(len(part) <= PART for part in parts)


@pytest.mark.parametrize("over", [0, 1])
def test_a_large_object_is_sent_in_parts(
    conditional_place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: int
) -> None:
    monkeypatch.setattr(objects, "UPLOADED", 5 * MEGABYTE)
    storage, given = open_storage(conditional_place), source(tmp_path, 15 * MEGABYTE + over)
    storage.put("a/file", given)
    assert b"".join(storage.parts("a/file")) == given.read_bytes()
    assert [each.bytes for each in storage.listed("a/")] == [15 * MEGABYTE + over]


def test_no_more_than_some_parts_are_in_memory(tmp_path: Path) -> None:
    storage, given = open_storage(str(tmp_path / "lake")), source(tmp_path, 8 * PART)
    tracemalloc.start()
    storage.put("a/file", given)
    size = sum(len(part) for part in storage.parts("a/file"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 8 * PART
    assert peak < 3 * PART


def test_parts_of_no_file_are_none(place: str) -> None:
    with pytest.raises(NoSuchFile, match=r"there is no (file|object) "):
        list(open_storage(place).parts("a/file"))
