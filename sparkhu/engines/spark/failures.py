"""From what Spark says to what the user should know: which item was lost, why, and what to do."""

import re
from collections.abc import Sequence
from typing import Any, Final

from sparkhu.engines.base import LostItem
from sparkhu.engines.spark.masters import without_secrets
from sparkhu.errors import SparkhuError

_TASK: Final = re.compile(r"Task (\d+) in stage [\d.]+ failed (\d+) times?")
_LOST: Final = re.compile(
    r"ExecutorLostFailure|Python worker exited unexpectedly|OutOfMemoryError|EOFException|MemoryError|exit code 137"
)
_MISSING: Final = re.compile(r"No module named '(\w+)[\w.]*'")
_OURS: Final = re.compile(r"SparkhuError: (.+)")
MORE_MEMORY: Final = (
    "Give executors more memory (spark.executor.memory, spark.executor.memoryOverhead) or fewer cores "
    "(spark.executor.cores)."
)


def explained(error: Exception, items: Sequence[Any], master: str) -> SparkhuError:
    """Say what a failed job means.

    Args:
        error: What Spark raised.
        items: The items of the job, one a task.
        master: Where Spark is.

    Returns:
        The error to raise: of a `LostItem`, the message does not name the item; whoever knows what it holds does.
    """
    text = str(error)
    if missing := _MISSING.search(text):
        return SparkhuError(
            f"the executors' Python has no '{missing[1]}'. Install the same packages there as here, or name their "
            "interpreter: spark.pyspark.python (through Connect: PYSPARK_PYTHON of the server)."
        )
    if "PYTHON_VERSION_MISMATCH" in text:
        return SparkhuError(
            "the executors' Python is of another version than this one. Name one of the same version: "
            "spark.pyspark.python (through Connect: PYSPARK_PYTHON of the server)."
        )
    if "UNAUTHENTICATED" in text:
        return SparkhuError(
            f"'{without_secrets(master)}' refuses the token. Set SPARK_CONNECT_AUTHENTICATE_TOKEN, or give the address "
            "as sc://HOST:PORT/;token=…;use_ssl=true."
        )
    if ours := _OURS.search(text):
        return SparkhuError(ours[1])
    task = _TASK.search(text)
    if task and _LOST.search(text):
        number, times = int(task[1]), int(task[2])
        often = f", {times} times" if times > 1 else ""
        return LostItem(
            f"an executor or its Python was killed{often}, most often for want of memory.",
            number=number if number < len(items) else None,
            way_out=MORE_MEMORY,
        )
    return SparkhuError(f"Spark gave up at '{without_secrets(master)}': {_cause(text)}")


def _cause(text: str) -> str:
    """Find the line that says most: the last exception of a Python traceback, else the first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (told or lines or ["it does not say why"])[0][:500]
