"""What can come back, and what is refused because nothing is left of it."""

import pytest

from sparkhu.errors import InputError
from sparkhu_retention.applying.restorable import Choice, chosen, comes_back
from sparkhu_retention.applying.restoring import restore
from sparkhu_retention.database import archived, journal
from sparkhu_retention.planning.action import DELETE
from tests.retention_service.applying.world import GRACE, REMOVED, World, counted

KEPT, GONE, GONE_TOO = "day=2023-01-01/a.csv", "gone/day=2023-01-02/b.csv", "gone/day=2023-01-03/c.csv"
WITHOUT = "it was removed without a copy in an archive"


@pytest.fixture
def runs(world: World) -> dict[str, str]:
    """Purge one file that the archive has and two that it has not; give the runs that removed them."""
    world.policy({**REMOVED, "name": "gone", "match": {"dataset": "gone"}}, name="gone")
    names = [world.write(name, name.encode()) for name in (KEPT, GONE, GONE_TOO)]
    kept = world.apply(world.plan(names[0])).run
    gone = world.apply(world.plan(*names[1:], action=DELETE, policy="gone")).run
    world.now += GRACE
    assert counted(world.apply()) == {"purged": 3}
    return {KEPT: kept, GONE: gone}


def restored(world: World, choice: Choice) -> list[str]:
    with world.database.reading() as connection:
        return chosen(connection, world.storage.uri, choice)


def test_what_no_archive_has_is_passed_over_where_others_are_meant_beside_it(
    world: World, runs: dict[str, str]
) -> None:
    ids = restored(world, Choice(items=["**"]))
    assert ids == [KEPT]
    assert counted(restore(world.work(), ids)) == {"restored": 1}
    assert restored(world, Choice(items=["**"])) == []


@pytest.mark.parametrize("choice", [Choice(items=[GONE]), Choice(items=["**", GONE])])
def test_what_is_named_and_no_archive_has_is_refused(world: World, runs: dict[str, str], choice: Choice) -> None:
    with pytest.raises(InputError, match=f"^'{GONE}' cannot be restored: {WITHOUT}"):
        restored(world, choice)
    with pytest.raises(InputError, match=f"^'{GONE}' cannot be restored: {WITHOUT}"):
        restore(world.work(), [KEPT, GONE])


def test_a_run_of_which_nothing_can_come_back_is_refused(world: World, runs: dict[str, str]) -> None:
    with pytest.raises(InputError, match=f"^'{GONE}' cannot be .*Of the 1 others that are meant none can either"):
        restored(world, Choice(run=runs[GONE]))
    assert counted(restore(world.work(), run=runs[GONE])) == {}
    with world.database.reading() as connection:
        uri = world.storage.uri
        assert not comes_back(connection, uri, [GONE, GONE_TOO], runs[GONE])
        assert comes_back(connection, uri, [KEPT], runs[KEPT])
        assert not comes_back(connection, uri, [KEPT], runs[GONE])


def test_what_has_left_the_archive_is_refused_with_the_day(world: World, runs: dict[str, str]) -> None:
    with world.database.writing() as connection:
        (entry,) = journal.removed(connection, world.storage.uri, ids=[KEPT])
        archived.forget(connection, [entry.entry], at=world.now)
    with pytest.raises(InputError, match=f"its copy left the archive on {world.now:%Y-%m-%d}"):
        restored(world, Choice(items=[KEPT]))
