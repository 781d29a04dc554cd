"""What runs on the executors: one item a task.

Functions go to the executors and results come back in Spark's own serialisation, between processes of one cluster;
nothing of it is stored.
"""

import os
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from sparkhu.engines.base import ONE_THREAD
from sparkhu.errors import SparkhuError

if TYPE_CHECKING:
    import pyarrow as pa

OUTCOMES: Final = "item long, outcome binary"
"""Schema of what comes back: the item's number, and its packed `Outcome`."""
A_TASK_A_ROW: Final = {
    "spark.sql.leafNodeDefaultParallelism": str(2**30),
    "spark.sql.execution.arrow.localRelationThreshold": str(2**31 - 1),
}
"""Settings of a session with which a table that the driver gives is cut into as many tasks as it has rows."""


@dataclass(frozen=True)
class Outcome:
    """What became of an item: the function's result, or what it raised; an error is no reason to run a task again."""

    value: Any = None
    error: Exception | None = None
    host: str = ""

    def packed(self) -> bytes:
        """Serialise it as Spark does."""
        from pyspark.serializers import CPickleSerializer

        return cast(bytes, CPickleSerializer().dumps((self.value, self.error, self.host)))

    @classmethod
    def unpacked(cls, packed: bytes) -> "Outcome":
        """Read what `packed` gave."""
        from pyspark.serializers import CPickleSerializer

        return cls(*CPickleSerializer().loads(packed))


def packed(items: Sequence[Any]) -> "pa.Table":
    """Give a table of the items, a row each: `item`, its place in the sequence, and `given`, the item serialised."""
    import pyarrow as pa
    from pyspark.serializers import CloudPickleSerializer

    given = [CloudPickleSerializer().dumps(item) for item in items]
    return pa.table({"item": pa.array(range(len(given)), pa.int64()), "given": pa.array(given, pa.binary())})


def task_of(function: Callable[[Any], Any], *, code: str = "") -> Callable[[Any], Any]:
    """Make the function that Spark maps over batches of packed items; it holds none of them itself.

    Args:
        function: What to do with an item.
        code: Fingerprint of the library that the executors must have; empty: they read the same files as this process.
    """
    from pyspark.serializers import CloudPickleSerializer

    work: bytes = CloudPickleSerializer().dumps(function)
    variables = dict(ONE_THREAD)

    def task(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        # Before anything of ours is imported there: Polars reads them once. A core of an executor runs one task.
        os.environ.update(variables)
        from sparkhu.engines.spark.tasks import run_batches

        return run_batches(work, code, batches)

    return task


def run_batches(work: bytes, code: str, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    """Run the items that arrive."""
    import pyarrow as pa
    from pyspark.serializers import CloudPickleSerializer

    _check_code(code)
    serializer = CloudPickleSerializer()
    function = serializer.loads(work)
    for batch in batches:
        for number, given in zip(*batch.to_pydict().values(), strict=True):
            outcome = outcome_of(function, serializer.loads(given)).packed()
            yield pa.RecordBatch.from_pydict({"item": [number], "outcome": [outcome]})


def _check_code(code: str) -> None:
    from sparkhu.lineage import code_fingerprint

    if code and code_fingerprint() != code:
        raise SparkhuError(
            f"executor {socket.gethostname()} has Sparkhu {code_fingerprint()}, the driver {code}. "
            "Install the same version on both."
        )


def outcome_of(function: Callable[[Any], Any], item: Any) -> Outcome:
    """Call the function; what it raises is kept, with the traceback as a note."""
    host = socket.gethostname()
    try:
        return Outcome(function(item), host=host)
    except Exception as error:  # noqa: BLE001 - it is raised again where the result is asked for
        return Outcome(error=_portable(error), host=host)


def _portable(error: Exception) -> Exception:
    """Give an error that survives the way to the driver, where its traceback would not."""
    from pyspark.serializers import CPickleSerializer

    serializer, told = CPickleSerializer(), "".join(traceback.format_exception(error))
    try:
        carried: Exception = serializer.loads(serializer.dumps(error))
    except Exception:  # noqa: BLE001 - errors of other libraries may fail in any way
        carried = SparkhuError(f"{type(error).__name__}: {error}")
    carried.add_note(told)
    return carried
