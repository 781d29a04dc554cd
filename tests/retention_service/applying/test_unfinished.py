"""A run was killed while it buried: the next, whatever it is, asks again before it takes anything out of its place."""

import uuid
from collections.abc import Callable, Mapping

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import SUSPENDED, VersioningConfig

from sparkhu_retention.applying.restoring import restore
from sparkhu_retention.database import archived
from sparkhu_retention.needs.need import Need
from sparkhu_retention.storages.opening import open_retained
from sparkhu_retention.storages.s3_access import connect
from sparkhu_retention.storages.s3_burials import Burials
from sparkhu_retention.storages.s3_objects import Objects
from tests.retention_service.applying.striking import Killed
from tests.retention_service.applying.world import ARCHIVED, GRACE, World, counted
from tests.retention_service.storages.conftest import endpoint, versioned
from tests.retention_service.storages.test_s3 import overwrite, read
from tests.retention_service.storages.test_s3_versions import bucket, hold
from tests.services import S3Endpoint, conditional_s3_endpoint

__all__ = ["bucket", "conditional_s3_endpoint", "endpoint"]

A, B, C = (f"day=2023-01-0{day}/a.csv" for day in (1, 2, 3))
NAMES = (A, B, C)
NOTHING, FIRST = frozenset[str](), frozenset({A})
NEXT: dict[str, Callable[[World], object]] = {"restore": lambda world: restore(world.work(), [C]), "apply": World.apply}
"""What runs next; a restore is of something else."""


@pytest.fixture(params=NEXT)
def runs_next(request: pytest.FixtureRequest) -> Callable[[World], object]:
    return NEXT[request.param]


def filled(world: World, bucket: str) -> str:
    """Let the world be about a prefix of a bucket, from which one object was buried, and give its URI."""
    uri = f"s3://{bucket}/{uuid.uuid4().hex}"
    for name in NAMES:
        Objects(uri).write(name, name.encode())
    world.storage = open_retained(uri, "s3", {"dates": "day={date}"})
    world.apply(world.plan(C))
    return uri


def killed_before_hiding(world: World, monkeypatch: pytest.MonkeyPatch, hidden: frozenset[str] = NOTHING) -> str:
    """Kill a run when all tombstones are there; of the objects only some are hidden."""
    plan, hide = world.plan(A, B), Burials.hide

    def killed(self: Burials, item: str, content: str, mark: str) -> None:
        if item not in hidden:
            raise Killed
        hide(self, item, content, mark)

    with monkeypatch.context() as patched:
        patched.setattr(Burials, "hide", killed)
        with pytest.raises(Killed):
            world.apply(plan)
    assert world.buried() == set(NAMES)
    return plan


def needed(world: World, *ids: str) -> None:
    world.needs.append(Need("the champion was trained on it", world.storage.uri, ids=frozenset(ids)))


def there(uri: str) -> dict[str, bytes]:
    return {name: data for name in (A, B) if (data := read(uri, name)) is not None}


def move_away(uri: str, data: bytes) -> None:
    """Remove what was written anew, and no more than that."""
    objects = Objects(uri)
    for each in objects.versions(A):
        if each.bytes == len(data):
            objects.remove(A, each.version)


def copies(world: World) -> set[str]:
    """Give the items that lie in the archive, of which the database says the same."""
    with world.database.reading() as connection:
        files = archived.listed(connection)
    assert sorted(file.path for file in files) == sorted(path for path in world.archived() if "/data/" in path)
    return {file.id for file in files}


@pytest.mark.parametrize("hidden", [NOTHING, FIRST], ids=["none hidden", "one hidden"])
@pytest.mark.parametrize("kind", ["plant", "versions"])
def test_what_came_to_be_needed_is_in_its_place_after_the_next_run_and_the_rest_is_buried(
    world: World,
    endpoint: S3Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    runs_next: Callable[[World], object],
    kind: str,
    hidden: frozenset[str],
) -> None:
    uri = filled(world, kind if kind == "plant" else versioned(kind))
    plan = killed_before_hiding(world, monkeypatch, hidden)
    needed(world, A)
    runs_next(world)
    assert there(uri) == {A: A.encode()}
    assert (world.states()[A], world.states()[B]) == ("failed", "buried")
    assert world.said(A) == "held: the champion was trained on it"
    assert B in world.buried()
    assert A not in world.buried()
    assert copies(world) == {B, C}
    world.needs.clear()
    world.apply(plan)
    world.now += GRACE
    world.apply()
    assert there(uri) == {}
    assert (world.states()[A], world.states()[B]) == ("purged", "purged")


