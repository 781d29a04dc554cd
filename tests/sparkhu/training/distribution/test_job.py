import fcntl
import json
from pathlib import Path

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.training.distribution import lock
from sparkhu.training.distribution.job import Order, read_order, shard_readers, write_job
from sparkhu.training.distribution.launching import Launch, launch
from sparkhu.training.recipes import TrainingData
from tests.sparkhu.training.distribution.jobs import DATA, GROUP, ORDER, PLAN, SETTINGS, shard

SHARD = "shards/1/group-000.safetensors"


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Content and time of every file of a job but its lock."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != lock.LOCK]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_job(tmp_path, ORDER, DATA)
    return tmp_path


def test_a_job_is_read_as_it_was_written(folder: Path) -> None:
    order, digests = read_order(folder)
    assert (order, len(digests)) == (ORDER, 3)
    assert [list(read()) for read in shard_readers(folder, order, digests)] == [[GROUP]] * 3


@pytest.mark.parametrize(
    ("order", "data"),
    [
        (Order("nhits", SETTINGS, DATA.seasons, 4, PLAN), DATA),
        (Order("nhits", {}, DATA.seasons, 3, PLAN), DATA),
        (Order("linear", SETTINGS, DATA.seasons, 3, PLAN), DATA),
        (ORDER, TrainingData([*DATA.shards, shard("e")], DATA.seasons)),
        (ORDER, TrainingData([DATA.shards[0], shard("c", seed=9), DATA.shards[2]], DATA.seasons)),
        (ORDER, TrainingData([shard("a", "b", seed=9), *DATA.shards[1:]], DATA.seasons)),
    ],
)
def test_another_job_is_refused_and_nothing_of_the_first_is_touched(
    order: Order, data: TrainingData, folder: Path
) -> None:
    before = files(folder)
    with pytest.raises(InputError, match=r"holds a job with other data or settings\. Give another folder"):
        write_job(folder, order, data)
    assert files(folder) == before


def test_the_same_job_writes_anew_what_is_damaged_alone(folder: Path) -> None:
    before = files(folder)
    (folder / SHARD).write_bytes(b"damaged")
    write_job(folder, ORDER, DATA)
    after = files(folder)
    assert {name: content for name, (_, content) in after.items()} == {
        name: content for name, (_, content) in before.items()
    }
    assert {name for name in after if after[name] != before[name]} == {SHARD, "job.json"}


def test_a_folder_with_things_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    (tmp_path / "checkpoints").mkdir()
    for name in ("checkpoints/epoch-7", "log.txt", "fitted.json", "progress.jsonl"):
        (tmp_path / name).write_text("dear")
    before = files(tmp_path)
    with pytest.raises(InputError, match=rf"^'{tmp_path}' holds no job, but other things, such as 'checkpoints'"):
        write_job(tmp_path, ORDER, DATA)
    with pytest.raises(SparkhuError, match=rf"^'{tmp_path}' holds no job that can be read: .*Give another folder"):
        launch(tmp_path, Launch())
    assert files(tmp_path) == before
    assert not (tmp_path / lock.LOCK).exists()


def test_a_job_whose_writing_was_interrupted_is_written_anew(tmp_path: Path) -> None:
    def stopped() -> object:
        raise KeyboardInterrupt

    for shards in ([*DATA.shards, shard("e"), stopped], [*DATA.shards, stopped]):
        with pytest.raises(KeyboardInterrupt):
            write_job(tmp_path, ORDER, TrainingData(shards, DATA.seasons))
    write_job(tmp_path, ORDER, DATA)

    order, digests = read_order(tmp_path)
    assert [list(read()) for read in shard_readers(tmp_path, order, digests)] == [[GROUP]] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.json", lock.LOCK, "shards"]
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == ["0", "1", "2"]


def test_windows_that_changed_since_are_not_read(folder: Path) -> None:
    order, digests = read_order(folder)
    content = bytearray((folder / SHARD).read_bytes())
    content[-1] ^= 1
    (folder / SHARD).write_bytes(content)
    with pytest.raises(SparkhuError, match=rf"{SHARD}' cannot be read: its SHA-256 is not that of the job\. Begin the"):
        shard_readers(folder, order, digests)[1]()
    (folder / SHARD).unlink()
    with pytest.raises(SparkhuError, match=r"cannot be read: .*No such file"):
        shard_readers(folder, order, digests)[1]()


@pytest.mark.parametrize("content", ["{}", "{", json.dumps({"schema_version": 9, "shards": []})])
def test_a_damaged_job_is_told(content: str, folder: Path) -> None:
    (folder / "job.json").write_text(content)
    for use in (lambda: read_order(folder), lambda: write_job(folder, ORDER, DATA)):
        with pytest.raises(SparkhuError, match=r"holds no job that can be read: .*Give another folder, or"):
            use()


def test_a_job_is_locked_once_and_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock.locked(tmp_path) as first:
        assert (tmp_path / lock.LOCK).read_text() == first
        with pytest.raises(InputError, match="another process runs the job"), lock.locked(tmp_path):
            pass
    with lock.locked(tmp_path) as second:
        assert second != first

    def refused(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refused)
    message = r"cannot be locked: .*not supported.*a file system that knows locks"
    with pytest.raises(SparkhuError, match=message), lock.locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SparkhuError, match=r"cannot be locked: .*Give a folder to write in"):
        write_job(tmp_path / "file" / "job", ORDER, DATA)
