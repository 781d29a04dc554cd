"""What is compiled is kept: seen from processes that start anew."""

import os
import subprocess
import sys
from pathlib import Path

SORT = """
import logging
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
{before}
import numpy as np
from sparkhu.kernels.selection import nth
print(nth(np.array([3.0, 1.0, 2.0]), 1), sum(nth.stats.cache_hits.values()), sum(nth.stats.cache_misses.values()))
"""
FULL = """
import errno, os
from numba.core.caching import IndexDataCacheFile
def full(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
IndexDataCacheFile._save_data = full
"""


def run(folder: Path, before: str = "", **variables: str) -> tuple[list[str], str]:
    """Use a loop in a new process: its result, how many compiled forms were read, how many made; and what was said."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **variables}
    script = [sys.executable, "-c", SORT.format(before=before)]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split(), done.stderr


def files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.rglob(f"*.{ending}"))


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    assert run(tmp_path) == (["2.0", "0", "1"], "")
    written = {path: path.stat().st_mtime_ns for path in files(tmp_path / "kernels", "nbc")}
    assert written
    assert run(tmp_path) == (["2.0", "1", "0"], "")
    assert {path: path.stat().st_mtime_ns for path in files(tmp_path, "nbc")} == written


def test_it_lies_in_the_users_cache_folder_and_belongs_to_the_user_alone(tmp_path: Path) -> None:
    run(Path(), NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(tmp_path))
    folders = {path.parent for path in files(tmp_path / "sparkhu" / "kernels", "nbc")}
    assert len(folders) == 1
    assert folders.pop().stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_costs_no_more_than_compiling_and_is_told_once(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    found, said = run(place)
    assert found == ["2.0", "0", "1"]
    assert said.count("compiled loops cannot be kept in") == 1
    assert f"{place}/kernels (Not a directory)" in said
    assert "name another one in NUMBA_CACHE_DIR" in said


def test_a_folder_that_cannot_be_written_is_still_read(tmp_path: Path) -> None:
    found, said = run(tmp_path, FULL)
    assert found == ["2.0", "0", "1"]
    assert "(No space left on device)" in said
    run(tmp_path)
    assert run(tmp_path, FULL) == (["2.0", "1", "0"], "")


def test_a_damaged_file_is_compiled_anew(tmp_path: Path) -> None:
    run(tmp_path)
    for path in files(tmp_path, "nbc"):
        path.write_bytes(path.read_bytes()[:20])
    assert run(tmp_path) == (["2.0", "0", "1"], "")
    assert run(tmp_path) == (["2.0", "1", "0"], "")


def test_what_was_compiled_of_other_sources_is_compiled_anew(tmp_path: Path) -> None:
    other = "import sparkhu.kernels.compiling as compiling\ncompiling._sources = lambda: 'of another version'"
    run(tmp_path, other)
    assert run(tmp_path)[0] == ["2.0", "0", "1"]
    assert run(tmp_path)[0] == ["2.0", "1", "0"]


def test_without_a_compiler_loops_are_plain_python(tmp_path: Path) -> None:
    script = "from sparkhu.kernels.selection import nth\nimport types\nassert isinstance(nth, types.FunctionType)"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
