"""Plans of the archive: what they list, and what they remove there."""

from datetime import timedelta

import pytest

from sparkhu_retention.applying.expiring import archived_downsamples, archived_items, expire
from sparkhu_retention.applying.restoring import restore
from sparkhu_retention.database import audit, holds, plans, policy_versions
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.planner import plan
from sparkhu_retention.policies.policy import Policy, PolicyVersion
from sparkhu_retention.service.applied import failures_of
from tests.retention_service.applying.test_downsampling import day_of_rows
from tests.retention_service.applying.test_failures import failures
from tests.retention_service.applying.world import ARCHIVED, GRACE, World, counted

A, B = "day=2023-01-01/a.csv", "day=2023-01-02/b.csv"
POLICY = {**ARCHIVED, "delete_after": "3 years"}
DOWNSAMPLED = {**POLICY, "downsample": {"to": "1d"}}
NO_ROWS = "it has no rows to downsample to 1d, as its policy wants"


def archive_plan(world: World, name: str) -> str:
    """Plan the archive as it is now."""
    uri = world.storage.uri
    with world.database.reading() as connection:
        versions = policy_versions.in_force(connection)
        items, downsampled = list(archived_items(connection, uri)), archived_downsamples(connection, uri)
    policies = [PolicyVersion(Policy.model_validate(each.document), each.version) for each in versions]
    frame = plan(uri, items, policies, now=world.now, tier="archive", downsampled=downsampled)
    with world.database.writing() as connection:
        plans.save(connection, name, [frame], storage=uri, kind="archive", at=world.now, by="ann")
    return name


def planned(world: World, name: str) -> dict[str, tuple[str, list[str]]]:
    """Give the action of each item of a plan, and what holds it."""
    with world.database.reading() as connection:
        frame = plans.page(connection, name, first=0, limit=100)
    return {id_: (action, held) for id_, action, held in frame.select("id", "action", "held_by").iter_rows()}


def buried(world: World) -> None:
    """Archive two files and bury them."""
    world.policy(POLICY)
    plan = world.plan(world.write(A, b"one"), world.write(B, b"two"))
    assert counted(world.apply(plan)) == {"archived": 2, "buried": 2}


def files(world: World) -> list[str]:
    return [path.rpartition("/")[2] for path in world.archived()]


def test_the_copies_of_what_is_back_are_removed_when_their_time_has_come(world: World) -> None:
    buried(world)
    restore(world.work(), [A], hold=False)
    world.now += GRACE
    assert counted(world.apply()) == {"purged": 1}
    assert counted(expire(world.work(), archive_plan(world, "early"))) == {}
    world.now += timedelta(days=3 * 366)
    assert counted(expire(world.work(), archive_plan(world, "late"))) == {"expired": 2}
    assert files(world) == []
    assert world.live() == {A: b"one"}


def test_the_copy_of_what_came_to_be_needed_in_the_last_moment_is_removed_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.policy(POLICY)
    plan = world.plan(world.write(A, b"one"), world.write(B, b"two"))
    write = world.archive.files.__class__.write

    def written(files: object, path: str, data: bytes) -> None:
        write(files, path, data)  # type: ignore[arg-type]
        world.needs[:] = [Need("champion", world.storage.uri, ids=frozenset([A]))]

    with monkeypatch.context() as patch:
        patch.setattr(world.archive.files.__class__, "write", written)
        assert counted(world.apply(plan)) == {"archived": 1, "held": 1, "buried": 1}
    assert set(world.live()) == {A}
    assert len(files(world)) == 3
    world.apply()
    (copy,) = [path for path in world.archived() if "/data/" in path]
    assert copy.endswith(B)
    world.needs.clear()
    world.now += timedelta(days=3 * 366)
    world.apply()
    assert counted(expire(world.work(), archive_plan(world, "late"))) == {"expired": 1}
    assert files(world) == []


def test_what_lies_in_its_tombstone_keeps_its_copy(world: World) -> None:
    buried(world)
    world.now += timedelta(days=3 * 366)
    assert counted(expire(world.work(), archive_plan(world, "late"))) == {}
    assert len(files(world)) == 3


