"""What lies in the system's cache is asked of the system itself, by util-linux's fincore."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu import mapping
from sparkhu.lineage import Trail
from sparkhu.mapping import open_inputs
from sparkhu.reading_ahead import read_ahead
from sparkhu.shards import Dataset, write_manifest, write_shard

WIDE = 500_000
needs_fincore = pytest.mark.skipif(shutil.which("fincore") is None, reason="fincore of util-linux is not installed")


def wide_shards(folder: Path, count: int) -> Path:
    """Write shards of two columns of 4 MB each."""
    folder.mkdir()
    values = np.random.default_rng(0).random((2, WIDE))
    frame = pl.DataFrame({"unique_id": ["a"] * WIDE, "y": values[0], "price": values[1]})
    write_manifest(folder, "rows", [write_shard(folder, f"{number:05d}", frame) for number in range(count)])
    Trail().write(folder)
    return folder


def forget(file: Path) -> None:
    """Have the system put a file's pages to disk and drop them."""
    handle = os.open(file, os.O_RDWR)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


def cached(file: Path) -> int:
    command = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(file)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.fixture
def cold(tmp_path: Path) -> dict[str, list[Dataset]]:
    sources = open_inputs({"observations": wide_shards(tmp_path / "rows", 1)})
    file = sources["observations"][0].file("00000")
    forget(file)
    if cached(file) > file.stat().st_size / 10:
        pytest.skip(f"the file system of '{tmp_path}' keeps everything in memory")
    return sources


@needs_fincore
@pytest.mark.parametrize(("columns", "low", "high"), [({}, 0.99, 1.1), ({"observations": ["price"]}, 0.45, 0.8)])
def test_what_is_wanted_of_a_shard_comes_into_memory(
    cold: dict[str, list[Dataset]], columns: Mapping[str, Sequence[str]], low: float, high: float
) -> None:
    file = cold["observations"][0].file("00000")
    read_ahead(cold, "00000", columns)
    until = time.monotonic() + 20
    while cached(file) < low * file.stat().st_size and time.monotonic() < until:
        time.sleep(0.05)
    assert low <= cached(file) / file.stat().st_size <= high


@pytest.mark.parametrize("content", [None, b"no Parquet"])
def test_a_file_that_is_missing_or_damaged_is_no_matter_yet_and_the_others_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    bad, good = wide_shards(tmp_path / "bad", 1), wide_shards(tmp_path / "good", 1)
    sources = open_inputs({"observations": [bad, good]})
    file = bad / "00000.parquet"
    file.unlink()
    if content:
        file.write_bytes(content)
    asked: list[Path] = []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda handle, *_: asked.append(Path(f"/proc/self/fd/{handle}").readlink())
    )
    read_ahead(sources, "00000", {"observations": ["y"]})
    assert set(asked) == {good / "00000.parquet"}


@pytest.mark.parametrize(("workers", "ahead"), [(1, ["00002", "00003", "00004"]), (2, ["00003", "00004"])])
def test_shards_are_asked_for_while_those_before_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, ahead: list[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(mapping, "read_ahead", lambda _sources, name, _columns: asked.append(name))
    sources = open_inputs({"observations": wide_shards(tmp_path / "rows", 5)})
    list(mapping.map_shards(str, sources, step="count", workers=workers))
    assert asked == ahead
