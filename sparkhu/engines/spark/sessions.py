"""The session of this process: opened once, kept until the process ends."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from sparkhu.engines.base import ONE_THREAD, environment
from sparkhu.engines.spark.java import java_variables
from sparkhu.engines.spark.masters import check_reachable, is_connect, is_local
from sparkhu.errors import InputError, SparkhuError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEFAULTS: Final = {
    "spark.app.name": "sparkhu",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # A job that is ended writes nothing more: what runs is interrupted, not left to itself.
    "spark.job.interruptOnCancel": "true",
    **{f"spark.executorEnv.{name}": value for name, value in ONE_THREAD.items()},
}
LOCAL_DEFAULTS: Final = {
    # All that this JVM does is to hand numbers to Python: it starts in half the time without its second compiler.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
LOCAL_HOST: Final = {"SPARK_LOCAL_IP": "127.0.0.1"}


def open_session(master: str, conf: Mapping[str, str]) -> "SparkSession":
    """Open a session, or give the one that this process has.

    Args:
        master: Where Spark is, as `check_master` lets it pass.
        conf: Spark's own settings; they win over ours. A Connect server takes those of a session alone.

    Raises:
        InputError: PySpark or Java is not installed.
        SparkhuError: Spark cannot be reached, or does not start.
    """
    check_installed()
    return _connect(master, conf) if is_connect(master) else _classic(master, conf)


def check_installed() -> None:
    """Refuse to go on without PySpark.

    Raises:
        InputError: It is not installed.
    """
    if find_spec("pyspark") is None:
        raise InputError("the engine 'spark' needs PySpark. Install it: pip install 'sparkhu[spark]'.")


def _connect(master: str, conf: Mapping[str, str]) -> "SparkSession":
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    active = ConnectSession.getActiveSession()
    if active is not None:
        return active
    check_reachable(master)
    builder = ConnectSession.builder.remote(master)
    try:
        return _configured(builder, conf).getOrCreate()
    except Exception as error:
        raise SparkhuError(f"Spark Connect refuses a session: {first_line(error)}") from error


def _classic(master: str, conf: Mapping[str, str]) -> "SparkSession":
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    check_reachable(master)
    with environment(launch_variables(master)):
        builder = _configured(SparkSession.builder.master(master), {**defaults(master), **conf})
        try:
            return builder.getOrCreate()
        except Exception as error:
            # A context that stopped half-way would be taken for one that runs.
            with suppress(Exception):
                SparkContext._active_spark_context.stop()  # noqa: SLF001
            raise SparkhuError(f"Spark does not start: {start_failure(error)}") from error


def defaults(master: str) -> dict[str, str]:
    """Give the settings of a session that Sparkhu itself starts; the user's own win over them."""
    return {**DEFAULTS, **LOCAL_DEFAULTS} if is_local(master) else DEFAULTS


def launch_variables(master: str) -> dict[str, str]:
    """Give the environment that a Spark of this machine is started in.

    Its Python workers inherit it: one thread each, this interpreter, and the modules that this process sees.
    """
    variables = {**java_variables(), "PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable)}
    if is_local(master):
        modules = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        variables |= {**LOCAL_HOST, **ONE_THREAD, **modules}
    return variables


def _configured(builder: Any, conf: Mapping[str, str]) -> Any:
    for name, value in conf.items():
        builder = builder.config(name, value)
    return builder


def start_failure(error: Exception) -> str:
    """Say why Spark did not start."""
    if "JAVA_GATEWAY_EXITED" in str(error):
        where = os.environ.get("JAVA_HOME") or "the one on the PATH"
        return f"Java ended at once. Spark needs Java 17 or newer; taken was {where}. The log says what Java said."
    return first_line(error)


def first_line(error: Exception) -> str:
    """Give the line of a message that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # A message of Java's begins with what Py4J was doing; the exception stands in the line behind.
    told = lines[1:2] if lines and lines[0].startswith("An error occurred while calling") else lines[:1]
    return told[0].removeprefix(": ") if told else type(error).__name__
