"""The session of this process: opened once, kept until the process ends."""

import atexit
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from sparkhu.engines.base import ONE_THREAD, environment
from sparkhu.engines.spark.failures import explained
from sparkhu.engines.spark.java import java_variables
from sparkhu.engines.spark.launching import start_java
from sparkhu.engines.spark.masters import check_reachable, is_connect, is_local, without_secrets
from sparkhu.engines.spark.tasks import A_TASK_A_ROW
from sparkhu.errors import InputError, SparkhuError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

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
_OPENED: dict[str, Any] = {}
"""The session of this process at each master."""
LOCAL_HOST: Final = {"SPARK_LOCAL_IP": "127.0.0.1"}


def open_session(master: str, conf: Mapping[str, str]) -> "SparkSession":
    """Open a session, or give the one that this process has.

    Args:
        master: Where Spark is, as `check_master` lets it pass.
        conf: Spark's own settings; they win over ours. A Spark that runs already takes those of a session alone.

    Raises:
        InputError: PySpark or Java is not installed, this process has another Spark already, or a setting can take no
            effect any more.
        SparkhuError: Spark cannot be reached, or does not start.
    """
    check_installed()
    return _connect(master, conf) if is_connect(master) else _classic(master, conf)


def hand_over(session: "SparkSession", table: "pa.Table") -> "DataFrame":
    """Hand a table over to Spark; the active session of this process, which may be somebody else's, stays active."""
    from pyspark.sql import SparkSession

    active = SparkSession._activeSession  # noqa: SLF001 - asked in public, PySpark gives that of Connect where one is
    frame = session.createDataFrame(table)
    if isinstance(session, SparkSession) and active is not None:
        SparkSession._activeSession = active  # noqa: SLF001
        SparkSession._get_j_spark_session_class(session._jvm).setActiveSession(active._jsparkSession)  # noqa: SLF001
    return frame


def check_installed() -> None:
    """Refuse to go on without PySpark.

    Raises:
        InputError: It is not installed.
    """
    if find_spec("pyspark") is None:
        raise InputError("the engine 'spark' needs PySpark. Install it: pip install 'sparkhu[spark]'.")


def _connect(master: str, conf: Mapping[str, str]) -> "SparkSession":
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    session = _OPENED.get(master)
    if session is None or session.is_stopped:
        check_reachable(master)
        # Not through a builder, which would give the session that somebody else opened, be it of another server.
        session = ConnectSession(master)
        atexit.register(_leave, session, master)
    try:
        _settle(session, conf, f"'{without_secrets(master)}'")
    except SparkhuError:
        raise
    except Exception as error:
        raise explained(error, (), master) from error
    _OPENED[master] = session
    return session


def _leave(session: Any, master: str) -> None:
    """Give a session back when this process ends; a server that has gone is not waited for, as PySpark would."""
    with suppress(Exception):
        try:
            check_reachable(master)
        except SparkhuError:
            session.client.close()
        else:
            session.stop()


def _classic(master: str, conf: Mapping[str, str]) -> "SparkSession":
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    context, session = SparkContext._active_spark_context, _OPENED.get(master)  # noqa: SLF001
    if context is None:
        session = _started(master, {**defaults(master), **conf})
    elif context.master != master:
        raise InputError(
            f"this process has a Spark at '{context.master}' already, and can have no other at '{master}'. "
            "Stop that one, or name its address as Spark's master."
        )
    elif session is None or session.sparkContext is not context:
        session = SparkSession(context).newSession()
    held = dict(session.sparkContext.getConf().getAll())
    _settle(session, conf, f"the Spark at '{master}' that this process has already", held)
    _OPENED[master] = session
    return session


def _started(master: str, conf: Mapping[str, str]) -> "SparkSession":
    from pyspark import SparkContext
    from pyspark.sql import SparkSession, is_remote

    if is_remote():
        raise InputError(
            f"this process has a session of Spark Connect, and PySpark starts no Spark at '{master}' beside it. "
            "Name the address of that server (sc://HOST:PORT) as Spark's master, or use a process of its own."
        )
    check_reachable(master)
    with environment(launch_variables(master)):
        try:
            start_java({**conf, "spark.master": master})
            builder = SparkSession.builder.master(master)
            for name, value in conf.items():
                builder = builder.config(name, value)
            return builder.getOrCreate()
        except Exception as error:
            # A context that stopped half-way would be taken for one that runs.
            with suppress(Exception):
                SparkContext._active_spark_context.stop()  # noqa: SLF001
            raise SparkhuError(f"Spark does not start: {start_failure(error)}") from error


def _settle(session: Any, conf: Mapping[str, str], where: str, held: Mapping[str, str] | None = None) -> None:
    """Give a session the settings that it has not yet.

    Args:
        session: Ours, and no one else's.
        conf: What it shall have.
        where: What it is a session of, for the error.
        held: Settings of its application, as far as they are known.

    Raises:
        InputError: Some hold for a whole application, which has begun without them.
    """
    has = {name: session.conf.get(name, (held or {}).get(name)) for name in {**A_TASK_A_ROW, **conf}}
    wanted = {name: value for name, value in {**A_TASK_A_ROW, **conf}.items() if has[name] != value}
    fixed = [name for name in wanted if not session.conf.isModifiable(name)]
    if fixed:
        raise InputError(
            f"{where} takes settings of a session alone, and not {', '.join(fixed)}: too late for what holds for all "
            "of its sessions. Set it where that Spark is started, and leave it out here."
        )
    for name, value in wanted.items():
        session.conf.set(name, value)


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


def start_failure(error: Exception) -> str:
    """Say why Spark did not start."""
    if "JAVA_GATEWAY_EXITED" in str(error):
        where = os.environ.get("JAVA_HOME") or "the one on the PATH"
        return (
            "Java ended before Spark had started: it refuses a setting of Spark's, or it is older than 17 (taken was "
            f"{where}). The log says what Java said."
        )
    return first_line(error)


def first_line(error: Exception) -> str:
    """Give the line of a message that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # A message of Java's begins with what Py4J was doing; the exception stands in the line behind.
    told = lines[1:2] if lines and lines[0].startswith("An error occurred while calling") else lines[:1]
    return told[0].removeprefix(": ") if told else type(error).__name__
