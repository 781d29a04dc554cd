"""When the archive or the storage fails: the source is untouched, an alert is raised, and it ends with a failure."""

import errno
import json
import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sparkhu.errors import SparkhuError
from sparkhu.lake.folders import Folder as Files
from sparkhu_retention.applying.archive import Archive
from sparkhu_retention.applying.failures import FAILURES, MOST_REFUSED, as_error, kind_of
from sparkhu_retention.applying.verify import NotVerified
from sparkhu_retention.database import audit, journal
from sparkhu_retention.storages.protocol import Exported
from tests.retention_service.applying.world import GRACE, World, counted
from tests.services import S3Endpoint, free_port, s3_endpoint

__all__ = ["s3_endpoint"]

A, B = "day=2023-01-01/a.csv", "day=2023-01-02/b.csv"
MEGABYTE = 1 << 20


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    return tmp_path / "events"


def failures(kind: str) -> float:
    return float(FAILURES.labels(kind=kind)._value.get())


def check_failed(world: World, events: Path, kind: str, plan: str, **changes: Any) -> SparkhuError:
    """Apply a plan that fails, and look at what is left and told; then it goes well."""
    before, alerts = world.live(), failures(kind)
    with pytest.raises(SparkhuError) as caught:
        world.apply(plan, **changes)
    assert caught.value.exit_code != 0
    assert (world.live(), world.buried()) == (before, set())
    assert failures(kind) == alerts + 1
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [(event["kind"], event["failure"]) for event in told] == [("retention_failed", kind)]
    with world.database.reading() as connection:
        (run, *_) = journal.runs(connection)
        last = audit.read(connection, limit=1000)[-1]
    assert (run.state, last["what"]) == ("failed", "run failed")
    assert run.said == f"{kind}: {caught.value}"
    assert run.counts["failed"]["items"] == len(before)
    done = world.apply(plan)
    assert done.counts["buried"]["items"] == len(before)
    assert world.live() == {}
    folders = {path.partition("/data/")[0] for path in world.archived() if "/data/" in path}
    assert len(folders) == 1, "what the failed run wrote is left in the archive"
    return caught.value


