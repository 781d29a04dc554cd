"""One Spark for a whole run: a Spark Connect server that lives as long as whoever started it.

Every step of a run is a process of its own; started in each, Spark would cost more than most steps. The server listens
on this machine alone and takes nobody without its token, which goes through the environment, never a command line.

`python -m sparkhu.engines.spark.serving` is the server: it reads what it is told from standard input, says its port on
standard output, and ends when its standard input ends: with its parent, however that ended.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sparkhu.engines.spark.launching import start_java
from sparkhu.engines.spark.masters import check_reachable
from sparkhu.engines.spark.sessions import check_installed, defaults, launch_variables, start_failure
from sparkhu.errors import SparkhuError
from sparkhu.settings import Settings

TOKEN: Final = "SPARK_CONNECT_AUTHENTICATE_TOKEN"
GRACE_SECONDS: Final = 20.0
_SERVED: Final = {
    "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": "0",
    # The steps of a run are one user's and share Python workers, which else start anew for each.
    "spark.sql.artifact.isolation.enabled": "false",
}


@contextmanager
def served(master: str, conf: Mapping[str, str], log: Path) -> Iterator[dict[str, str]]:
    """Keep a Spark Connect server for the time of a block.

    Args:
        master: Where the executors are: any master but a Connect server.
        conf: Spark's own settings.
        log: File that what Spark says is appended to.

    Yields:
        Environment variables with which steps find the server.

    Raises:
        InputError: PySpark or Java is not installed.
        SparkhuError: The master cannot be reached, or Spark does not start.
    """
    check_installed()
    check_reachable(master)
    token = secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory(prefix="sparkhu-spark-") as scratch, log.open("ab") as sink:
        server = _start(master, token, Path(scratch), sink)
        try:
            port = _port(server, {"master": master, "conf": {**defaults(master), **conf, **_SERVED}})
            found = Settings(engine="spark", spark_master=f"sc://localhost:{port}", spark_conf={})
            yield {**found.engine_variables(), TOKEN: token}
        finally:
            _end(server)


def _start(master: str, token: str, scratch: Path, sink: Any) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own, so that Ctrl-C ends the steps first."""
    variables = {**launch_variables(master), TOKEN: token}
    variables["PYTHONPATH"] = os.pathsep.join(str(Path(entry or ".").absolute()) for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-m", "sparkhu.engines.spark.serving"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sink,
        cwd=scratch,
        env={**os.environ, **variables},
        start_new_session=True,
    )


def _port(server: subprocess.Popen[bytes], job: Mapping[str, Any]) -> int:
    assert server.stdin is not None
    assert server.stdout is not None
    # A server that has ended takes nothing, and says nothing either: the log says why.
    with suppress(BrokenPipeError):
        server.stdin.write(json.dumps(job).encode() + b"\n")
        server.stdin.flush()
    said = server.stdout.readline()
    if not said:
        raise SparkhuError("Spark does not start; the log says why.")
    answer = json.loads(said)
    if "error" in answer:
        raise SparkhuError(answer["error"])
    return int(answer["port"])


def _end(server: subprocess.Popen[bytes]) -> None:
    """Let the server end, and force it when it does not."""
    for pipe in (server.stdin, server.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    try:
        server.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def serve() -> None:
    """Be the server: start Spark, say the port, and wait for the end of standard input."""
    from pyspark import SparkConf, SparkContext

    job = json.loads(sys.stdin.readline())
    try:
        settings = {**job["conf"], "spark.master": job["master"]}
        start_java(settings)
        context = SparkContext.getOrCreate(SparkConf().setAll(list(settings.items())))
        service = getattr(context._jvm, "org.apache.spark.sql.connect.service.SparkConnectService$")  # noqa: SLF001
        answer: dict[str, Any] = {"port": getattr(service, "MODULE$").localPort()}
    except Exception as error:  # noqa: BLE001 - the parent tells it
        answer = {"error": f"Spark does not start: {start_failure(error)}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    if "port" in answer:
        sys.stdin.read()
        context.stop()


if __name__ == "__main__":
    serve()
