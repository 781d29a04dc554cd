"""One process at a time holds a folder, and none that is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu.folder_locks import _take, held, is_held

HOLDS = """
import pathlib, sys, time
from sparkhu.folder_locks import held
with held(pathlib.Path(sys.argv[1]), ""):
    print("held", flush=True)
    time.sleep(60)
"""
LOOKS = """
import pathlib, sys
from sparkhu.folder_locks import is_held
print(flush=True)
while True:
    is_held(pathlib.Path(sys.argv[1]))
"""


def test_a_folder_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(tmp_path)
        with pytest.raises(InputError, match=r"^wait for it$"), held(tmp_path, "wait for it"):
            pass
        holder.kill()
    with held(tmp_path, "wait for it"):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_held_by_nobody(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "none")


def test_a_folder_that_was_made_anew_is_not_held_by_whoever_held_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    opened = os.open(folder, os.O_RDONLY)
    folder.rmdir()
    folder.mkdir()
    with pytest.raises(InputError, match="wait"):
        _take(opened, folder, "wait for it")
    os.close(opened)
    with held(folder, "wait for it"):
        assert is_held(folder)


def test_whoever_only_looks_refuses_nobody(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", LOOKS, str(tmp_path)], stdout=subprocess.PIPE) as looking:
        assert looking.stdout is not None
        looking.stdout.readline()
        for _ in range(2000):
            with held(tmp_path, "wait for it"):
                pass
        looking.kill()
