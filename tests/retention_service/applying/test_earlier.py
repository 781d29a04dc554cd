"""What is written anew where an earlier copy waits in its tombstone."""

from typing import NoReturn

import polars as pl
import pytest

from sparkhu_retention.applying.restoring import restore
from sparkhu_retention.database import audit
from sparkhu_retention.database.earlier import EARLIER, earlier_copies
from sparkhu_retention.planning.action import ACTIONS
from sparkhu_retention.planning.planner import plan
from sparkhu_retention.policies.policy import PolicyVersion, policy_of
from tests.retention_service.applying.world import ARCHIVED, GRACE, World, counted

A, B = "day=2023-01-01/a.csv", "day=2023-01-02/b.csv"
WAITS = "its earlier copy is in its tombstone until 2025-01-08"


def planned(world: World) -> dict[str, tuple[str, list[str]]]:
    """Plan as the service does: the action of each item, and what holds it."""
    with world.database.reading() as connection:
        earlier = earlier_copies(connection, world.storage.uri, now=world.now)
    policies = [PolicyVersion(policy_of(ARCHIVED))]
    made = plan(world.storage.uri, world.storage.items(), policies, now=world.now, earlier=earlier)
    assert made.schema == ACTIONS
    return {id_: (action, held) for id_, action, held in made.select("id", "action", "held_by").iter_rows()}


def test_it_is_held_and_counted_until_the_earlier_copy_is_purged(world: World) -> None:
    world.write(A, b"one")
    world.apply(world.plan(A))
    world.write(A, b"two")
    world.write(B)
    late = world.plan(A)
    assert planned(world) == {A: ("held", [WAITS]), B: ("archive", [])}

    done = world.apply(late)
    assert done.counts == {"held": {"items": 1, "rows": None, "bytes": 3}}
    assert (world.live()[A], world.buried(), world.said(A)) == (b"two", {A}, f"held: {WAITS}")
    with world.database.reading() as connection:
        (told,) = [row for row in audit.read(connection) if row["what"] == "held"]
    assert [one["id"] for one in told["detail"]["objects"]] == [A]

    world.now += GRACE
    assert planned(world) == {A: ("archive", []), B: ("archive", [])}
    assert counted(world.apply(late)) == {"purged": 1, "archived": 1, "buried": 1}
    assert (set(world.live()), world.buried()) == ({B}, {A})


def test_others_of_its_batch_go(world: World) -> None:
    world.write(A, b"one")
    world.apply(world.plan(A))
    world.write(A, b"two")
    world.write(B)
    assert counted(world.apply(world.plan(A, B))) == {"held": 1, "archived": 1, "buried": 1}
    assert (world.live(), world.buried()) == ({A: b"two"}, {A, B})


def test_a_plan_passes_over_what_it_has_dealt_with_though_that_was_written_anew(world: World) -> None:
    world.write(A, b"one")
    first, second = world.plan(A), world.plan(A)
    world.apply(first)
    assert counted(world.apply(second)) == {}, "the same copy is no later one"
    world.write(A, b"two")
    assert counted(world.apply(first)) == {}


def test_what_is_not_due_is_kept_and_not_held(world: World) -> None:
    new = world.write("day=2024-12-31/a.csv")
    earlier = pl.DataFrame({"id": [new], "by": [WAITS]}, schema=EARLIER)
    made = plan(
        world.storage.uri, world.storage.items(), [PolicyVersion(policy_of(ARCHIVED))], now=world.now, earlier=earlier
    )
    assert made.select("action", "held_by").rows() == [("keep", [])]


def test_where_the_earlier_copy_cannot_be_purged_it_is_held_after_its_grace(world: World) -> None:
    world.write(A, b"one")
    world.apply(world.plan(A))
    world.write(A, b"two")
    (path,) = [path for path in world.archived() if "/data/" in path]
    (world.root / "archive" / path).write_bytes(b"damaged")
    world.now += GRACE
    assert counted(world.apply(world.plan(A))) == {"failed": 1, "held": 1}
    assert world.said(A) == "held: its earlier copy is in its tombstone and was to be purged on 2025-01-08"


def test_while_the_earlier_copy_is_put_back_it_is_held(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(A, b"one")
    world.apply(world.plan(A))
    monkeypatch.setattr(world.storage, "unbury", cut_short)
    with pytest.raises(KeyboardInterrupt):
        restore(world.work(), [A], hold=False)
    world.write(A, b"two")
    assert planned(world) == {A: ("held", ["its earlier copy is being put back"])}


def cut_short(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def test_what_a_killed_run_had_begun_with_is_planned_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(A)
    name = world.plan(A)
    with monkeypatch.context() as patched:
        patched.setattr(world.storage, "bury", cut_short)
        with pytest.raises(KeyboardInterrupt):
            world.apply(name)
    assert world.states() == {A: "verified"}
    assert planned(world) == {A: ("archive", [])}
    assert counted(world.apply(name)) == {"archived": 1, "buried": 1}