def test_a_downsample_that_is_wanted_since_holds_the_copy_at_the_last_moment(world: World) -> None:
    buried(world)
    world.now += GRACE
    world.apply()
    world.now += timedelta(days=3 * 366)
    before = archive_plan(world, "before")
    world.policy(DOWNSAMPLED)
    assert counted(expire(world.work(), before)) == {"held": 2}
    assert planned(world, archive_plan(world, "after")) == dict.fromkeys((A, B), ("held", [NO_ROWS]))
    world.policy(POLICY)
    assert counted(expire(world.work(), archive_plan(world, "without"))) == {"expired": 2}


def test_a_copy_without_a_downsample_goes_when_it_was_restored_and_downsampled(world: World) -> None:
    day_of_rows(world, 1)
    world.policy(POLICY)
    (item,) = world.live()
    world.apply(world.plan(item))
    world.now += GRACE
    world.apply()
    world.policy(DOWNSAMPLED)
    restore(world.work(), [item], hold=False)
    world.apply(world.plan(item))
    world.now += GRACE
    assert counted(world.apply()) == {"purged": 1}
    world.now += timedelta(days=3 * 366)
    assert counted(expire(world.work(), archive_plan(world, "late"))) == {"expired": 2}
    (left,) = world.archived()
    assert left.startswith("downsampled/")


@pytest.mark.parametrize("to", ["6h", "1d"])
def test_a_downsample_to_another_period_is_none(world: World, to: str) -> None:
    day_of_rows(world, 1)
    world.policy({**POLICY, "downsample": {"to": to}})
    world.apply(world.plan(*world.live()))
    world.now += GRACE
    world.apply()
    world.policy(DOWNSAMPLED)
    world.now += timedelta(days=3 * 366)
    assert counted(expire(world.work(), archive_plan(world, "late"))) == ({"expired": 1} if to == "1d" else {})


def test_what_has_lost_its_downsample_since_keeps_its_copy(world: World) -> None:
    day_of_rows(world, 1)
    world.policy(DOWNSAMPLED)
    (item,) = world.live()
    world.apply(world.plan(item))
    world.now += GRACE
    world.apply()
    world.now += timedelta(days=3 * 366)
    late = archive_plan(world, "late")
    (path,) = [path for path in world.archived() if path.startswith("downsampled/")]
    (world.root / "archive" / path).unlink()
    alerts = failures("other")
    done = expire(world.work(), late)
    assert (counted(done), done.exit_code, failures("other")) == ({"failed": 1}, 1, alerts + 1)
    assert len(files(world)) == 2
    with world.database.reading() as connection:
        (told,) = failures_of(connection, done.run)
    assert told.item == item
    assert f"'{path}', which holds the downsample of" in told.detail.replace(f"{world.archive.uri}/", "")

    restore(world.work(), [item], hold=False)
    world.apply(world.plan(item))
    world.now += GRACE
    world.apply()
    assert counted(expire(world.work(), archive_plan(world, "mended"))) == {"expired": 2}


def test_a_plan_that_a_wrong_clock_has_made_removes_nothing_and_writes_no_line_of_it(world: World) -> None:
    buried(world)
    world.now += GRACE
    world.apply()
    world.now += timedelta(days=3 * 366)
    name = archive_plan(world, "ahead")
    world.now -= timedelta(days=3 * 366)
    assert counted(expire(world.work(), name)) == {"held": 2}
    assert len(files(world)) == 3
    with world.database.reading() as connection:
        assert "expired" not in {row["what"] for row in audit.read(connection, limit=1000)}


@pytest.mark.parametrize("change", ["hold", "policy"])
def test_what_changed_since_the_plan_of_the_archive_holds_it(world: World, change: str) -> None:
    buried(world)
    world.now += GRACE
    world.apply()
    world.now += timedelta(days=3 * 366)
    name = archive_plan(world, "late")
    if change == "policy":
        world.policy({**POLICY, "delete_after": "9 years"})
    else:
        with world.database.writing() as connection:
            holds.place(connection, "court", at=world.now, by="bob", storage=f"{world.storage.uri}/")
    assert counted(expire(world.work(), name)) == {"held": 2}
    assert len(files(world)) == 3
