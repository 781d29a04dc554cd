"""Kill -9 at every write of a run: nothing is lost, the next run finishes or takes back, and nothing is purged twice.

The writes are enumerated: the n-th is struck for n = 1, 2, … until a run ends unharmed.
"""

import uuid
from pathlib import Path
from typing import Any

import pytest

from sparkhu_retention.applying.restoring import restore
from sparkhu_retention.database import archived, audit, journal
from sparkhu_retention.database.opening import Database
from tests.retention_service.applying.victim import opened
from tests.retention_service.applying.world import ARCHIVED, GRACE, START, World
from tests.retention_service.storages.conftest import versioned
from tests.services import S3Endpoint, conditional_s3_endpoint
from tests.sparkhu.lake.killing import KILLED, UNHARMED, Victims, at_objects, struck
from tests.sparkhu.lake.proxy import When

__all__ = ["conditional_s3_endpoint"]

MODULE = "tests.retention_service.applying.victim"
FILES = {"day=2023-01-01/a.csv": b"one", "day=2023-01-02/b.csv": b"two"}
MOST = 400
Task = dict[str, str]


def prepared(task: Task, what: str) -> Task:
    """Make a world up to where a run of `what` begins."""
    root = Path(task["root"])
    (root / "live").mkdir(parents=True)
    Database(f"sqlite:///{root / 'retention.sqlite'}").close()
    world = opened({**task, "now": START.isoformat()})
    world.policy(ARCHIVED)
    fill(world, task)
    plan = world.plan(*FILES)
    if what != "apply":
        world.apply(plan)
        world.now += GRACE
    if what == "restore":
        world.apply()
    world.database.close()
    return {**task, "what": what, "plan": plan, "ids": ",".join(FILES), "now": world.now.isoformat()}


def fill(world: World, task: Task) -> None:
    if not task.get("live"):
        for name, data in FILES.items():
            world.write(name, data)
        return
    client, bucket, prefix = minio(task)
    import io

    for name, data in FILES.items():
        client.put_object(bucket, f"{prefix}/{name}", io.BytesIO(data), len(data))


def minio(task: Task) -> tuple[Any, str, str]:
    import os

    from minio import Minio

    bucket, _, prefix = task["live"].removeprefix("s3://").partition("/")
    url = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    return Minio(url, key, secret, secure=False, region="us-east-1"), bucket, prefix


def live(world: World, task: Task) -> dict[str, bytes]:
    if not task.get("live"):
        return world.live()
    client, bucket, prefix = minio(task)
    found = {}
    for each in client.list_objects(bucket, f"{prefix}/day=", recursive=True):
        with client.get_object(bucket, each.object_name) as answer:
            found[each.object_name.removeprefix(f"{prefix}/")] = answer.read()
    return found


def nothing_is_lost(world: World, task: Task) -> None:
    there = live(world, task)
    assert all(FILES[name] == data for name, data in there.items())
    for name in FILES.keys() - there.keys() - world.buried():
        with world.database.reading() as connection:
            kept = [file for file in archived.listed(connection) if file.id == name]
        assert b"".join(world.archive.parts(kept[0])) == FILES[name]


def check(task: Task) -> str:
    """Look at what a killed run has left, run again, and see that all ends as if none had been killed."""
    world = opened(task)
    states = world.states()
    nothing_is_lost(world, task)
    if task["what"] == "restore":
        world.now += GRACE  # also its lease has run out
        restore(world.work(), list(FILES))
        assert live(world, task) == FILES
        assert world.buried() == set()
        seen = "-".join(sorted(set(states.values())))
        world.database.close()
        return seen
    world.now += GRACE / 2
    world.apply(task["plan"])
    nothing_is_lost(world, task)
    world.now += GRACE
    world.apply()
    assert live(world, task) == {}
    assert world.buried() == set()
    assert world.states() == dict.fromkeys(FILES, "purged")
    with world.database.reading() as connection:
        rows = audit.read(connection, limit=1000)
        files = archived.listed(connection)
        assert audit.broken_at(connection) is None
        assert journal.in_hand(connection, world.storage.uri) == []
    purged = [one["id"] for row in rows if row["what"] == "purged" for one in row["detail"]["objects"]]
    assert sorted(purged) == sorted(FILES), "purged twice, or not at all"
    kept = {each.path: each.bytes for each in world.archive.files.listed("") if "/data/" in each.path}
    assert kept == {file.path: file.bytes for file in files}, "what a killed run wrote is left in the archive"
    world.database.close()
    return "-".join(sorted(set(states.values())))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["apply", "purge", "restore"])
def test_killed_at_any_write_to_a_folder_or_the_database(what: str, tmp_path: Path) -> None:
    with Victims(MODULE) as victims:
        seen = []
        for number in range(1, MOST):
            task = prepared({"root": str(tmp_path / str(number)), "lake": "", "strike": ""}, what)
            status = victims.run({**task, "nth": str(number)})
            assert status in (KILLED, UNHARMED)
            seen.append(check(task))
            if status == UNHARMED:
                break
        else:
            raise AssertionError(f"more than {MOST} writes")
    ways = {
        "apply": {"", "planned", "archived", "verified", "buried"},
        "purge": {"buried", "purging", "purged"},
        "restore": {"purged", "restoring", "restored"},
    }
    assert ways[what] <= set(seen)


@pytest.mark.parametrize("what", ["apply", "purge", "restore"])
def test_killed_at_some_writes(what: str, tmp_path: Path) -> None:
    with Victims(MODULE) as victims:
        for number in {"apply": (9, 16, 21), "purge": (5, 8, 9), "restore": (6, 9, 12)}[what]:
            task = prepared({"root": str(tmp_path / str(number)), "lake": "", "strike": ""}, what)
            assert victims.run({**task, "nth": str(number)}) == KILLED
            check(task)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bucket", "when"), [("plant", "before"), ("plant", "middle"), ("plant", "after"), ("versions", "after")]
)
@pytest.mark.parametrize("what", ["apply", "purge", "restore"])
def test_killed_at_any_write_to_s3(
    what: str,
    bucket: str,
    when: When,
    conditional_s3_endpoint: S3Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in conditional_s3_endpoint.environment.items():
        monkeypatch.setenv(name, value)
    place = f"s3://{versioned(bucket) if bucket == 'versions' else bucket}/{uuid.uuid4().hex}"

    def prepare(number: int) -> Task:
        where = {"live": f"{place}/{number}/live", "archive": f"s3://plant/{place[5:]}/{number}/archive"}
        return prepared({"root": str(tmp_path / f"{number}"), "lake": "", "strike": "", **where}, what)

    with at_objects(MODULE, when, conditional_s3_endpoint) as strike:
        seen = struck(strike, prepare, check)
    assert (
        set(seen)
        >= {
            "apply": {"planned", "buried"},
            "purge": {"purging", "purged"},
            "restore": {"restoring", "restored"},
        }[what]
    )
