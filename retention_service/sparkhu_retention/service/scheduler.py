"""The schedule: at its times every storage is planned and the plan applied."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Final
from zoneinfo import ZoneInfo

from croniter import croniter

from sparkhu.errors import SparkhuError
from sparkhu_retention.applying.failures import alert
from sparkhu_retention.service.answers import RunState, Tier
from sparkhu_retention.service.operations import Busy, Operations
from sparkhu_retention.service.runs import Runs, Wanted

BY: Final = "schedule"
LONGEST_SLEEP: Final = timedelta(seconds=30)
"""The clock of the machine is looked at this often, since it may be set."""
LOOKS_EVERY: Final = 0.2
"""Seconds after which it is looked whether the service ends, while a run goes on."""
STOPS_WITHIN: Final = 5.0
HOUR: Final = 1
_TIERS: Final[tuple[Tier, ...]] = ("live", "archive")

logger = logging.getLogger(__name__)


def next_time(schedule: str, zone: str, after: datetime) -> datetime:
    """Find the first moment after `after` that a cron expression names, by the wall clock of a zone.

    An hour that the clock shows twice, as summer time ends, counts once, but for a schedule of every so many hours.

    Returns:
        The moment, UTC.
    """
    while True:
        there: datetime = croniter(schedule, after.astimezone(ZoneInfo(zone))).get_next(datetime)
        after = there.astimezone(UTC)
        if not after.astimezone(ZoneInfo(zone)).fold or schedule.split()[HOUR].startswith("*"):
            return after


class Scheduler:
    """Waits for the times of the schedule in a thread of its own.

    Two services on one database may share a schedule: the lease of the database lets one of them work, and the other
    tries again until the next time comes. A time that was slept through is made up for once.

    Args:
        operations: What plans and applies.
        runs: Where runs are begun.
        schedule: Cron expression.
        zone: IANA zone of the schedule.
        now: Tells the time, UTC.
        pause: How long it waits where another runner is at work, in seconds.
    """

    def __init__(
        self,
        operations: Operations,
        runs: Runs,
        schedule: str,
        zone: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: float = 300,
    ) -> None:
        self.operations, self.runs, self.schedule, self.zone, self.now = operations, runs, schedule, zone, now
        self.pause = pause
        self._ended = Event()
        self._thread = Thread(target=self._wait, name="schedule", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def stop(self) -> None:
        """End; neither a run nor a plan that is under way is waited for, the next service settles them."""
        self._ended.set()
        self._thread.join(STOPS_WITHIN)

    def work(self) -> None:
        """Plan and apply every storage, one after the other; one that fails does not keep the next from it."""
        until = next_time(self.schedule, self.zone, self.now())
        for storage in self.operations.storages():
            for tier in _TIERS if storage.archive else _TIERS[:1]:
                if self._ended.is_set():
                    return
                try:
                    self._apply(storage.name, tier, until)
                except Exception as error:
                    if not isinstance(error, SparkhuError):
                        logger.exception("the schedule could not work", extra={"storage": storage.name})
                    alert(error, storage=storage.name, run=None)

    def _apply(self, storage: str, tier: Tier, until: datetime) -> None:
        plan = self.operations.make_plan(storage, by=BY, tier=tier)
        items = sum(total.items for total in plan.totals if total.action in ("archive", "delete"))
        wanted = Wanted("apply", storage, plan.id, BY, items)
        while not self._applied(wanted, plan.id):
            if self._ended.wait(self.pause):
                return
            if self.now() >= until:
                logger.warning("another runner was at work until the next time came", extra={"storage": storage})
                return

    def _applied(self, wanted: Wanted, plan: str) -> bool:
        """Apply a plan; tell whether it came to its turn."""
        try:
            begun = self.runs.begin(wanted, lambda run, watch: self.operations.apply(plan, by=BY, watch=watch, run=run))
        except Busy as busy:
            logger.info("%s", busy, extra={"storage": wanted.storage})
            return False
        while not self._ended.is_set():
            if self.runs.wait(LOOKS_EVERY):
                ended = self.runs.find(begun.id)
                return ended is None or ended.state is not RunState.BUSY
        return True

    def _wait(self) -> None:
        due = next_time(self.schedule, self.zone, self.now())
        while True:
            left = due - self.now()
            if self._ended.wait(max(0.0, min(left, LONGEST_SLEEP).total_seconds())):
                return
            if self.now() < due:
                continue
            try:
                self.work()
            except Exception:
                logger.exception("the schedule could not work")
            due = next_time(self.schedule, self.zone, self.now())
