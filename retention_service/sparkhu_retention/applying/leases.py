"""One runner at a time: a lease in the database, with a token that tells a runner who was held up that it lost it.

Whoever takes the lease gets the next token. Each change of the journal is made in a transaction that first renews the
lease of its own token, so a runner whose lease was taken over changes nothing any more: that transaction fails.

The time is the database's, which is the same for all runners, however their own clocks differ.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select, update

from sparkhu.errors import SparkhuError
from sparkhu_retention.database.opening import Database
from sparkhu_retention.database.tables import Lease

NAME: Final = "runner"
LASTS: Final = timedelta(seconds=60)
AHEAD: Final = timedelta(hours=1)
"""A lease that is dated ahead by more was dated by a clock that has been set back since, and keeps nobody out."""


class Busy(SparkhuError):  # noqa: N818 - says what is the matter
    """Another runner has the lease."""


class LeaseLost(SparkhuError):  # noqa: N818 - says what is the matter
    """This runner was held up for so long that another took over."""


class RunnerLease:
    """A lease that is held.

    Args:
        database: Where it is kept.
        token: Its number.
        lasts: How long it counts after it was renewed.

    Attributes:
        token: Its number.
    """

    def __init__(self, database: Database, token: int, lasts: timedelta) -> None:
        self.token = token
        self._database, self._lasts = database, lasts

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction that takes effect only while the lease is held, and renews it.

        Raises:
            LeaseLost: Another has it; nothing was changed.
        """
        with self._database.writing() as connection:
            mine = update(Lease).where(Lease.name == NAME, Lease.token == self.token, Lease.holder.is_not(None))
            until = self._database.now(connection) + self._lasts
            if connection.execute(mine.values(until=until)).rowcount != 1:
                raise LeaseLost(
                    "this run was held up for so long that another took over. It changes nothing any more; what it had "
                    "begun is settled by the other."
                )
            yield connection

    def renew(self) -> None:
        """Look that the lease is held still, and renew it."""
        with self.writing():
            pass

    def release(self) -> None:
        """Let others run; a lease that was lost is no matter."""
        with self._database.writing() as connection:
            mine = update(Lease).where(Lease.name == NAME, Lease.token == self.token)
            connection.execute(mine.values(holder=None, until=None))


def take(database: Database, holder: str, *, lasts: timedelta = LASTS) -> RunnerLease:
    """Take the lease.

    Args:
        database: Where it is kept, and whose time counts.
        holder: Who takes it, in words.
        lasts: How long it counts without being renewed.

    Raises:
        Busy: Another has it.
    """
    with database.writing() as connection:
        asked = select(Lease.token, Lease.holder, Lease.until).where(Lease.name == NAME).with_for_update()
        there = connection.execute(asked).one()
        now = database.now(connection)
        if there.holder is not None and there.until is not None and now < there.until <= now + lasts + AHEAD:
            raise Busy(
                f"'{there.holder}' is running, or was killed: it has the lease until {there.until:%H:%M:%S} UTC, and "
                "renews it while it lives. Try again when it has ended."
            )
        token = there.token + 1
        values = {"token": token, "holder": holder, "until": now + lasts}
        connection.execute(update(Lease).where(Lease.name == NAME).values(**values))
    return RunnerLease(database, token, lasts)


def is_held(connection: Connection, token: int, now: datetime) -> bool:
    """Tell whether the lease of a token counts still: its holder lives, or has not been dead for long."""
    mine = (Lease.name == NAME) & (Lease.token == token) & Lease.holder.is_not(None) & (Lease.until > now)
    return connection.scalar(select(Lease.token).where(mine)) is not None


@contextmanager
def held(
    database: Database,
    holder: str,
    *,
    lasts: timedelta = LASTS,
    beat: bool = True,
) -> Iterator[RunnerLease]:
    """Hold the lease while the block runs; with `beat` a thread renews it, as one step may take longer than it lasts.

    Raises:
        Busy: Another has it.
    """
    lease = take(database, f"{holder} ({uuid.uuid4().hex[:6]})", lasts=lasts)
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(lease, ended, lasts), name="retention lease", daemon=True)
    if beat:
        thread.start()
    try:
        yield lease
    finally:
        ended.set()
        if beat:
            thread.join()
        with suppress(SparkhuError):  # it runs out by itself, and what went wrong before is to be told
            lease.release()


def _beat(lease: RunnerLease, ended: threading.Event, lasts: timedelta) -> None:
    while not ended.wait(lasts.total_seconds() / 4):
        # A database that is away is found out by whoever next writes to it; a lease that was lost likewise.
        with suppress(SparkhuError):
            lease.renew()
