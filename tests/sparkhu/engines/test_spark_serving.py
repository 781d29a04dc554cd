"""Facts about the server that a run keeps for its steps."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkhu.engines.spark import SparkEngine
from sparkhu.engines.spark.serving import TOKEN, served
from sparkhu.errors import SparkhuError
from tests.sparkhu.engines import spark_work as work
from tests.sparkhu.engines.spark_data import stop_connect

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("spark")]
PARENT = """
import sys, time
from pathlib import Path
from sparkhu.engines.spark.serving import served
with served("local[1]", {}, Path(sys.argv[1])) as variables:
    print(variables["SPARKHU_SPARK_MASTER"], flush=True)
    time.sleep(600)
"""


def listens(master: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(master.rsplit(":", 1)[1])), 2).close()
    except OSError:
        return False
    return True


def test_the_server_takes_nobody_without_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served("local[1]", {}, tmp_path / "log") as variables:
        engine = SparkEngine(variables["SPARKHU_SPARK_MASTER"])
        monkeypatch.setenv(TOKEN, "guessed")
        with pytest.raises(
            SparkhuError, match=r"'sc://localhost:\d+' refuses the token\. Set SPARK_CONNECT_AUTHENTICATE_TOKEN"
        ):
            list(engine.map(work.square, [1]))
        monkeypatch.setenv(TOKEN, variables[TOKEN])
        assert list(engine.map(work.square, range(3))) == [0, 1, 4]
        with pytest.raises(ValueError, match="2 is refused"):
            list(engine.map(work.refused, range(4)))
        stop_connect(engine.master)
    assert not listens(engine.master)


def test_the_server_ends_with_whoever_started_it(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert parent.stdout is not None
    master = parent.stdout.readline().strip()
    assert listens(master)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    until = time.monotonic() + 60
    while listens(master) and time.monotonic() < until:
        time.sleep(0.2)
    assert not listens(master)


def test_a_server_that_ends_at_once_is_told_with_the_place_of_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> subprocess.Popen[bytes]:
        server = subprocess.Popen(["/bin/false"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        server.wait()
        return server

    monkeypatch.setattr("sparkhu.engines.spark.serving._start", ended)
    with (
        pytest.raises(SparkhuError, match=r"^Spark does not start; the log says why\.$"),
        served("local[1]", {"spark.app.name": "x" * 100_000}, tmp_path / "log"),
    ):
        pass
