"""Objects of buckets: tags, versions, holds, others at work, and endpoints that fail."""

import io
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.storages.opening import open_retained
from sparkhu_retention.storages.protocol import Changed
from sparkhu_retention.storages.s3 import Bucket
from sparkhu_retention.storages.s3_access import connect
from sparkhu_retention.storages.s3_objects import Objects
from tests.retention_service.storages.conftest import versioned
from tests.services import S3Endpoint
from tests.sparkhu.lake.proxy import Proxy

MARK = "run-1"
NAMES = ("a/one", "a/two", "three")


@pytest.fixture(params=["copies", "versions"])
def root(request: pytest.FixtureRequest, endpoint: S3Endpoint) -> str:
    """Give the URI of a prefix with three objects, in a bucket without and with versions."""
    return filled("plant" if request.param == "copies" else versioned("versions"))


def filled(bucket: str) -> str:
    uri = f"s3://{bucket}/{uuid.uuid4().hex}"
    for name in NAMES:
        Objects(uri).write(name, name.encode())
    return uri


def listed(uri: str) -> pl.DataFrame:
    return pl.concat(open_retained(uri, "s3").items()).sort("id")


def contents(uri: str) -> dict[str, str]:
    return dict(listed(uri).select("id", "content").iter_rows())


def read(uri: str, name: str) -> bytes | None:
    objects = Objects(uri)
    if objects.find(name) is None:
        return None
    with objects._client.get_object(objects.bucket, objects.key(name)) as answer:
        return bytes(answer.read())


def test_tags_of_objects_are_told_and_come_back_with_them(root: str) -> None:
    from minio.commonconfig import Tags

    tags = Tags.new_object_tags()
    tags["site"] = "north"
    objects = Objects(root)
    objects._client.set_object_tags(objects.bucket, objects.key("a/one"), tags)
    assert listed(root)["tags"].to_list() == [["site=north"], [], []]
    assert pl.concat(Bucket(root, tags="no").items())["tags"].to_list() == [[], [], []]
    Bucket(root).bury(contents(root), MARK)
    Bucket(root).unbury(["a/one"], MARK)
    assert objects.tags("a/one") == {"site": "north"}


def test_what_the_bucket_holds_back_is_told(endpoint: S3Endpoint) -> None:
    from minio.commonconfig import GOVERNANCE
    from minio.retention import Retention

    uri = filled(versioned("locked", lock=True))
    objects = Objects(uri)
    objects._client.enable_object_legal_hold(objects.bucket, objects.key("a/one"))
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
    objects._client.set_object_retention(objects.bucket, objects.key("a/two"), Retention(GOVERNANCE, until))
    held = dict(listed(uri).select("id", "holds").iter_rows())
    assert held == {
        "a/one": ["legal hold of the bucket"],
        "a/two": [f"retention of the bucket until {until:%Y-%m-%d} (GOVERNANCE)"],
        "three": [],
    }


def test_objects_are_dated_by_their_writing_unless_told_otherwise(root: str) -> None:
    told = listed(root)
    assert (told["start"] > datetime.now(UTC) - timedelta(minutes=5)).all()
    assert told["end"].null_count() == 0
    assert told["dataset"].to_list() == ["a", "a", "."]


def overwrite(uri: str, name: str) -> None:
    Objects(uri).write(name, b"new")


@pytest.mark.parametrize(("step", "which"), [("prepare", 1), ("hide", 1), ("hide", 3)])
def test_an_object_that_is_overwritten_while_it_is_buried_stays_as_it_is_and_so_do_the_others(
    root: str, monkeypatch: pytest.MonkeyPatch, step: str, which: int
) -> None:
    storage, planned = Bucket(root), contents(root)
    unharmed, count = getattr(storage._tombs, step), 0

    def overtaken(item: str, content: str, mark: str) -> None:
        nonlocal count
        if item == sorted(planned)[which - 1]:
            count += 1
            overwrite(root, item)
        unharmed(item, content, mark)

    monkeypatch.setattr(storage._tombs, step, overtaken)
    with pytest.raises(Changed):
        storage.bury(planned, MARK)
    assert count == 1
    hit = sorted(planned)[which - 1]
    assert {name: read(root, name) for name in NAMES} == {
        name: b"new" if name == hit else name.encode() for name in NAMES
    }
    assert list(storage.buried()) == []


