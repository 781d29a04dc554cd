"""The command as a process of its own, on the real pipeline: interrupted, ended, out of space."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SPARKHU = [sys.executable, "-c", "from sparkhu_cli.main import main; main()"]
FILE_LIMIT = 200_000
WAIT_SECONDS = 60


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write 20,000 random values: as Parquet they need more room than the limits below give."""
    path = tmp_path / "source.csv"
    dice = random.Random(7)
    rows = (
        f"2026-01-{1 + hour // 24 % 28:02d}T{hour % 24:02d}:00,s{hour // 600},{dice.random()}\n"
        for hour in range(20_000)
    )
    path.write_text("ds,unique_id,y\n" + "".join(rows))
    return path


def left_running(marker: Path) -> list[int]:
    """Find processes whose environment names the folder of a run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(marker).encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("ask", "code", "more", "step"),
    [
        (signal.SIGINT, 130, [], "ingest"),
        (signal.SIGINT, 130, ["--fan-out", "2"], "take_group"),
        pytest.param(signal.SIGTERM, 143, [], "ingest", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_told_to_end_ends_its_processes_and_leaves_nothing(
    source: Path, tmp_path: Path, ask: signal.Signals, code: int, more: list[str], step: str
) -> None:
    out = tmp_path / "results"
    command = [*SPARKHU, "run", "--source", str(source), "--out", str(out), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert any(line.startswith(f"✓ {step}") for line in run.stdout)
        assert left_running(out)
        run.send_signal(ask)
        run.wait(WAIT_SECONDS)
        said = run.stderr.read()
    assert run.returncode == code
    assert left_running(out) == []
    assert [path.name for path in tmp_path.iterdir()] == ["source.csv"]
    assert "Traceback" not in said
    if ask == signal.SIGINT:
        assert said.startswith("Error: interrupted; nothing was written\n")


def test_a_write_that_the_system_refuses_ends_with_1_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))

    command = [*SPARKHU, "run", "--source", str(source), "--out", str(tmp_path / "results")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=small_files_only)
    assert_failed_for_want_of_room(done)
    assert [path.name for path in tmp_path.iterdir()] == ["source.csv"]


def assert_failed_for_want_of_room(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("Error: ")
    assert "make room on the disk and run again" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "sparkhu-test", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets no test mount a small disk")
    yield disk
    for _ in range(50):
        if subprocess.run(["umount", str(disk)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)


@pytest.mark.slow
def test_a_full_disk_ends_with_1_and_leaves_it_empty(source: Path, small_disk: Path) -> None:
    command = [*SPARKHU, "run", "--source", str(source), "--out", str(small_disk / "results")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert_failed_for_want_of_room(done)
    assert list(small_disk.iterdir()) == []
