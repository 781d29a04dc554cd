"""Runs in the background: begun by a request or the schedule, and asked after while they go on."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock, Thread
from typing import Final, Literal

from sparkhu.errors import SparkhuError
from sparkhu.sources.secrets import redacted
from sparkhu_retention.service.answers import Failure, RunAnswer, RunState
from sparkhu_retention.service.applied import run_id
from sparkhu_retention.service.metrics import Metrics
from sparkhu_retention.service.operations import Busy, Watch

MOST_KEPT: Final = 1_000
Doing = Callable[[str, Watch], RunAnswer]
"""Does a run of a name, and tells how far it is."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """A run that is to begin.

    Attributes:
        kind: What it does.
        storage: Whose items.
        plan: The plan that is applied; null: none is.
        by: Who asked.
        items: Items that it has to deal with.
    """

    kind: Literal["apply", "restore"]
    storage: str
    plan: str | None
    by: str
    items: int


class Runs:
    """The runs of this process, one at a time: the database's lease allows no more anyway.

    How far a run is stands here alone; what it did, and how it ended, in the database too, under the same name.

    Args:
        metrics: Where runs are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._known: OrderedDict[str, RunAnswer] = OrderedDict()
        self._thread: Thread | None = None
        self._lock = Lock()

    def begin(self, wanted: Wanted, work: Doing) -> RunAnswer:
        """Begin a run in the background.

        Args:
            wanted: What is begun.
            work: Does it.

        Raises:
            Busy: Another run of this process goes on.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise Busy("another run goes on; GET /v1/runs shows it. Ask again when it has ended.")
            run = _begun(wanted)
            self._keep(run)
            self._thread = Thread(target=self._work, args=(run, work), name=f"run-{run.id}", daemon=True)
            self.metrics.begin_run()
            self._thread.start()
        return run

    def find(self, run: str) -> RunAnswer | None:
        """Tell how far a run is; null where this process has begun none of that name."""
        with self._lock:
            return self._known.get(run)

    def listed(self) -> list[RunAnswer]:
        """List the runs that this process has begun, the newest first."""
        with self._lock:
            return list(reversed(self._known.values()))

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the run that goes on has ended, or so long; tell whether none goes on."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _work(self, run: RunAnswer, work: Doing) -> None:
        def watch(told: RunAnswer) -> None:
            with self._lock:
                self._keep(told)

        try:
            ended = work(run.id, watch)
        except Exception as error:
            if not isinstance(error, SparkhuError):
                logger.exception("a run failed", extra={"run": run.id})
            ended = self._failed(run.id, error)
        with self._lock:
            self._keep(ended)
        self.metrics.end_run(ended)
        level = logging.ERROR if ended.state is RunState.FAILED else logging.INFO
        told = {"run": run.id, "plan": run.plan, "storage": run.storage, "caller": run.by}
        said = ended.failures[0].detail if ended.failures else None
        logger.log(level, "a run ended: %s", ended.state, extra={**told, "said": said})

    def _failed(self, run: str, error: Exception) -> RunAnswer:
        known = isinstance(error, SparkhuError)
        detail = redacted(str(error)) if known else "unexpected failure; the log has the traceback"
        with self._lock:
            so_far = self._known[run]
        failures = [*so_far.failures, Failure(item=None, detail=detail)]
        state = RunState.BUSY if isinstance(error, Busy) else RunState.FAILED
        ended = {"state": state, "ended_at": datetime.now(UTC), "failures": failures}
        return so_far.model_copy(update=ended)

    def _keep(self, run: RunAnswer) -> None:
        self._known[run.id] = run
        if len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)


def _begun(wanted: Wanted) -> RunAnswer:
    now = datetime.now(UTC)
    return RunAnswer(
        id=run_id(now),
        kind=wanted.kind,
        storage=wanted.storage,
        plan=wanted.plan,
        by=wanted.by,
        state=RunState.RUNNING,
        began_at=now,
        ended_at=None,
        items=wanted.items,
        done={},
        failures=[],
    )
