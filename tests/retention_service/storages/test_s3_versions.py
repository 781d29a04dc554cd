"""Buckets whose owner turns versions on or off, or places holds, between a plan, a burial and a purge."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from minio.commonconfig import ENABLED
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig

from sparkhu.errors import SparkhuError
from sparkhu_retention.storages import s3_locks
from sparkhu_retention.storages.protocol import Changed
from sparkhu_retention.storages.s3 import Bucket
from sparkhu_retention.storages.s3_access import connect
from sparkhu_retention.storages.s3_objects import Objects
from tests.retention_service.storages.conftest import versioned
from tests.retention_service.storages.test_s3 import NAMES, contents, filled, listed, overwrite, read
from tests.services import S3Endpoint

MARK = "run-1"
STATES = {"enabled": ENABLED, "suspended": SUSPENDED}
UNTOLD = [s3_locks.UNTOLD]


@pytest.fixture
def bucket(endpoint: S3Endpoint) -> Iterator[str]:
    """Give a bucket of its own, without versions; the endpoint has room for few at a time."""
    client, name = connect(), f"b-{uuid.uuid4().hex}"
    client.make_bucket(name)
    yield name
    for each in client.list_objects(name, include_version=True, recursive=True):
        client.remove_object(name, each.object_name, version_id=each.version_id)
    client.remove_bucket(name)


def turn(bucket: str, state: str) -> None:
    if state in STATES:
        connect().set_bucket_versioning(bucket, VersioningConfig(STATES[state]))


def stored(root: str) -> int:
    """Count the bytes of all versions below a prefix."""
    objects = Objects(root)
    some = objects._client.list_objects(objects.bucket, prefix=objects.key(""), include_version=True, recursive=True)
    return sum(each.size or 0 for each in some)


@pytest.mark.parametrize("verb", ["bury", "unbury", "purge"])
@pytest.mark.parametrize(
    ("written", "before", "after"),
    [
        ("off", "off", "enabled"),
        ("off", "off", "suspended"),
        ("enabled", "enabled", "suspended"),
        ("enabled", "suspended", "suspended"),
        ("enabled", "suspended", "enabled"),
        ("suspended", "suspended", "enabled"),
        ("off", "enabled", "suspended"),
    ],
)
def test_what_was_buried_before_its_owner_turned_versions_on_or_off_comes_back_or_goes(
    bucket: str, written: str, before: str, after: str, verb: str
) -> None:
    turn(bucket, written)
    root = filled(bucket)
    turn(bucket, before)
    planned = contents(root)
    Bucket(root).bury(planned, MARK)
    turn(bucket, after)
    storage = Bucket(root)
    assert {read(root, name) for name in NAMES} == {None}
    if verb != "purge" and (before, after) == ("suspended", "enabled"):
        # This endpoint goes on showing the delete marker, also where a version is written above it.
        with pytest.raises(SparkhuError, match="shows it to nobody"):
            storage.unbury(NAMES, MARK)
        assert {each.id for each in storage.buried()} == set(NAMES)
        return
    if verb == "purge":
        assert storage.purge(list(NAMES), MARK) == sum(map(len, NAMES))
        assert stored(root) == 0
    else:
        if verb == "bury":
            storage.bury(planned, MARK)
        storage.unbury(NAMES, MARK)
        assert [read(root, name) for name in NAMES] == [name.encode() for name in NAMES]
        assert contents(root) == planned
    assert list(storage.buried()) == []


@pytest.mark.parametrize("state", ["enabled", "suspended"])
def test_a_burial_begun_before_versions_were_turned_on_or_off_is_done_anew(bucket: str, state: str) -> None:
    root = filled(bucket)
    planned = contents(root)
    Bucket(root)._tombs.prepare("three", planned["three"], MARK)
    turn(bucket, state)
    Bucket(root).bury(planned, MARK)
    assert sorted(each.id for each in Bucket(root).buried()) == sorted(NAMES)
    Bucket(root).unbury(NAMES, MARK)
    assert contents(root) == planned


def test_an_older_version_outlasts_the_purge_of_one_that_was_written_without_versions(bucket: str) -> None:
    turn(bucket, "enabled")
    root = filled(bucket)
    turn(bucket, "suspended")
    overwrite(root, "three")
    storage = Bucket(root)
    storage.bury({"three": contents(root)["three"]}, MARK)
    assert storage.purge(["three"], MARK) == len("new")
    assert read(root, "three") is None
    assert [each.bytes for each in Objects(root).versions("three") if not each.is_marker] == [len("three")]


@pytest.fixture
def locked(endpoint: S3Endpoint) -> str:
    return filled(versioned("locked", lock=True))


def hold(root: str, name: str, version: str | None = None) -> None:
    objects = Objects(root)
    objects._client.enable_object_legal_hold(objects.bucket, objects.key(name), version_id=version)


def test_what_the_bucket_holds_back_since_the_plan_is_not_buried_nor_are_others_of_the_call(locked: str) -> None:
    planned = contents(locked)
    hold(locked, "a/one")
    with pytest.raises(Changed, match=r"a/one' must stay now: legal hold of the bucket"):
        Bucket(locked).bury(planned, MARK)
    assert [read(locked, name) for name in NAMES] == [name.encode() for name in NAMES]
    assert list(Bucket(locked).buried()) == []


def test_what_the_bucket_holds_back_since_the_burial_is_not_purged_and_comes_back(locked: str) -> None:
    from minio.commonconfig import COMPLIANCE
    from minio.retention import Retention

    storage = Bucket(locked)
    storage.bury(contents(locked), MARK)
    objects = Objects(locked)
    (version,) = (each.version for each in objects.versions("three") if not each.is_marker)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    retention = Retention(COMPLIANCE, until)
    objects._client.set_object_retention(objects.bucket, objects.key("three"), retention, version_id=version)
    with pytest.raises(Changed, match="three' must stay now: retention of the bucket until"):
        storage.purge(list(NAMES), MARK)
    assert len(list(storage.buried())) == 3
    assert storage.purge(["a/one"], MARK) == len("a/one")
    storage.unbury(["three"], MARK)
    assert read(locked, "three") == b"three"


@pytest.mark.parametrize(
    "failure",
    [ValueError("no XML"), S3Error(None, "InvalidRequest", "Invalid Request", "", "", "")],  # type: ignore[arg-type]
)
@pytest.mark.parametrize("asked", ["is_object_legal_hold_enabled", "get_object_retention"])
def test_an_answer_about_holds_that_cannot_be_read_is_a_hold(
    locked: str, monkeypatch: pytest.MonkeyPatch, asked: str, failure: Exception
) -> None:
    planned = contents(locked)

    def unreadable(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(f"minio.Minio.{asked}", unreadable)
    assert listed(locked)["holds"].to_list() == [UNTOLD] * 3
    with pytest.raises(Changed, match="does not say whether"):
        Bucket(locked).bury(planned, MARK)
    monkeypatch.setattr("minio.Minio.get_object_lock_config", unreadable)
    assert listed(locked)["holds"].to_list() == [UNTOLD] * 3


def test_a_bucket_without_versions_is_not_asked_for_locks(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("minio.Minio.get_object_lock_config")
    assert listed(filled(bucket))["holds"].to_list() == [[], [], []]