def test_in_a_bucket_with_versions_a_write_right_before_the_marker_is_seen_by_readers_again(
    endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = filled(versioned("versions"))
    storage, planned = Bucket(root), contents(root)
    remove = Objects.remove

    def overtaken(self: Objects, path: str, version: str = "") -> None:
        if path == "three" and not version:
            overwrite(root, path)
        remove(self, path, version)

    monkeypatch.setattr(Objects, "remove", overtaken)
    with pytest.raises(Changed):
        storage.bury({"three": planned["three"]}, MARK)
    assert read(root, "three") == b"new"
    assert list(storage.buried()) == []


def test_older_versions_stay_when_the_newest_is_purged(endpoint: S3Endpoint) -> None:
    root = filled(versioned("versions"))
    overwrite(root, "three")
    storage = Bucket(root)
    storage.bury({"three": contents(root)["three"]}, MARK)
    assert storage.purge(["three"], MARK) == 3
    assert read(root, "three") is None, "an older version does not come to light"
    assert [each.bytes for each in Objects(root).versions("three") if not each.is_marker] == [len("three")]
    storage.bury({"a/one": contents(root)["a/one"]}, MARK)
    storage.purge(["a/one"], MARK)
    assert Objects(root).versions("a/one") == []
    assert [each.path for each in Objects(root).listed("_tombstones/")] == []


class Killed(BaseException):
    pass


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Give a function that lets this process die before its n-th request that changes something; 0: never."""
    left = 0

    def struck(name: str) -> None:
        unharmed = getattr(Objects, name)

        def act(self: Objects, *arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return unharmed(self, *arguments, **options)

        monkeypatch.setattr(Objects, name, act)

    def arm(number: int) -> None:
        nonlocal left
        left = number

    for name in ("write", "upload", "copy", "remove"):
        struck(name)
    yield arm
    arm(0)


def test_runs_that_are_killed_at_any_request_are_finished_by_the_next(
    root: str, tmp_path: Path, killer: Callable[[int], None]
) -> None:
    planned = contents(root)
    archived = list(Bucket(root).export(planned, tmp_path))
    ids = list(planned)
    verbs: list[tuple[Callable[[Bucket], object], set[str], bool]] = [
        (lambda storage: storage.bury(planned, MARK), set(ids), False),
        (lambda storage: storage.unbury(ids, MARK), set(), True),
        (lambda storage: storage.bury(planned, MARK), set(ids), False),
        (lambda storage: storage.purge(ids, MARK), set(), False),
        (lambda storage: storage.put_back(archived, tmp_path), set(), True),
    ]
    struck = 0
    for verb, buried, is_there in verbs:
        for strike in range(1, 60):
            killer(strike)
            try:
                verb(Bucket(root))
            except Killed:
                struck += 1
                assert all(
                    read(root, name) == name.encode() or name in {each.id for each in Bucket(root).buried()}
                    for name in NAMES
                    if not (verb is verbs[3][0] or verb is verbs[4][0])
                )
                continue
            break
        killer(0)
        verb(Bucket(root))
        assert {each.id for each in Bucket(root).buried()} == buried
        assert {read(root, name) for name in NAMES} == ({name.encode() for name in NAMES} if is_there else {None})
    assert struck > 12


def test_an_endpoint_that_goes_away_leaves_what_was_there(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = contents(root)
    proxy = Proxy(connect()._base_url._url.geturl())
    try:
        with monkeypatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", proxy.url)
            storage = Bucket(root)
            proxy.arm(2, "before", lambda: setattr(proxy, "away", True))
            with pytest.raises(SparkhuError, match="Check AWS_ENDPOINT_URL"):
                storage.bury(planned, MARK)
    finally:
        proxy.away = True
        proxy.close()
    assert {name: read(root, name) for name in NAMES} == {name: name.encode() for name in NAMES}
    Bucket(root).bury(planned, MARK)
    assert {read(root, name) for name in NAMES} == {None}


def test_refusals_are_told_without_the_secret(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"there is no such bucket"):
        list(Bucket("s3://nobucket/x").items())
    with pytest.raises(InputError, match=r"^uri must be s3://bucket/prefix"):
        Bucket("s3:///x")
    with pytest.raises(InputError, match=r"^tags must be"):
        Bucket(root, tags="perhaps")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    with pytest.raises(InputError, match=r"refuses \(SignatureDoesNotMatch\)") as caught:
        Bucket(root)
    assert "not-the-secret" not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "ftp://x")
    with pytest.raises(InputError, match=r"^AWS_ENDPOINT_URL must be"):
        Bucket(root)


def test_an_object_that_breaks_off_while_it_is_read_is_no_export(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = io.BytesIO(b"x" * 300_000)
    objects = Objects(root)
    objects._client.put_object(objects.bucket, objects.key("big"), big, 300_000)
    planned = contents(root)
    proxy = Proxy(connect()._base_url._url.geturl())
    try:
        with monkeypatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", proxy.url)
            storage = Bucket(root)
            proxy.cut_reads = 99
            with pytest.raises(SparkhuError):
                list(storage.export({"big": planned["big"]}, tmp_path))
    finally:
        proxy.cut_reads = 0
        proxy.close()
