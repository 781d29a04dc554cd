import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.neural.architectures import NHITS
from sparkhu.training.distribution import launching, worker
from sparkhu.training.distribution.job import Order, read_fitted, read_order, shard_readers, write_job
from sparkhu.training.distribution.launching import Launch, launch
from sparkhu.training.distribution.recipe import DistributedRecipe
from sparkhu.training.linear import LinearRecipe
from sparkhu.training.neural import NeuralRecipe, nhits
from sparkhu.training.plan import Plan
from tests.sparkhu.training.distribution.jobs import DATA, GROUP, PLAN, SETTINGS, Trained, forecast, kill_rank_1_behind

torch = pytest.importorskip("torch", reason="torch is not installed")
HOW = Launch("torch", workers=2, join_seconds=60)
pytestmark = pytest.mark.xdist_group("workers")


def test_two_workers_train_a_model_and_tell_of_each_epoch(trained: Trained) -> None:
    fitted, told, folder = trained
    assert [(epoch["group"], epoch["epoch"]) for epoch in told] == [(GROUP, 1), (GROUP, 2), (GROUP, 3)]
    assert told[-1]["train"] < told[0]["train"]
    assert fitted.notes[0].startswith(f"{GROUP}: nhits: epoch ")
    # The steps are those of one process over the same global batch; only which windows make a batch differs.
    alone = NeuralRecipe(NHITS, PLAN).fit(DATA, SETTINGS, seed=3)
    difference = forecast(fitted.models[GROUP]) - forecast(alone.models[GROUP])
    assert 0 < np.abs(difference).mean() < 0.2
    course = json.loads((folder / "checkpoints/group-000/train/epoch-000003.json").read_text())["course"]
    assert course["ranks"] == 2


def test_a_killed_worker_is_begun_anew_and_the_result_has_the_same_bits(trained: Trained, tmp_path: Path) -> None:
    told: list[int] = []
    kill = kill_rank_1_behind(2, tmp_path / "job", told)
    found = DistributedRecipe(nhits(), HOW, tmp_path / "job", PLAN, kill).fit(DATA, SETTINGS, seed=3)
    assert told[:2] == [1, 2]
    assert told[-1] == 3
    assert told.count(1) == 1
    assert any("went on behind epoch" in note for note in found.notes)
    np.testing.assert_array_equal(forecast(found.models[GROUP]), forecast(trained.fitted.models[GROUP]))


def test_a_job_of_other_settings_is_refused(trained: Trained) -> None:
    with pytest.raises(InputError, match=r"holds a job with other data or settings\. Give another folder"):
        DistributedRecipe(nhits(), HOW, trained.folder, PLAN).fit(DATA, SETTINGS, seed=4)


def test_the_linear_model_of_several_workers_is_that_of_one_to_the_bit() -> None:
    found = DistributedRecipe(LinearRecipe(), HOW).fit(DATA, {})
    alone = LinearRecipe().fit(DATA, {})
    np.testing.assert_array_equal(forecast(found.models[GROUP]), forecast(alone.models[GROUP]))
    assert found.notes == alone.notes


PARENT = """
import sys
from pathlib import Path
from sparkhu.training.distribution.launching import Launch, launch
launch(Path(sys.argv[1]), Launch(workers=2))
"""


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_end_with_their_launcher_and_a_told_error_is_raised(tmp_path: Path) -> None:
    endless = Plan(epochs=10**6, patience=10**6, batch=32)
    write_job(tmp_path, Order("nhits", SETTINGS, DATA.seasons, 0, endless), DATA)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env=environment)
    until = time.monotonic() + 60
    while not (tmp_path / "progress.jsonl").is_file() or not (tmp_path / "progress.jsonl").stat().st_size:
        assert parent.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    with pytest.raises(InputError, match="another process runs the job"):
        launch(tmp_path, HOW)
    workers = [json.loads(path.read_text())["pid"] for path in (tmp_path / "ranks").glob("rank-*.json")]
    assert len(workers) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 20
    while any(running(pid) for pid in workers):
        assert time.monotonic() < until, "a worker outlived its launcher"
        time.sleep(0.1)


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a worker of `torchrun` that has no others."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_alone")
def test_a_worker_fits_what_one_process_does(tmp_path: Path) -> None:
    for recipe in (nhits().name, "linear"):
        settings = SETTINGS if recipe == "nhits" else {}
        folder = tmp_path / recipe
        write_job(folder, Order(recipe, settings, DATA.seasons, 3, PLAN), DATA)
        assert worker.main(folder, "torch") == 0
        alone = (NeuralRecipe(NHITS, PLAN) if recipe == "nhits" else LinearRecipe()).fit(DATA, settings, seed=3)
        found = read_fitted(folder)
        np.testing.assert_array_equal(forecast(found.models[GROUP]), forecast(alone.models[GROUP]))
        assert found.notes == alone.notes


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize(
    ("recipe", "settings", "message"),
    [
        ("nhits", {GROUP: {"width": "0"}}, "width of the model nhits must be a whole number above 0, got 0"),
        ("trees", {}, "the recipe 'trees' cannot be trained on several workers; linear, lstm, nhits, patch_tr"),
    ],
)
def test_what_a_worker_cannot_use_is_raised_by_the_launcher(
    recipe: str, settings: dict[str, dict[str, str]], message: str, tmp_path: Path
) -> None:
    write_job(tmp_path, Order(recipe, settings, DATA.seasons, 0, PLAN), DATA)
    assert worker.main(tmp_path, "torch") == worker.FAILED
    with pytest.raises(InputError, match=message):
        launching._raise_told(tmp_path)
    with pytest.raises(SparkhuError, match="holds no fitted models"):
        read_fitted(tmp_path)


def test_a_damaged_job_is_told(tmp_path: Path) -> None:
    write_job(tmp_path, Order("nhits", {}, DATA.seasons, 0, PLAN), DATA)
    order, count = read_order(tmp_path)
    assert (order.groups, order.plan, count) == ([GROUP], PLAN, 3)
    (tmp_path / "shards/1/group-000.safetensors").write_bytes(b"{")
    with pytest.raises(SparkhuError, match=r"cannot be read: .*Write the job again"):
        shard_readers(tmp_path, order, count)[1]()
    (tmp_path / "job.json").write_text("{}")
    with pytest.raises(SparkhuError, match="holds no job that can be read"):
        read_order(tmp_path)
