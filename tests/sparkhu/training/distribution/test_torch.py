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
from sparkhu.training.distribution import worker
from sparkhu.training.distribution.job import Order, read_fitted, write_job
from sparkhu.training.distribution.launching import Launch, launch
from sparkhu.training.distribution.recipe import DistributedRecipe
from sparkhu.training.distribution.torch_ranks import MEETING
from sparkhu.training.linear import LinearRecipe
from sparkhu.training.plan import Plan
from tests.services import free_port
from tests.sparkhu.training.distribution import failing_worker
from tests.sparkhu.training.distribution.jobs import (
    DATA,
    FAILING,
    GROUP,
    PLAN,
    RECIPE,
    SECRET,
    SETTINGS,
    Trained,
    forecast,
    to_fail,
)
from tests.sparkhu.training.distribution.processes import running
from tests.sparkhu.training.distribution.proofs import check_proofs

torch = pytest.importorskip("torch", reason="torch is not installed")
pytestmark = pytest.mark.xdist_group("workers")
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def test_two_workers_train_a_model_by_its_own_plan_and_tell_of_each_epoch(trained: Trained) -> None:
    assert [(epoch["group"], epoch["epoch"]) for epoch in trained.told] == [(GROUP, 1), (GROUP, 2), (GROUP, 3)]
    assert trained.told[-1]["train"] < trained.told[0]["train"]
    assert trained.fitted.notes[0].startswith(f"{GROUP}: nhits: epoch ")


def test_two_ranks_are_equal_to_the_bit_and_take_the_steps_of_one(trained: Trained) -> None:
    check_proofs(trained.folder)


def test_workers_of_this_machine_listen_on_its_loopback_interface_alone(trained: Trained) -> None:
    assert trained.seen.listening, "gloo's own connections listen"
    assert trained.seen.listening <= LOOPBACK
    assert trained.seen.environments.count("\nGLOO_SOCKET_IFNAME=lo\n") == 2, "also where the host's name is another"


def test_no_secret_of_the_launcher_reaches_its_workers(trained: Trained) -> None:
    assert "distribution.proving_worker" in trained.seen.commands
    assert "SPARKHU_MEETING" in trained.seen.environments
    for told in (*trained.seen, (trained.folder / "log.txt").read_text()):
        assert SECRET not in told


def test_a_killed_worker_is_begun_anew_and_the_result_has_the_same_bits(trained: Trained, tmp_path: Path) -> None:
    told: list[object] = []
    folder = to_fail(tmp_path / "job", failing_worker.KILL)
    how = Launch("torch", workers=2, module=FAILING)
    found = DistributedRecipe(RECIPE, how, folder, lambda epoch: told.append(epoch["epoch"])).fit(
        DATA, SETTINGS, seed=3
    )
    assert not (folder / failing_worker.KILL).exists(), "rank 1 was killed"
    assert told == [1, 2, 3]
    assert any("went on behind epoch 2" in note for note in found.notes)
    np.testing.assert_array_equal(forecast(found.models[GROUP]), forecast(trained.fitted.models[GROUP]))


def test_a_worker_that_is_killed_too_often_is_named(tmp_path: Path) -> None:
    folder = to_fail(tmp_path / "job", failing_worker.DIE)
    how = Launch("torch", workers=2, restarts=1, module=FAILING)
    message = r"^rank 1 was killed by SIGKILL, after 1 restart\. What was reached is kept in '.*job'"
    with pytest.raises(SparkhuError, match=message):
        DistributedRecipe(RECIPE, how, folder).fit(DATA, SETTINGS, seed=3)
    assert (folder / failing_worker.DIE).read_text().count("1") == 2