def test_all_stays_that_is_needed_of_a_batch_and_nothing_of_it_in_the_archive(
    world: World, endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch, runs_next: Callable[[World], object]
) -> None:
    uri = filled(world, "plant")
    killed_before_hiding(world, monkeypatch)
    needed(world, A, B)
    runs_next(world)
    assert there(uri) == {A: A.encode(), B: B.encode()}
    assert copies(world) == {C}


def test_all_stays_where_policies_contradict_each_other_by_now(
    world: World, endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = filled(world, "plant")
    killed_before_hiding(world, monkeypatch)
    world.policy({**ARCHIVED, "name": "other"}, "other")
    assert counted(restore(world.work(), [C])) == {"held": 2, "restored": 1}
    assert there(uri) == {A: A.encode(), B: B.encode()}
    assert "equally specific" in world.said(A)


def test_what_the_bucket_holds_back_since_stays_and_blocks_nothing(
    world: World, endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch, runs_next: Callable[[World], object]
) -> None:
    uri = filled(world, versioned("locked", lock=True))
    killed_before_hiding(world, monkeypatch)
    hold(uri, A)
    runs_next(world)
    assert there(uri) == {A: A.encode()}
    assert (world.states()[A], world.states()[B]) == ("failed", "buried")
    assert "must stay now: legal hold of the bucket" in world.said(A)
    assert A not in world.buried()
    assert copies(world) == {B, C}


@pytest.mark.parametrize("is_needed", [False, True])
@pytest.mark.parametrize("kind", ["plant", "versions", "written without versions"])
def test_what_was_overwritten_since_stays_as_it_is_and_blocks_nothing(
    world: World,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    runs_next: Callable[[World], object],
    kind: str,
    is_needed: bool,
) -> None:
    client = connect()
    uri = filled(world, {"plant": "plant", "versions": versioned("versions")}.get(kind, bucket))
    if kind == "written without versions":
        client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
        world.storage = open_retained(uri, "s3", {"dates": "day={date}"})
    killed_before_hiding(world, monkeypatch)
    if kind == "written without versions":
        client.set_bucket_versioning(bucket, VersioningConfig(SUSPENDED))
    overwrite(uri, A)
    if is_needed:
        needed(world, A)
    runs_next(world)
    assert there(uri) == {A: b"new"}
    assert world.states()[B] == "buried"
    assert A in copies(world) or A not in world.buried()
    if A in world.buried():
        move_away(uri, b"new")
        restore(world.work(), [A])
        assert there(uri) == {A: A.encode()}


def test_what_came_to_be_needed_of_half_buried_files_is_in_its_place_after_a_restore_of_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        world.write(name, name.encode())
    world.apply(world.plan(C))
    bury = world.storage.bury

    def half(contents: Mapping[str, str], mark: str) -> None:
        bury({A: contents[A]}, mark)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(world.storage, "bury", half)
        with pytest.raises(Killed):
            world.apply(world.plan(A, B))
    needed(world, A)
    assert counted(restore(world.work(), [C])) == {"held": 1, "restored": 1}
    assert world.live() == {name: name.encode() for name in NAMES}
    assert copies(world) == {C}


def test_what_is_needed_and_was_written_anew_waits_in_its_tombstone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(A, b"one")
    with monkeypatch.context() as patched:
        patched.setattr("sparkhu_retention.applying.walking.take_as_buried", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            world.apply(world.plan(A))
    world.write(A, b"new")
    needed(world, A)
    ended = world.apply()
    assert (world.live(), world.buried(), world.states()) == ({A: b"new"}, {A}, {A: "buried"})
    assert ended.exit_code == 1
    (world.root / "live" / A).unlink()
    assert counted(world.apply()) == {"restored": 1}
    assert world.live() == {A: b"one"}
