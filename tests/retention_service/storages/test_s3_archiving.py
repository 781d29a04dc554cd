"""Objects on their way to an archive and back: strange keys, encodings, and what others write meanwhile."""

import gzip
import io
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import create_lake
from sparkhu_retention.storages.export_paths import export_paths
from sparkhu_retention.storages.protocol import Exported
from sparkhu_retention.storages.s3 import Bucket
from sparkhu_retention.storages.s3_objects import Objects
from tests.retention_service.storages.conftest import versioned
from tests.retention_service.storages.test_s3 import contents, filled, listed, read
from tests.services import S3Endpoint

MARK = "run-1"


@pytest.fixture(params=["plant", "versions"])
def root(request: pytest.FixtureRequest, endpoint: S3Endpoint) -> str:
    return filled("plant" if request.param == "plant" else versioned("versions"))


def gone(root: str, scratch: Path) -> list[Exported]:
    """Export all objects and remove them for good."""
    scratch.mkdir()
    storage, planned = Bucket(root), contents(root)
    archived = list(storage.export(planned, scratch))
    storage.bury(planned, MARK)
    storage.purge(list(planned), MARK)
    return archived


@pytest.mark.parametrize("size", [3, 6 << 20], ids=["whole", "in parts"])
def test_what_a_producer_writes_while_an_archive_is_put_back_stays(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    objects = Objects(root)
    objects._client.put_object(objects.bucket, objects.key("three"), io.BytesIO(b"x" * size), size)
    archived = [each for each in gone(root, tmp_path / "scratch") if each.id == "three"]
    upload = Objects.upload

    def produced(self: Objects, source: Path, path: str, kept: Mapping[str, str]) -> bool:
        objects.write("three", b"new")
        return upload(self, source, path, kept)

    monkeypatch.setattr(Objects, "upload", produced)
    monkeypatch.setattr("minio.api.get_part_info", lambda length, _: (5 << 20, -(-length // (5 << 20))))
    with pytest.raises(SparkhuError, match="is there again"):
        Bucket(root).put_back(archived, tmp_path / "scratch")
    assert read(root, "three") == b"new"


def test_what_a_producer_writes_while_a_copy_comes_back_stays(
    endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = filled("plant")
    storage, copy = Bucket(root), Objects.copy_over_nothing
    storage.bury(contents(root), MARK)

    def produced(self: Objects, source: str, target: str) -> bool:
        self.write(target, b"new")
        return copy(self, source, target)

    monkeypatch.setattr(Objects, "copy_over_nothing", produced)
    with pytest.raises(SparkhuError, match="is there again"):
        storage.unbury(["three"], MARK)
    assert read(root, "three") == b"new"
    assert len(list(storage.buried())) == 3


def test_an_encoded_object_is_exported_and_comes_back_as_it_is_stored(root: str, tmp_path: Path) -> None:
    objects, data = Objects(root), gzip.compress(b"a,b\n" * 5000)
    objects._client.put_object(
        objects.bucket, objects.key("three"), io.BytesIO(data), len(data), metadata={"Content-Encoding": "gzip"}
    )
    archived = gone(root, tmp_path / "scratch")
    assert (tmp_path / "scratch" / "three").read_bytes() == data
    Bucket(root).put_back(archived, tmp_path / "scratch")
    found = objects.find("three")
    assert found is not None
    assert found.bytes == len(data)


def test_an_object_comes_back_from_an_archive_with_its_headers_metadata_and_tags(root: str, tmp_path: Path) -> None:
    from minio.commonconfig import Tags

    objects, tags = Objects(root), Tags.new_object_tags()
    tags.update({"site": "north", "a=b": "c d"})
    headers = {"content-encoding": "gzip", "cache-control": "no-cache", "x-amz-meta-by": "line 7"}
    objects._client.put_object(
        objects.bucket, objects.key("three"), io.BytesIO(b"1"), 1, "text/csv", metadata=dict(headers), tags=tags
    )
    archived = gone(root, tmp_path / "scratch")
    Bucket(root).put_back(archived, tmp_path / "scratch")
    there = objects._client.stat_object(objects.bucket, objects.key("three")).metadata
    assert {name: there[name] for name in headers} == headers
    assert there["content-type"] == "text/csv"
    assert objects.tags("three") == dict(tags)


def test_objects_whose_keys_cannot_be_paths_are_exported_and_come_back(root: str, tmp_path: Path) -> None:
    strange = {"x": b"1", "x/y": b"2", "x/y/z.parquet": b"3", "_numbered/000001": b"4", "_numbered": b"5"}
    if "/plant/" in root:  # the endpoint of these tests keeps keys without versions as paths itself
        strange |= {f"d/{'n' * 250}/{'m' * 250}/{'o' * 250}": b"6"}
    for name, data in strange.items():
        Objects(root).write(name, data)
    before = {name: read(root, name) for name in contents(root)}
    archived = gone(root, tmp_path / "scratch")
    assert {each.id for each in archived} == set(before)
    Bucket(root).put_back(archived, tmp_path / "scratch")
    assert {name: read(root, name) for name in contents(root)} == before


def test_paths_are_those_of_the_items_where_files_can_have_them() -> None:
    long, far = "n" * 256, "/".join(["n" * 100] * 8)
    given = export_paths(["a/b", "x", "x/y", f"{long}.parquet", "_numbered/000002", far, "ü" * 128])
    assert given == {
        "a/b": "a/b",
        "x": "_numbered/000002",
        "x/y": "x/y",
        f"{long}.parquet": "_numbered/000004.parquet",
        "_numbered/000002": "_numbered/000005",
        far: "_numbered/000006",
        "ü" * 128: "_numbered/000007",
    }


def test_an_object_whose_tombstone_would_have_too_long_a_key_is_held(endpoint: S3Endpoint) -> None:
    root = f"s3://plant/{uuid.uuid4().hex}"
    Objects(root).write("/".join(["n" * 200] * 4), b"1")
    Objects(root).write("n" * 200, b"1")
    assert listed(root)["holds"].to_list() == [[], ["its key is too long for a tombstone"]]


def test_a_lake_and_the_tombstones_of_a_storage_below_are_no_objects(root: str) -> None:
    create_lake(f"{root}/b/lake")
    Objects(root).write("b/_tombstones/run-9/x/e@1", b"1")
    Objects(root).write("b/lakes", b"1")
    Objects(root).write("c/current.json", b"1")
    assert listed(root)["id"].to_list() == ["a/one", "a/two", "b/lakes", "c/current.json", "three"]
    with pytest.raises(InputError, match=r"^uri must be plain files .* is a lake\. Leave out kind"):
        listed(f"{root}/b/lake")
