"""Restoring: from the tombstone before the purge, from the archive after it, and in spite of what happened since."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import Append, create_lake
from sparkhu_retention.applying.leases import Busy, held
from sparkhu_retention.applying.restorable import Choice, chosen
from sparkhu_retention.applying.restoring import restore
from sparkhu_retention.applying.step import State
from sparkhu_retention.database import archived, holds, journal
from sparkhu_retention.planning.action import DELETE
from sparkhu_retention.storages.lake import LakeFiles
from sparkhu_retention.storages.protocol import Buried, Exported
from tests.retention_service.applying.world import GRACE, REMOVED, World, counted
from tests.sparkhu.lake.made_rows import START as LAKE_START
from tests.sparkhu.lake.made_rows import observed

A, B = "day=2023-01-01/a.csv", "day=2023-01-02/b.csv"


def removed(world: World, *, purged: bool) -> str:
    """Archive and bury two files, and purge them; give the run."""
    world.write(A, b"one")
    world.write(B, b"two")
    run = world.apply(world.plan(A, B)).run
    if purged:
        world.now += GRACE
        world.apply()
        assert world.states() == {A: "purged", B: "purged"}
    return run


@pytest.mark.parametrize("purged", [False, True], ids=["before the purge", "after the purge"])
def test_an_item_comes_back_as_it_was(world: World, purged: bool) -> None:
    removed(world, purged=purged)
    done = restore(world.work(), [A])
    assert (counted(done), done.exit_code) == ({"restored": 1}, 0)
    assert world.live() == {A: b"one"}
    assert counted(restore(world.work(), [A])) == {}


@pytest.mark.parametrize("purged", [False, True], ids=["before the purge", "after the purge"])
def test_all_that_a_run_removed_comes_back(world: World, purged: bool) -> None:
    run = removed(world, purged=purged)
    assert counted(restore(world.work(), run=run)) == {"restored": 2}
    assert world.live() == {A: b"one", B: b"two"}


def test_what_was_restored_is_held_until_the_hold_is_lifted(world: World) -> None:
    removed(world, purged=True)
    restore(world.work(), [A])
    assert counted(world.apply(world.plan(A))) == {"held": 1}
    with world.database.writing() as connection:
        (hold,) = holds.standing(connection)
        holds.lift(connection, hold.id, at=world.now, by="ann")
    assert counted(world.apply(world.plan(A))) == {"archived": 1, "buried": 1}


def test_without_a_hold_the_next_run_takes_it_again(world: World) -> None:
    removed(world, purged=False)
    restore(world.work(), [A], hold=False)
    assert counted(world.apply(world.plan(A))) == {"archived": 1, "buried": 1}


@pytest.mark.parametrize("purged", [False, True], ids=["before the purge", "after the purge"])
def test_nothing_is_restored_over_what_lies_there_now(world: World, purged: bool) -> None:
    removed(world, purged=purged)
    world.write(A, b"new")
    done = restore(world.work(), [A, B])
    assert (counted(done), done.exit_code) == ({"failed": 1, "restored": 1}, 1)
    assert world.live() == {A: b"new", B: b"two"}
    assert world.states()[A] == ("purged" if purged else "buried")
    assert "is there again" in world.said(A)


@pytest.mark.parametrize(("most", "sizes"), [({"batch_items": 10}, [10, 6]), ({"batch_bytes": 12}, [10, 6])])
def test_purged_items_come_back_together(
    world: World, monkeypatch: pytest.MonkeyPatch, most: dict[str, int], sizes: list[int]
) -> None:
    """Of a lake each call is a commit; what is fetched for one finds room on this machine."""
    names = [world.write(f"day=2023-01-{day:02d}/a.csv", b"%d" % day) for day in range(1, 17)]
    before, run = world.live(), world.apply(world.plan(*names)).run
    world.now += GRACE
    world.apply()
    calls: list[int] = []
    put_back = world.storage.put_back

    def told(archived: Iterable[Exported], folder: Path) -> None:
        calls.append(len(list(archived)))
        put_back(archived, folder)

    monkeypatch.setattr(world.storage, "put_back", told)
    assert counted(restore(world.work(**most), run=run)) == {"restored": 16}
    assert (world.live(), calls) == (before, sizes)


def test_purged_files_of_a_lake_come_back_in_one_commit(world: World) -> None:
    lake = create_lake(str(world.root / "lake"))
    for hours in (24, 48, 72):
        rows = observed(hours=24, start=LAKE_START + timedelta(hours=hours - 24))
        lake.commit({"observations": Append(rows)}, run="run", based_on=lake.version())
    rows, world.storage = lake.version().table("observations").read(), LakeFiles(lake.uri)
    ids = pl.concat(world.storage.items())["id"].to_list()
    world.apply(world.plan(*ids))
    world.now += GRACE
    assert counted(world.apply()) == {"purged": 3}
    before = lake.version().number
    assert counted(restore(world.work(), ids)) == {"restored": 3}
    assert lake.version().number == before + 1
    assert lake.version().table("observations").read().equals(rows)


def test_a_damaged_archive_restores_nothing_of_it(world: World) -> None:
    removed(world, purged=True)
    (path,) = [path for path in world.archived() if path.endswith("a.csv")]
    (world.root / "archive" / path).write_bytes(b"two")
    done = restore(world.work(), [A, B])
    assert (counted(done), done.exit_code) == ({"failed": 1, "restored": 1}, 1)
    assert world.live() == {B: b"two"}
    assert "is damaged" in world.said(A)


def test_what_needs_an_item_that_a_killed_run_had_purged_brings_it_back_from_the_archive(world: World) -> None:
    removed(world, purged=False)
    world.storage.purge([A], next(one.mark for one in world.storage.buried()))
    with world.database.writing() as connection:
        journal.move(connection, journal.removed(connection, world.storage.uri, ids=[A]), State.PURGING, at=world.now)
        holds.place(connection, "court", at=world.now, by="bob", storage=world.storage.uri, ids=[A])
    assert counted(world.apply()) == {"restored": 1}
    assert world.live() == {A: b"one"}


def test_what_somebody_took_from_its_tombstone_comes_back_from_the_archive(world: World) -> None:
    run = removed(world, purged=False)
    shutil.rmtree(world.root / "live" / "_tombstones" / run)
    world.now += GRACE
    assert counted(world.apply()) == {"failed": 2}
    assert counted(restore(world.work(), [A])) == {"restored": 1}
    assert counted(restore(world.work(), run=run)) == {"restored": 1}
    assert world.live() == {A: b"one", B: b"two"}


def test_what_could_not_come_back_while_the_archive_was_away_comes_back_later(world: World) -> None:
    run = removed(world, purged=False)
    shutil.rmtree(world.root / "live" / "_tombstones" / run)
    (world.root / "archive").rename(world.root / "away")
    assert counted(restore(world.work(), [A])) == {"failed": 1}
    (world.root / "away").rename(world.root / "archive")
    assert counted(restore(world.work(), [A])) == {"restored": 1}
    assert world.live() == {A: b"one"}


def test_what_was_purged_comes_back_though_a_later_plan_of_the_same_name_failed(world: World) -> None:
    removed(world, purged=True)
    world.write(A, b"new")
    plan = world.plan(A)
    world.write(A, b"newer")
    assert counted(world.apply(plan))["changed"] == 1
    assert world.states()[A] == "failed"
    (world.root / "live" / A).unlink()
    assert counted(restore(world.work(), [A])) == {"restored": 1}
    assert world.live() == {A: b"one"}


def test_many_items_are_restored_at_once(world: World) -> None:
    removed(world, purged=True)
    with pytest.raises(InputError, match="'none 0' was not"):
        restore(world.work(), [A, *(f"none {number}" for number in range(300_000))])
    assert counted(restore(world.work(), [A, B])) == {"restored": 2}


def test_items_that_nothing_removed_are_refused(world: World) -> None:
    removed(world, purged=False)
    with pytest.raises(InputError, match="'nothing' was not"):
        restore(world.work(), ["nothing"])
    with pytest.raises(InputError, match=r"^ids or run"):
        restore(world.work())


def test_what_could_not_come_back_stays_held_until_it_can(world: World) -> None:
    removed(world, purged=False)
    world.write(A, b"new")
    assert counted(restore(world.work(), [A, B])) == {"failed": 1, "restored": 1}
    with world.database.reading() as connection:
        (hold,) = holds.standing(connection)
        assert hold.ids == [A, B]
    world.now += GRACE
    assert counted(world.apply()).keys() == {"failed"}
    assert world.buried() == {A}
    (world.root / "live" / A).unlink()
    assert counted(restore(world.work(), [A])) == {"restored": 1}
    assert world.live() == {A: b"one", B: b"two"}


@pytest.mark.parametrize("error", [SparkhuError("the storage went away"), KeyboardInterrupt()], ids=["away", "Ctrl-C"])
def test_a_restore_that_ends_in_between_holds_what_was_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    world.policy(REMOVED)
    world.write(A, b"one")
    world.apply(world.plan(A, action=DELETE))
    tombstones = [list(world.storage.buried())]

    def away() -> list[Buried]:
        if tombstones:
            return tombstones.pop()
        raise error

    monkeypatch.setattr(world.storage, "buried", away)
    with pytest.raises(type(error)):
        restore(world.work(), [A])
    monkeypatch.undo()
    world.now += GRACE
    assert counted(world.apply()) == {"restored": 1}
    assert world.live() == {A: b"one"}


def test_what_nothing_can_bring_back_is_not_held(world: World) -> None:
    run = removed(world, purged=False)
    shutil.rmtree(world.root / "live" / "_tombstones" / run)
    with world.database.writing() as connection:
        (entry,) = journal.removed(connection, world.storage.uri, ids=[A])
        archived.forget(connection, [entry.entry], at=world.now)
    assert counted(restore(world.work(), [A])) == {"failed": 1}
    with world.database.reading() as connection:
        assert holds.standing(connection) == []


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        (Choice(items=["day=2023-01-0*/a.csv"]), [A]),
        (Choice(items=["**"]), [A, B]),
        (Choice(items=[B, A]), [A, B]),
        (Choice(start=datetime(2023, 1, 2, tzinfo=UTC)), [B]),
        (Choice(end=datetime(2023, 1, 2, tzinfo=UTC)), [A]),
        (Choice(items=["**"], start=datetime(2023, 1, 1, tzinfo=UTC), end=datetime(2023, 1, 2, tzinfo=UTC)), [A]),
    ],
)
def test_items_are_chosen_by_pattern_and_by_what_they_cover(world: World, choice: Choice, ids: list[str]) -> None:
    run = removed(world, purged=False)
    with world.database.reading() as connection:
        uri = world.storage.uri
        assert chosen(connection, uri, choice) == ids
        assert chosen(connection, uri, replace(choice, run=run)) == ids
        with pytest.raises(InputError, match=r"field 'run' must be a run that took items out.*, got 'other'"):
            chosen(connection, uri, replace(choice, run="other"))


def test_what_is_chosen_is_what_was_removed_and_is_not_back(world: World) -> None:
    odd = world.write("day=2023-01-03/[a]*.csv")
    removed(world, purged=True)
    world.apply(world.plan(odd))
    restore(world.work(), [B])
    with world.database.reading() as connection:
        uri = world.storage.uri
        assert chosen(connection, uri, Choice(items=["**"])) == [A, odd]
        assert chosen(connection, uri, Choice(items=[odd])) == [odd]
        assert chosen(connection, uri, Choice(items=[B])) == []
        with pytest.raises(InputError, match=r"field 'items' must name what was removed.*; 'none/.*' was not"):
            chosen(connection, uri, Choice(items=[A, "none/*"]))
        with pytest.raises(InputError, match="nothing that was removed is meant"):
            chosen(connection, uri, Choice(start=datetime(2024, 1, 1, tzinfo=UTC)))


def test_nothing_is_restored_while_a_run_is_under_way(world: World) -> None:
    removed(world, purged=False)
    with held(world.database, "bob", beat=False), pytest.raises(Busy):
        restore(world.work(), [A])
    assert world.buried() == {A, B}
