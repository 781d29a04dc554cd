"""One task an item on Spark's executors, classic or through Spark Connect.

A job is a table of the items, one partition a row, mapped by `mapInArrow`: a task is given its own item alone. What
comes back is each item's small result. Shards are read and written where the executors run, so driver and executors see
the same folders.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from sparkhu.engines.base import Item, LostItem, Result
from sparkhu.engines.spark.failures import explained
from sparkhu.engines.spark.masters import check_master, is_local
from sparkhu.engines.spark.sessions import hand_over, open_session
from sparkhu.engines.spark.tasks import OUTCOMES, Outcome, packed, task_of
from sparkhu.errors import SparkhuError
from sparkhu.lineage import code_fingerprint

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class SparkEngine:
    """Maps a function over items, one task an item, on the executors of a Spark cluster.

    The session is opened when the first item is mapped, and kept for the life of the process; a session that somebody
    else opened here is left as it is. Results come in the order of the items. A task that is lost with its executor
    runs again elsewhere.

    Args:
        master: `local[N]`, `spark://HOST:PORT`, `yarn`, `k8s://…`, or `sc://HOST:PORT` for Spark Connect.
        conf: Spark's own settings, such as `{"spark.executor.memory": "4g"}`.

    Raises:
        InputError: `master` is none.

    Example:
        >>> list(SparkEngine("local[2]").map(len, ["a", "bc"]))
        [1, 2]
    """

    at_once = 0

    def __init__(self, master: str = "local[*]", conf: Mapping[str, str] | None = None) -> None:
        self.master = check_master(master)
        self.conf = dict(conf or {})

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield `function(item)` for each item, in order, once all are done.

        Args:
            function: A function that the executors can import, or a partial of one.
            items: What to map over.

        Raises:
            LostItem: An executor, or its Python, ended in the middle of an item as often as Spark tries it, or had no
                memory.
            InputError: PySpark or Java is not installed, this process has another Spark already, or a setting can take
                no effect any more.
            SparkhuError: The master cannot be reached, or Spark gives up. What `function` raises goes on.
        """
        if not items:
            return
        session = open_session(self.master, self.conf)
        task = task_of(function, code="" if is_local(self.master) else code_fingerprint())
        try:
            found = _collected(session, hand_over(session, packed(items)).mapInArrow(task, OUTCOMES))
        except Exception as error:
            raise explained(error, items, self.master) from error
        if sorted(found) != list(range(len(items))):
            raise SparkhuError(f"Spark gave back {len(found)} results for {len(items)} tasks.")
        for number in range(len(items)):
            yield cast(Result, _value(found.pop(number), number))


def _collected(session: "SparkSession", frame: "DataFrame") -> dict[int, bytes]:
    """Run the job and gather what its tasks give back; when this process is interrupted, the job is ended."""
    tag = f"sparkhu-{uuid.uuid4().hex}"
    session.addTag(tag)
    try:
        return {row["item"]: bytes(row["outcome"]) for row in frame.collect()}
    except BaseException:
        # The connection may be what has failed: then there is nobody left to be told.
        with suppress(Exception):
            session.interruptTag(tag)
        raise
    finally:
        with suppress(Exception):
            session.removeTag(tag)


def _value(packed: bytes, number: int) -> Any:
    outcome = Outcome.unpacked(packed)
    if isinstance(outcome.error, MemoryError):
        raise LostItem(
            f"an executor on {outcome.host} ran out of memory.",
            number=number,
            way_out="Give executors more memory (spark.executor.memory, spark.executor.pyspark.memory) or fewer cores.",
        )
    if outcome.error is not None:
        raise outcome.error
    return outcome.value
