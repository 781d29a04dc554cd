"""What is kept of compiled loops is sound: when processes compile at once, and when somebody else may write there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sparkhu.kernels.test_compiling import files, run

# Two types of values of one loop, and a process that stands still between its look at the folder and what it writes.
TYPED = """
import sys, time
from pathlib import Path
from numba.core.caching import IndexDataCacheFile
write, folder, own, other = IndexDataCacheFile._save_data, Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def late(self, *arguments):
    if other:
        (folder / own).touch()
        until = time.monotonic() + 60
        while not (folder / other).exists() and time.monotonic() < until:
            time.sleep(0.01)
    return write(self, *arguments)
IndexDataCacheFile._save_data = late
import numpy as np
from sparkhu.kernels.selection import nth
print(nth(np.array([3, 1, 2], dtype=own), 1), sum(nth.stats.cache_hits.values()))
"""


def started(folder: Path, own: str, other: str) -> subprocess.Popen[str]:
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    call = [sys.executable, "-c", TYPED, str(folder), own, other]
    return subprocess.Popen(call, env=variables, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> list[str]:
    said, _ = process.communicate(timeout=120)
    return said.split()


def test_two_processes_that_compile_a_loop_at_once_keep_both_forms_of_it(tmp_path: Path) -> None:
    together = [started(tmp_path, "float64", "float32"), started(tmp_path, "float32", "float64")]
    assert [answer(process) for process in together] == [["2.0", "0"], ["2.0", "0"]]
    assert answer(started(tmp_path, "float64", "")) == ["2.0", "1"]
    assert answer(started(tmp_path, "float32", "")) == ["2.0", "1"]


def test_a_file_of_another_form_is_not_taken(tmp_path: Path) -> None:
    assert answer(started(tmp_path, "float64", "")) == ["2.0", "0"]
    (double,) = files(tmp_path, "nbc")
    assert answer(started(tmp_path, "float32", "")) == ["2.0", "0"]
    (single,) = [path for path in files(tmp_path, "nbc") if path != double]
    single.write_bytes(double.read_bytes())
    assert answer(started(tmp_path, "float32", "")) == ["2.0", "0"]
    assert answer(started(tmp_path, "float32", "")) == ["2.0", "1"]


def test_folders_belong_to_the_user_alone_whatever_new_ones_do(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        run(tmp_path)
    finally:
        os.umask(before)
    for path in (tmp_path / "kernels", *(tmp_path / "kernels").iterdir()):
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_neither_read_nor_written(tmp_path: Path, mode: int) -> None:
    run(tmp_path)
    (place,) = (tmp_path / "kernels").iterdir()
    place.chmod(mode)
    written = {path: path.stat().st_mtime_ns for path in files(tmp_path, "nbc")}
    found, said = run(tmp_path)
    assert found == ["2.0", "0", "1"]
    assert said.count("compiled loops cannot be kept") == 1
    assert "(others may write to it)" in said
    assert {path: path.stat().st_mtime_ns for path in files(tmp_path, "nbc")} == written


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_another_user_is_neither_read_nor_written(tmp_path: Path) -> None:
    run(tmp_path)
    (place,) = (tmp_path / "kernels").iterdir()
    os.chown(place, 65534, 65534)
    found, said = run(tmp_path)
    assert found == ["2.0", "0", "1"]
    assert "(it belongs to another user)" in said
