"""Taking turns where an endpoint lacks compare-and-swap: Lamport's bakery, with objects for tickets.

A publisher that wants to swap announces itself, takes the number behind the highest that it finds, and waits until
nobody is choosing and no ticket is lower. Only the swap is done in a turn, so a turn takes a few requests.

A publisher that dies leaves its ticket. Tickets are dated by the endpoint's own clock and count for `LEASE`; older
ones are dead and taken away. Hence a publisher looks just before the swap whether its own ticket is there, is still
the first, and is young enough to outlive the write; else it changes nothing and lines up anew. One that is held up
*between* that look and the write for longer than half a lease could still overwrite another's version: an endpoint
without conditions offers nothing against it.

L. Lamport, A new solution of Dijkstra's concurrent programming problem, CACM 17 (8), 1974.
"""

import random
import time
import uuid
from datetime import datetime, timedelta
from typing import Protocol

from sparkhu.errors import SparkhuError
from sparkhu.lake.records import NEXT
from sparkhu.lake.storage import NoSuchFile, Stored

LEASE = timedelta(seconds=20)
PATIENCE = timedelta(minutes=5)
TICKETS = "leases/"
CHOOSING = f"{TICKETS}choosing-"
POLL_SECONDS = 0.1


class Dated(Protocol):
    """A storage that tells its own time with a listing."""

    def read_tagged(self, path: str) -> tuple[bytes, str]:
        """Read a file and its tag."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file."""

    def write_at_once(self, path: str, data: bytes) -> None:
        """Write a file within a few seconds or not at all."""

    def remove(self, paths: list[str]) -> None:
        """Remove files."""

    def listed_at(self, prefix: str) -> tuple[list[Stored], datetime]:
        """List files, and tell the time by the clock that dates them."""

    def place(self, path: str) -> str:
        """Give the URI of a file."""


def turn(storage: Dated, path: str, tag: str | None, data: bytes) -> bool:
    """Wait for this publisher's turn and swap: write `path` if it still has `tag` (null: if there is none).

    What is swapped in is written beside `path` first, as `next.json`: an endpoint that knows no conditions may also
    leave half an object when a write breaks off, and readers then find the whole there.

    Returns:
        False when another was first, or when this publisher was held up for so long that its ticket died.

    Raises:
        SparkhuError: The endpoint failed, or the turn did not come.
    """
    ticket = _line_up(storage)
    try:
        if not _wait(storage, ticket) or _tag(storage, path) != tag:
            return False
        storage.write(NEXT, data)
        if not _is_first(storage, ticket):
            return False
        storage.write_at_once(path, data)
    finally:
        storage.remove([ticket])
    return True


def _line_up(storage: Dated) -> str:
    name = uuid.uuid4().hex
    storage.write(f"{CHOOSING}{name}", b"choosing\n")
    try:
        numbers = [_number(each.path) for each in _alive(storage) if not each.path.startswith(CHOOSING)]
        ticket = f"{TICKETS}{max(numbers, default=0) + 1:012d}-{name}"
        storage.write(ticket, b"waiting\n")
    finally:
        storage.remove([f"{CHOOSING}{name}"])
    return ticket


def _wait(storage: Dated, ticket: str) -> bool:
    """Wait until nobody is before `ticket`; false when it died meanwhile."""
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while time.monotonic() < deadline:
        looked = time.monotonic()
        tickets, now = storage.listed_at(TICKETS)
        age = _age(tickets, ticket, now)
        if age is None or age > LEASE / 2:
            return False
        if not _before(tickets, ticket, now):
            return True
        if age > LEASE / 4:
            storage.write(ticket, b"still waiting\n")
            if time.monotonic() - looked > LEASE.total_seconds() / 4:
                return False  # held up in between: others may have taken the ticket for dead
        time.sleep(random.uniform(POLL_SECONDS / 2, POLL_SECONDS))
    raise SparkhuError(
        f"the turn to change '{storage.place('')}' did not come within {PATIENCE.total_seconds():g} s. Nothing was "
        "changed. Run it again when fewer publishers wait."
    )


def _is_first(storage: Dated, ticket: str) -> bool:
    """Tell whether `ticket` is there, before all others, and young enough to outlive a write."""
    tickets, now = storage.listed_at(TICKETS)
    age = _age(tickets, ticket, now)
    return age is not None and age <= LEASE / 2 and not _before(tickets, ticket, now)


def _alive(storage: Dated) -> list[Stored]:
    """List the tickets that count, and take away those that are dead."""
    tickets, now = storage.listed_at(TICKETS)
    dead = [each.path for each in tickets if now - each.modified > LEASE]
    storage.remove(dead)
    return [each for each in tickets if each.path not in dead]


def _before(tickets: list[Stored], own: str, now: datetime) -> bool:
    """Tell whether anybody alive is choosing or has a lower ticket."""
    others = (each.path for each in tickets if each.path != own and now - each.modified <= LEASE)
    return any(path.startswith(CHOOSING) or path < own for path in others)


def _age(tickets: list[Stored], own: str, now: datetime) -> timedelta | None:
    return next((now - each.modified for each in tickets if each.path == own), None)


def _number(ticket: str) -> int:
    return int(ticket.removeprefix(TICKETS).partition("-")[0])


def _tag(storage: Dated, path: str) -> str | None:
    try:
        return storage.read_tagged(path)[1]
    except NoSuchFile:
        return None
