"""An executor that is killed in the middle of a step loses nothing and doubles nothing."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sparkhu.stages import sorting
from tests.sparkhu.engines import spark_work as work
from tests.sparkhu.engines.spark_data import doubled_by, ingested, made_rows, made_source, stop_classic

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("spark")]
SHARDS = 8


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two executors, each a process of its own."""
    monkeypatch.setenv("SPARKHU_ENGINE", "spark")
    monkeypatch.setenv("SPARKHU_SPARK_MASTER", "local-cluster[2,1,512]")
    monkeypatch.setenv("SPARKHU_SPARK_CONF", '{"spark.executor.memory": "512m"}')
    yield
    stop_classic()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def kill_an_executor(attempts: Path, killed: list[int]) -> None:
    """Wait for the second shards to be under way, then kill the executor that has begun one last."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        begun = attempts.read_text().splitlines() if attempts.exists() else []
        if len(begun) >= 3:
            worker, daemon = map(int, begun[-1].split())
            executor = parent_of(daemon)
            assert "CoarseGrainedExecutorBackend" in Path(f"/proc/{executor}/cmdline").read_text()
            os.kill(executor, signal.SIGKILL)
            killed.extend([executor, worker])
            return
        time.sleep(0.05)


def test_a_killed_executor_loses_and_doubles_nothing(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, attempts, killed = made_rows(tmp_path / "rows", shards=SHARDS), tmp_path / "attempts", list[int]()
    assassin = threading.Thread(target=kill_an_executor, args=(attempts, killed))
    assassin.start()
    found = doubled_by(work.slowly_doubled, rows, tmp_path / "spark", attempts=str(attempts))
    assassin.join()

    assert killed
    assert len(attempts.read_text().splitlines()) > SHARDS
    monkeypatch.setenv("SPARKHU_ENGINE", "local")
    assert found.equals(doubled_by(work.doubled, rows, tmp_path / "local"))
    assert {path.name for path in (tmp_path / "spark").iterdir()} == {p.name for p in (tmp_path / "local").iterdir()}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("movement", ["_spread", "_sort"])
def test_an_executor_that_is_killed_in_ingest_loses_and_doubles_nothing(
    movement: str, cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, attempts, killed = made_source(tmp_path / "a.csv"), tmp_path / "attempts", list[int]()
    conf = {"spark.executor.memory": "512m", "spark.executorEnv.ATTEMPTS": str(attempts)}
    monkeypatch.setenv("SPARKHU_SPARK_CONF", json.dumps(conf))
    with monkeypatch.context() as patch:
        patch.setattr(sorting, movement, partial(work.slowly, movement))
        assassin = threading.Thread(target=kill_an_executor, args=(attempts, killed))
        assassin.start()
        found = ingested(source, tmp_path / "spark")
        assassin.join()

    assert killed
    monkeypatch.setenv("SPARKHU_ENGINE", "local")
    expected = ingested(source, tmp_path / "local")
    items = {"_spread": 10, "_sort": sum(name.startswith("raw/0") for name in expected)}[movement]
    assert len(attempts.read_text().splitlines()) > items
    assert found == expected