LIMITING = threading.Lock()


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let the process write no larger files; one thread at a time, as the limit is that of all."""
    with LIMITING:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Full(Files):
    """A disk that takes files up to a megabyte."""

    def put(self, path: str, source: Path) -> None:
        with files_at_most(MEGABYTE):
            super().put(path, source)


class Lying(Files):
    """A disk that keeps another byte than it was given."""

    def put(self, path: str, source: Path) -> None:
        super().write(path, source.read_bytes()[:-1] + b"?")


class Forgetful(Files):
    """A disk that loses a file."""

    def put(self, path: str, source: Path) -> None:
        if not path.endswith("b.csv"):
            super().put(path, source)


def test_the_archive_is_full(world: World, events: Path) -> None:
    world.write(A, bytes(10))
    world.write(B, bytes(2 * MEGABYTE))
    archive = Archive(str(world.root / "archive"), Full(str(world.root / "archive")))
    error = check_failed(world, events, "disk full", world.plan(A, B), archive=archive)
    assert "archive" in str(error)


def test_the_scratch_folder_is_full(world: World, events: Path) -> None:
    world.write(A, bytes(2 * MEGABYTE))
    plan = world.plan(A)
    with files_at_most(MEGABYTE), pytest.raises(SparkhuError):
        world.apply(plan)
    assert set(world.live()) == {A}
    assert world.archived() == []


def refusing(world: World, monkeypatch: pytest.MonkeyPatch, refused: Callable[[str], bool]) -> None:
    """Let the storage refuse to read some of its files, as it does where a permission is missing."""
    export = world.storage.export

    def asked(contents: dict[str, str], folder: Path) -> Iterator[Exported]:
        for item in contents:
            if refused(item):
                error = SparkhuError(f"cannot export '{item}': Permission denied.")
                error.__cause__ = PermissionError(errno.EACCES, "Permission denied")
                raise error
        yield from export(contents, folder)

    monkeypatch.setattr(world.storage, "export", asked)


def test_an_item_that_cannot_be_read_stays_and_all_others_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [world.write(f"day=2023-01-{day:02d}/a.csv", b"%d" % day) for day in range(1, 21)]
    bad = {names[3], names[11]}
    refusing(world, monkeypatch, bad.__contains__)
    before = failures("permission")
    done = world.apply(world.plan(*names))
    assert set(world.live()) == bad
    assert (done.counts["buried"]["items"], done.counts["failed"]["items"], done.exit_code) == (18, 2, 1)
    assert failures("permission") == before + 2
    assert "Permission denied" in world.said(names[3])


def test_a_storage_that_refuses_everything_ends_the_run_soon(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [world.write(f"day=2023-01-{day:02d}/a.csv") for day in range(1, 31)]
    asked = []
    refusing(world, monkeypatch, lambda item: asked.append(item) or True)
    with pytest.raises(SparkhuError, match="cannot export"):
        world.apply(world.plan(*names))
    assert set(world.live()) == set(names)
    assert len(set(asked)) <= 2 * MOST_REFUSED


def test_the_archive_refuses_to_be_written_to(world: World, events: Path) -> None:
    world.write(A)
    check_failed(world, events, "permission", world.plan(A), archive=Archive("/sys/archive"))


@pytest.mark.parametrize("disk", [Lying, Forgetful])
def test_the_archive_is_not_what_was_written(world: World, events: Path, disk: type[Files]) -> None:
    for name in (A, B):
        world.write(name)
    archive = Archive(str(world.root / "archive"), disk(str(world.root / "archive")))
    error = check_failed(world, events, "checksum", world.plan(A, B), archive=archive)
    assert isinstance(error, NotVerified)


def test_the_archive_is_away(world: World, events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ENDPOINT_URL", f"http://127.0.0.1:{free_port()}"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sparkhu-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sparkhu-secret")
    world.write(A)
    error = check_failed(world, events, "network", world.plan(A), archive=Archive("s3://plant/archive"))
    assert "sparkhu-secret" not in str(error)


def test_the_archive_refuses_the_sign_in(
    world: World, events: Path, s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**s3_endpoint.environment, "AWS_SECRET_ACCESS_KEY": "something-else"}.items():
        monkeypatch.setenv(name, value)
    world.write(A)
    check_failed(world, events, "permission", world.plan(A), archive=Archive("s3://plant/archive"))


@pytest.mark.parametrize("harm", ["removed", "cut short", "changed"])
def test_what_the_archive_has_lost_since_is_not_purged(world: World, harm: str) -> None:
    world.write(A, b"one")
    world.write(B, b"two")
    world.apply(world.plan(A, B))
    (path,) = [path for path in world.archived() if path.endswith("a.csv")]
    lost = world.root / "archive" / path
    lost.unlink() if harm == "removed" else lost.write_bytes(b"o" if harm == "cut short" else b"six")
    world.now += GRACE
    alerts = failures("other")
    done = world.apply()
    assert (counted(done), done.exit_code, failures("other")) == ({"failed": 1, "purged": 1}, 1, alerts + 1)
    assert (world.buried(), world.states()) == ({A}, {A: "buried", B: "purged"})
    assert "kept in its tombstone" in world.said(A)
    lost.write_bytes(b"one")
    assert counted(world.apply()) == {"purged": 1}


def test_an_archive_that_is_gone_keeps_tombstones_and_holds_up_nothing_else(world: World) -> None:
    names = [world.write(f"day=2023-01-{day:02d}/a.csv") for day in range(1, 25)]
    world.apply(world.plan(*names[:20]))
    shutil.rmtree(world.root / "archive")
    (world.root / "archive").write_text("in the way")
    world.now += GRACE
    elsewhere = Archive(str(world.root / "elsewhere"))
    done = world.apply(world.plan(*names[20:]), archive=elsewhere, batch_items=3)
    assert (counted(done), done.exit_code) == ({"failed": 20, "archived": 4, "buried": 4}, 1)
    assert world.buried() == set(names)


def test_a_tombstone_that_the_storage_does_not_purge_keeps_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [world.write(f"day=2023-01-{day:02d}/a.csv") for day in range(1, 9)]
    world.apply(world.plan(*names))
    world.now += GRACE
    purge = world.storage.purge

    def refused(ids: list[str], mark: str) -> int:
        if names[2] in ids:
            raise SparkhuError(f"cannot purge '{names[2]}': Permission denied.")
        return purge(ids, mark)

    with monkeypatch.context() as patch:
        patch.setattr(world.storage, "purge", refused)
        done = world.apply()
    assert (counted(done), done.exit_code, world.buried()) == ({"failed": 1, "purged": 7}, 1, {names[2]})
    assert counted(world.apply()) == {"purged": 1}


def test_the_kind_of_a_failure_is_found_behind_what_was_made_of_it() -> None:
    for number, kind in ((errno.ENOSPC, "disk full"), (errno.EDQUOT, "disk full"), (errno.EROFS, "permission")):
        error = as_error(OSError(number, "said", "/a/file"))
        assert kind_of(error) == kind
        assert "/a/file" in str(error)
    assert kind_of(SparkhuError("something")) == "other"