def test_a_worker_that_never_joins_is_named_in_time_and_ended(tmp_path: Path) -> None:
    folder = to_fail(tmp_path / "job", failing_worker.HANG, Order("linear", {}, DATA.seasons, 0))
    began = time.monotonic()
    with pytest.raises(SparkhuError, match=r"rank 1 of 2 has not joined within 5 s\. See whether its machine"):
        launch(folder, Launch("torch", workers=2, join_seconds=5, module=FAILING))
    assert time.monotonic() - began < 30
    assert not running(int((folder / failing_worker.HANG).read_text()))
    (folder / failing_worker.ABSENT).touch()
    with pytest.raises(SparkhuError, match=r"ranks 0, 1 of 2 have not joined within 1 s"):
        launch(folder, Launch("torch", workers=2, join_seconds=1, module=FAILING))


PARENT = """
import sys
from pathlib import Path
from sparkhu.training.distribution.launching import Launch, launch
launch(Path(sys.argv[1]), Launch(workers=2))
"""


def test_workers_end_with_their_launcher_and_a_job_that_runs_is_left_alone(tmp_path: Path) -> None:
    order = Order("nhits", SETTINGS, DATA.seasons, 0, Plan(epochs=10**6, patience=10**6, batch=32, least_steps=1))
    write_job(tmp_path, order, DATA)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env=environment)
    try:
        until = time.monotonic() + 120
        while not (tmp_path / "progress.jsonl").is_file() or not (tmp_path / "progress.jsonl").stat().st_size:
            assert parent.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        workers = [json.loads(path.read_text())["pid"] for path in (tmp_path / "ranks").glob("rank-*.json")]
        assert len(workers) == 2
        for begin in (lambda: launch(tmp_path, Launch()), lambda: write_job(tmp_path, order, DATA)):
            with pytest.raises(InputError, match="another process runs the job"):
                begin()
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until = time.monotonic() + 30
    while any(running(pid) for pid in workers):
        assert time.monotonic() < until, "a worker outlived its launcher"
        time.sleep(0.1)


@pytest.mark.slow
def test_torchrun_begins_workers_that_meet_where_it_says(tmp_path: Path) -> None:
    write_job(tmp_path, Order("linear", {}, DATA.seasons, 0), DATA)
    port = f"--master-port={free_port()}"
    static = ["--rdzv-backend=static", "--master-addr=127.0.0.1", port, "--node-rank=0"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2", *static]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    worker_of_a_job = ["-m", "sparkhu.training.distribution.worker", str(tmp_path), "torch"]
    subprocess.run([*command, *worker_of_a_job], env=environment, check=True)
    alone = LinearRecipe().fit(DATA, {})
    np.testing.assert_array_equal(forecast(read_fitted(tmp_path).models[GROUP]), forecast(alone.models[GROUP]))


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a worker that has no others."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", MEETING: str(tmp_path / "meeting")}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("recipe", [RECIPE, LinearRecipe()], ids=["nhits", "linear"])
def test_a_worker_fits_what_one_process_does(recipe: LinearRecipe, tmp_path: Path) -> None:
    settings = SETTINGS if recipe is RECIPE else {}
    write_job(tmp_path, Order(recipe.name, settings, DATA.seasons, 3, PLAN), DATA)
    assert worker.main([str(tmp_path), "torch"]) == 0
    alone, found = recipe.fit(DATA, settings, seed=3), read_fitted(tmp_path)
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
def test_what_a_worker_cannot_use_is_told(
    recipe: str, settings: dict[str, dict[str, str]], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_job(tmp_path, Order(recipe, settings, DATA.seasons, 0, PLAN), DATA)
    leave, told_when_left = torch.distributed.destroy_process_group, []

    def left() -> None:
        told_when_left.append((tmp_path / "errors/rank-0.json").is_file())
        leave()

    monkeypatch.setattr(torch.distributed, "destroy_process_group", left)
    assert worker.main([str(tmp_path), "torch"]) == worker.FAILED
    told = json.loads((tmp_path / "errors/rank-0.json").read_text())
    assert told["kind"] == "InputError"
    assert message in told["message"]
    assert told_when_left == [True], "ranks that lose this one end with an error that says less"
    with pytest.raises(SparkhuError, match="holds no fitted models"):
        read_fitted(tmp_path)
