"""Applying a plan, from the live file to the purge, and what holds it up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu_retention.applying.leases import Busy, held
from sparkhu_retention.applying.returning import returning
from sparkhu_retention.database import audit, holds, journal
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.action import DELETE
from sparkhu_retention.storages.folder import Folder
from tests.retention_service.applying.world import ARCHIVED, GRACE, REMOVED, World, counted

A, B = "day=2023-01-01/a.csv", "day=2023-01-02/b.csv"


def test_an_item_is_archived_buried_and_purged_after_its_grace(world: World) -> None:
    world.write(A, b"one")
    world.write(B, b"two")
    done = world.apply(world.plan(A))
    assert counted(done) == {"archived": 1, "buried": 1}
    assert done.counts["buried"] == {"items": 1, "rows": None, "bytes": 3}
    assert (set(world.live()), world.buried(), world.states()) == ({B}, {A}, {A: "buried"})
    world.now += GRACE - timedelta(seconds=1)
    assert counted(world.apply()) == {}
    world.now += timedelta(seconds=1)
    assert counted(world.apply()) == {"purged": 1}
    assert (set(world.live()), world.buried(), world.states()) == ({B}, set(), {A: "purged"})
    (path,) = [path for path in world.archived() if "/data/" in path]
    assert world.archive.files.read(path) == b"one"
    with world.database.reading() as connection:
        rows = audit.read(connection)
        assert audit.broken_at(connection) is None
    assert [row["what"] for row in rows if row["run"]] == [
        *("run began", "archived", "verified", "buried", "run done"),
        *("run began", "run done"),
        *("run began", "purging", "purged", "run done"),
    ]
    (told,) = rows[-2]["detail"]["objects"]
    assert (told["id"], told["policy"], told["version"], told["bytes"]) == (A, "old", 1, 3)
    assert told["archived"] == [{"path": path, "bytes": 3, "sha256": told["archived"][0]["sha256"]}]


def test_the_manifest_says_what_the_batch_holds(world: World) -> None:
    frame = pl.DataFrame({"x": range(10)})
    world.write("day=2023-01-01/t.parquet")
    frame.write_parquet(world.root / "live" / "day=2023-01-01/t.parquet")
    world.write(A, b"one")
    world.apply(world.plan(A, "day=2023-01-01/t.parquet"))
    (path,) = [path for path in world.archived() if path.endswith("manifest.json")]
    folder = path.removesuffix("/manifest.json")
    manifest = world.archive.manifest(folder)
    assert (manifest.items, manifest.rows) == (2, 10)
    assert manifest.bytes == sum(file.bytes for file in manifest.files)
    table = next(file for file in manifest.files if file.rows)
    assert pl.read_parquet(world.root / "archive" / folder / table.path).equals(frame)


def test_what_is_removed_without_an_archive_has_none(world: World) -> None:
    world.policy(REMOVED)
    world.write(A)
    plan = world.plan(A, action=DELETE)
    assert counted(world.apply(plan, archive=None)) == {"buried": 1}
    assert world.buried() == {A}
    world.now += GRACE
    assert counted(world.apply(archive=None)) == {"purged": 1}
    assert world.archived() == []


def needed(world: World) -> None:
    world.needs.append(Need("champion", world.storage.uri, start=datetime(2023, 1, 1, 12, tzinfo=UTC)))


def held_by_people(world: World) -> None:
    with world.database.writing() as connection:
        holds.place(connection, "court", at=world.now, by="bob", storage=world.storage.uri, ids=[A])


def policy_changed(world: World) -> None:
    world.policy({**ARCHIVED, "archive_after": "3 years"})


def policy_removed(world: World) -> None:
    world.policy(None)


def no_policy(world: World) -> None:
    world.policy({"name": "old", "no_policy": True})


def more_specific_policy(world: World) -> None:
    world.policy({"name": "new", "archive_after": "5 years", "match": {"dataset": "."}}, "new")


def legal_hold(world: World) -> None:
    world.policy({**ARCHIVED, "hold": "court"})


def held_by_another_spelling(world: World) -> None:
    with world.database.writing() as connection:
        holds.place(connection, "court", at=world.now, by="bob", storage=f"file://{world.storage.uri}/", ids=[A])


def held_from_the_root_around(world: World) -> None:
    with world.database.writing() as connection:
        holds.place(connection, "court", at=world.now, by="bob", storage=str(world.root))


STAYS = [
    held_by_another_spelling,
    held_from_the_root_around,
    needed,
    held_by_people,
    policy_changed,
    policy_removed,
    no_policy,
    more_specific_policy,
    legal_hold,
]


@pytest.mark.parametrize("happens", STAYS)
def test_what_must_stay_since_it_was_planned_is_left_alone(world: World, happens: Any) -> None:
    world.write(A)
    plan = world.plan(A)
    happens(world)
    assert counted(world.apply(plan)) == {"held": 1}
    assert (set(world.live()), world.buried(), world.archived()) == ({A}, set(), [])


@pytest.mark.parametrize("happens", STAYS)
def test_what_must_stay_while_it_is_buried_comes_back(world: World, happens: Any) -> None:
    world.write(A, b"one")
    world.apply(world.plan(A))
    happens(world)
    world.now += GRACE * 2
    assert counted(world.apply()) == {"restored": 1}
    assert (world.live(), world.buried(), world.states()) == ({A: b"one"}, set(), {A: "restored"})


@pytest.mark.parametrize("change", [{"grace": "1 day"}, {"match": {"dataset": "."}}, {"delete_after": "9 years"}])
def test_a_change_of_its_policy_that_is_not_about_removal_brings_nothing_back(
    world: World, change: dict[str, Any]
) -> None:
    world.write(A, b"one")
    plan = world.plan(A)
    world.policy({**ARCHIVED, **change})
    assert counted(world.apply(plan)) == {"archived": 1, "buried": 1}
    world.policy(ARCHIVED)
    assert counted(world.apply()) == {}
    world.now += GRACE
    assert counted(world.apply()) == {"purged": 1}


@pytest.mark.parametrize(
    ("now", "grace", "after"),
    [
        ({"name": "new"}, {}, {"purged": 1}),
        ({"name": "new", "delete_after": "9 years"}, {}, {"purged": 1}),
        ({"name": "new", "archive_after": "13 months"}, {"restored": 1}, {}),
        ({"name": "new", "grace": "8 days"}, {"restored": 1}, {}),
        ({"name": "new", "keep_newest": 1}, {"restored": 1}, {}),
    ],
)
def test_the_same_rules_under_another_name_bring_nothing_back(
    world: World, now: dict[str, Any], grace: dict[str, int], after: dict[str, int]
) -> None:
    world.write(A, b"one")
    world.apply(world.plan(A))
    world.policy(None)
    world.policy({**ARCHIVED, **now}, "new")
    told = returning(world.work()).select("reason", "items", "rows", "bytes").rows()
    assert told == ([("it falls under policy 'new', version 1 now", 1, None, 3)] if grace else [])
    assert counted(world.apply()) == grace
    world.now += GRACE
    assert counted(world.apply()) == after


@pytest.mark.parametrize("happens", STAYS)
def test_what_comes_back_is_told_before(world: World, happens: Any) -> None:
    world.write(A, b"one")
    world.apply(world.plan(A))
    assert returning(world.work()).height == 0
    happens(world)
    told = returning(world.work())
    assert told.select("items", "bytes").rows() == [(1, 3)]
    assert (set(world.live()), world.buried()) == (set(), {A}), "nothing was done"
    world.apply()
    assert world.said(A) == told["reason"][0]


def test_what_a_wrong_clock_has_planned_stays(world: World) -> None:
    name = world.write("day=2024-12-31/a.csv")
    world.now += timedelta(days=2000)
    plan = world.plan(name)
    world.now -= timedelta(days=2000)
    assert counted(world.apply(plan)) == {"held": 1}
    assert set(world.live()) == {name}
    assert "is due on 2030-06-24" in world.said(name)


VERSIONS = [f"day=2023-01-0{day}/a.csv" for day in range(1, 6)]


def of_versions(world: World) -> str:
    """Plan to keep the newest two of five versions."""
    world.policy({"name": "old", "keep_newest": 2})
    for name in VERSIONS:
        world.write(name)
    return world.plan(*VERSIONS[:3])


def test_versions_that_are_the_newest_since_they_were_planned_stay(world: World) -> None:
    plan = of_versions(world)
    (world.root / "live" / VERSIONS[4]).unlink()
    assert counted(world.apply(plan)) == {"held": 1, "archived": 2, "buried": 2}
    assert set(world.live()) == set(VERSIONS[2:4])


def test_versions_that_become_the_newest_while_they_are_buried_come_back(world: World) -> None:
    world.apply(of_versions(world))
    assert set(world.live()) == set(VERSIONS[3:])
    for name in VERSIONS[3:]:
        (world.root / "live" / name).unlink()
    world.now += GRACE
    assert counted(world.apply()) == {"restored": 2, "purged": 1}
    assert set(world.live()) == set(VERSIONS[1:3])


def test_a_version_that_is_held_takes_no_place_of_the_newest(world: World) -> None:
    plan = of_versions(world)
    with world.database.writing() as connection:
        holds.place(connection, "court", at=world.now, by="bob", storage=world.storage.uri, ids=[VERSIONS[4]])
    assert counted(world.apply(plan)) == {"held": 1, "archived": 2, "buried": 2}
    assert set(world.live()) == set(VERSIONS[2:])


def test_the_storage_is_listed_once_for_the_newest_versions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, listed, items = of_versions(world), [], world.storage.items
    other = world.plan(VERSIONS[0])
    monkeypatch.setattr(world.storage, "items", lambda: listed.append(1) or items())
    world.apply(plan, batch_items=1)
    assert len(listed) == 1
    world.policy(ARCHIVED)
    world.apply(other)
    assert len(listed) == 2, "one for what comes back"


def test_what_is_not_needed_is_not_held_by_needs_of_others(world: World) -> None:
    world.write(A)
    world.needs += [
        Need("later", world.storage.uri, start=datetime(2023, 1, 2, tzinfo=UTC)),
        Need("before", world.storage.uri, end=datetime(2023, 1, 1, tzinfo=UTC)),
        Need("another", world.storage.uri, ids=frozenset([B])),
        Need("elsewhere", "/somewhere/else"),
    ]
    assert counted(world.apply(world.plan(A))) == {"archived": 1, "buried": 1}


def test_an_item_that_changed_is_left_alone_and_the_rest_of_its_batch_goes_on(world: World) -> None:
    for name in (A, B, "day=2023-01-03/c.csv"):
        world.write(name)
    plan = world.plan(A, B, "day=2023-01-03/c.csv")
    world.write(B, b"written anew")
    done = world.apply(plan)
    assert counted(done) == {"archived": 2, "buried": 2, "changed": 1}
    assert world.live() == {B: b"written anew"}
    assert world.states()[B] == "failed"
    assert len([path for path in world.archived() if "/data/" in path]) == 2


def test_what_is_held_is_counted_once_where_another_of_its_batch_changed(world: World) -> None:
    for name in (A, B, "day=2023-01-03/c.csv"):
        world.write(name)
    plan = world.plan(A, B, "day=2023-01-03/c.csv")
    world.needs.append(Need("champion", world.storage.uri, ids=frozenset([A])))
    world.write(B, b"written anew")
    assert counted(world.apply(plan)) == {"held": 1, "archived": 1, "buried": 1, "changed": 1}


def test_batches_are_neither_long_nor_large(world: World) -> None:
    names = [world.write(f"day=2023-01-{day:02d}/a.csv", b"x" * 10 * day) for day in range(1, 10)]
    plan = world.plan(*names)
    world.apply(plan, batch_items=4, batch_bytes=200)
    with world.database.reading() as connection:
        entries = journal.history(connection)
    sizes: dict[int, list[int]] = {}
    for entry in entries:
        sizes.setdefault(entry.batch, []).append(entry.bytes or 0)
    assert list(sizes.values()) == [[10, 20, 30, 40], [50, 60, 70], [80, 90]]


def test_a_plan_may_be_applied_again(world: World) -> None:
    world.write(A)
    plan = world.plan(A)
    world.apply(plan)
    assert counted(world.apply(plan)) == {}
    world.now += GRACE
    assert counted(world.apply(plan)) == {"purged": 1}
    assert counted(world.apply(plan)) == {}


def test_while_one_runs_another_is_refused(world: World) -> None:
    world.write(A)
    plan = world.plan(A)
    with held(world.database, "bob", beat=False), pytest.raises(Busy, match="bob"):
        world.apply(plan)
    assert counted(world.apply(plan)) == {"archived": 1, "buried": 1}


def test_a_plan_of_another_storage_is_refused(world: World) -> None:
    world.write(A)
    plan = world.plan(A)
    (world.root / "other").mkdir()
    with pytest.raises(InputError, match="is of the storage"):
        world.apply(plan, storage=Folder(str(world.root / "other")))


def test_a_policy_that_archives_wants_an_archive(world: World) -> None:
    world.write(A)
    plan = world.plan(A)
    with pytest.raises(InputError, match=r"^archive must be given"):
        world.apply(plan, archive=None)
    assert set(world.live()) == {A}
