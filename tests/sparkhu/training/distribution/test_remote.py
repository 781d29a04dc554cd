"""Jobs in a storage: two ranks as a cluster begins them, on a real S3 service."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.training.distribution import worker
from sparkhu.training.distribution.job import Order, read_fitted, write_job
from sparkhu.training.distribution.kubernetes_jobs import ClusterJob, train_job
from sparkhu.training.distribution.remote import (
    Bringing,
    Storage,
    errors_of,
    fetch_fitted,
    fetch_job,
    send_job,
    sign_in,
)
from tests.services import S3Endpoint
from tests.sparkhu.training.distribution.job_cluster import on_one_node
from tests.sparkhu.training.distribution.jobs import DATA, GROUP, PLAN, SETTINGS, forecast

pytestmark = pytest.mark.xdist_group("workers")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    write_job(tmp_path / "job", Order("nhits", SETTINGS, {GROUP: 3}, 3, PLAN), DATA)
    return tmp_path / "job"


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_rank_fetches_its_own_shards_and_rank_0_what_was_reached(job: Path, tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}/storage")
    send_job(job, storage)
    storage.send("checkpoints/group-000/train/epoch-000001.json", b"{}")
    for rank in range(2):
        fetch_job(storage, tmp_path / f"rank-{rank}", rank, 2)
    for rank in range(4):
        fetch_job(storage, tmp_path / f"of-four-{rank}", rank, 4)

    shards = [f"shards/{at}/group-000.safetensors" for at in range(3)]
    assert files(tmp_path / "rank-0") == {
        *("job.json", "checkpoints/group-000/train/epoch-000001.json", shards[0], shards[2])
    }
    assert files(tmp_path / "rank-1") == {"job.json", shards[1]}
    assert files(tmp_path / "of-four-3") == {"job.json", *shards}


def test_a_rank_brings_what_it_writes_and_takes_away_what_it_removes(job: Path, tmp_path: Path) -> None:
    storage, folder = Storage(f"file://{tmp_path}/storage"), tmp_path / "rank-0"
    send_job(job, storage)
    fetch_job(storage, folder, 0, 1)
    with Bringing(storage, folder, 0) as bringing:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints/epoch-000001.json").write_text("{}")
        (folder / "checkpoints/.epoch-000002.json.draft").write_text("{")
        bringing.bring()
        assert storage.names("checkpoints") == ["checkpoints/epoch-000001.json"]
        (folder / "checkpoints/epoch-000001.json").unlink()
        (folder / "errors").mkdir()
        (folder / "errors/rank-0.json").write_text('{"kind": "InputError", "message": "no"}')
    assert storage.names("checkpoints") == []
    assert errors_of(storage) == [{"kind": "InputError", "message": "no"}]
    assert "shards/0/group-000.safetensors" in storage.names()


def test_keys_come_as_files_and_do_not_take_the_place_of_what_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRST_OF_TEST", "set")
    monkeypatch.setenv("SECOND_OF_TEST", "to be forgotten")
    monkeypatch.delenv("SECOND_OF_TEST")
    for name in ("FIRST_OF_TEST", "SECOND_OF_TEST"):
        (tmp_path / name).write_text("file\n")
    sign_in(tmp_path)

    assert (os.environ["FIRST_OF_TEST"], os.environ["SECOND_OF_TEST"]) == ("set", "file")


def test_a_storage_that_refuses_is_named() -> None:
    with pytest.raises(SparkhuError, match=r"the job in 'nowhere://x' cannot be opened: .* See whether the"):
        Storage("nowhere://x")


def test_a_job_that_is_sent_again_mends_the_shards_that_are_gone_or_damaged(job: Path, tmp_path: Path) -> None:
    storage, place = Storage(f"file://{tmp_path}/storage"), tmp_path / "storage"
    send_job(job, storage)
    gone, short, changed = (f"shards/{at}/group-000.safetensors" for at in range(3))
    storage.remove(gone)
    storage.send(short, b"short")
    content = bytearray((job / changed).read_bytes())
    content[-1] ^= 1
    storage.send(changed, bytes(content))
    storage.send("errors/rank-0.json", b'{"kind": "SparkhuError", "message": "its SHA-256 is not that of the job"}')
    send_job(job, storage)
    for name in (gone, short, changed):
        assert (place / name).read_bytes() == (job / name).read_bytes()

    times = [(place / name).stat().st_mtime_ns for name in (gone, short, changed, "job.json")]
    send_job(job, storage)
    assert [(place / name).stat().st_mtime_ns for name in (gone, short, changed, "job.json")] == times


def test_a_rank_that_cannot_fetch_its_job_leaves_word_in_the_storage(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(f"file://{tmp_path}/storage")
    send_job(job, storage)
    storage.remove("shards/1/group-000.safetensors")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")

    assert worker.main([storage.uri, "torch"]) == worker.FAILED
    (told,) = errors_of(storage)
    assert "FileNotFoundError" in told["message"]
    assert "shards/1/group-000.safetensors" in told["message"]


@pytest.fixture
def s3(s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> S3Endpoint:
    for name, value in s3_endpoint.environment.items():
        monkeypatch.setenv(name, value)
    return s3_endpoint


def test_the_command_of_a_train_job_trains_as_workers_of_this_machine_do(
    job: Path, tmp_path: Path, s3: S3Endpoint
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    storage = Storage("s3://plant/training/nhits")
    send_job(job, storage)
    made = train_job(ClusterJob("nhits", storage.uri, 2, "image:1", join_seconds=60))
    command = made["spec"]["trainer"]["command"]
    told = {**os.environ, **on_one_node(2)}
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert fetch_fitted(storage, tmp_path / "fitted")
    (model,) = read_fitted(tmp_path / "fitted").models.values()
    assert np.isfinite(forecast(model)).all()
    epochs = [name for name in storage.names("checkpoints/group-000/train") if name.endswith(".json")]
    assert [name.rpartition("-")[2] for name in epochs] == ["000002.json", "000003.json"]
    assert storage.read("progress.jsonl").count(b"\n") == 3
