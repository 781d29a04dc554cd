"""The lease: one runner at a time, and a token that tells one who was held up."""

import multiprocessing
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sparkhu_retention.applying.executor import apply
from sparkhu_retention.applying.leases import AHEAD, LASTS, Busy, LeaseLost, held, take
from sparkhu_retention.applying.running import running_as
from sparkhu_retention.database.opening import Database
from tests.retention_service.applying.world import World
from tests.retention_service.database.conftest import postgres_url, url

__all__ = ["postgres_url", "url"]

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    at(opened, NOW)
    yield opened
    opened.close()


def at(database: Database, now: datetime) -> Database:
    """Set the clock of a database."""
    database.clock = lambda: now
    return database


def test_the_second_waits_until_the_first_has_ended(database: Database) -> None:
    first = take(database, "ann")
    with pytest.raises(Busy, match="'ann' is running, or was killed: it has the lease until 00:01:00 UTC"):
        take(at(database, NOW + LASTS - timedelta(seconds=1)), "bob")
    first.release()
    assert take(database, "bob").token == first.token + 1


def test_a_lease_that_was_not_renewed_is_taken_over_and_its_holder_changes_nothing_more(database: Database) -> None:
    first = take(database, "ann")
    second = take(at(database, NOW + LASTS), "bob")
    with pytest.raises(LeaseLost):
        first.renew()
    first.release()
    second.renew()
    second.release()
    with pytest.raises(LeaseLost):
        second.renew()


def test_a_renewed_lease_counts_from_then_on(database: Database) -> None:
    lease = take(database, "ann")
    at(database, NOW + LASTS / 2)
    lease.renew()
    with pytest.raises(Busy):
        take(at(database, NOW + LASTS), "bob")


@pytest.mark.parametrize("ahead", [timedelta(seconds=1), timedelta(minutes=5), AHEAD])
def test_a_lease_that_another_clock_has_dated_ahead_is_held(database: Database, ahead: timedelta) -> None:
    take(at(database, NOW + ahead), "ann")
    with pytest.raises(Busy):
        take(at(database, NOW), "bob")


def test_a_clock_that_was_set_back_by_hours_does_not_lock_everybody_out(database: Database) -> None:
    first = take(at(database, NOW + timedelta(days=3)), "ann")
    second = take(at(database, NOW), "bob")
    assert second.token == first.token + 1
    with pytest.raises(LeaseLost):
        first.renew()


def test_the_time_is_that_of_the_database(url: str) -> None:
    database = Database(url)
    before = datetime.now(UTC)
    with database.reading() as connection:
        told = database.now(connection)
        later = database.now(connection)
    assert abs(told - before) < timedelta(minutes=1)
    assert told < later
    assert told.tzinfo is UTC
    database.close()


@pytest.mark.parametrize("days", [-2, 2])
def test_a_runner_whose_own_clock_is_wrong_takes_no_lease_of_another(world: World, days: int) -> None:
    world.write("day=2023-01-01/a.csv")
    with running_as(world.work(), None) as running:
        rival = world.work(clock=lambda: world.now + timedelta(days=days))
        with pytest.raises(Busy):
            apply(rival, None)
        running.lease.renew()


def test_a_thread_renews_the_lease_while_a_step_takes_long(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'retention.sqlite'}")
    lasts = timedelta(seconds=2)
    with held(database, "ann", lasts=lasts):
        time.sleep(4)
        with pytest.raises(Busy):
            take(database, "bob", lasts=lasts)
    database.close()


def contend(url: str, won: str) -> None:
    database = Database(url)
    try:
        take(database, "someone")
        with Path(won).open("a") as file:
            file.write("x")
    except Busy:
        pass
    database.close()


def test_of_several_at_once_one_gets_it(url: str, tmp_path: Path) -> None:
    Database(url).close()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=contend, args=(url, str(tmp_path / "won"))) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 5
    assert (tmp_path / "won").read_text() == "x"
