from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.training.distribution import worker
from sparkhu.training.distribution.beginning import horovodrun
from sparkhu.training.distribution.job import Order
from sparkhu.training.distribution.launching import Launch, launch
from sparkhu.training.distribution.recipe import DistributedRecipe
from tests.sparkhu.training.distribution import failing_worker
from tests.sparkhu.training.distribution.jobs import (
    DATA,
    FAILING,
    GROUP,
    PROVING,
    RECIPE,
    SECRET,
    SETTINGS,
    Trained,
    forecast,
    proved,
    to_fail,
)
from tests.sparkhu.training.distribution.processes import running
from tests.sparkhu.training.distribution.proofs import check_proofs

built = pytest.mark.skipif(
    find_spec("horovod") is None or find_spec("torch") is None,
    reason="Horovod is not installed: scripts/build_horovod.sh builds it",
)
pytestmark = pytest.mark.xdist_group("workers")
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


@pytest.fixture(scope="module")
def trained_by_horovod(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_SECRET_ACCESS_KEY", "HOROVOD_PASSWORD", "SOME_TOKEN"):
            patch.setenv(name, SECRET)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("RANK", "1")
        patch.setenv("HOROVOD_RANK", "1")
        return proved(Launch("horovod", workers=2, module=PROVING), tmp_path_factory.mktemp("horovod") / "job")


@built
def test_two_ranks_of_horovod_are_equal_to_the_bit_and_take_the_steps_of_one(trained_by_horovod: Trained) -> None:
    check_proofs(trained_by_horovod.folder)


@built
def test_workers_and_their_meeting_place_listen_on_the_loopback_interface_alone(trained_by_horovod: Trained) -> None:
    assert trained_by_horovod.seen.listening <= LOOPBACK
    assert trained_by_horovod.seen.listening


@built
def test_no_secret_is_on_a_command_line_nor_in_the_log(trained_by_horovod: Trained) -> None:
    seen, log = trained_by_horovod.seen, (trained_by_horovod.folder / "log.txt").read_text()
    assert "HOROVOD_SIZE=2" in seen.commands, "horovodrun tells its workers their environment so"
    for told in (seen.commands, seen.environments, log):
        assert SECRET not in told


@built
def test_a_killed_worker_is_named_and_the_next_run_goes_on_to_the_bits_of_two_of_torchs(
    trained: Trained, trained_by_horovod: Trained, tmp_path: Path
) -> None:
    folder = to_fail(tmp_path / "job", failing_worker.KILL)
    training = DistributedRecipe(RECIPE, Launch("horovod", workers=2, module=FAILING), folder)
    with pytest.raises(SparkhuError, match=r"^rank 1 was killed by SIGKILL\. What was reached is kept in '.*job'"):
        training.fit(DATA, SETTINGS, seed=3)
    resumed = training.fit(DATA, SETTINGS, seed=3)
    assert any("went on behind epoch 2" in note for note in resumed.notes)
    bits = [forecast(each.models[GROUP]) for each in (resumed, trained.fitted, trained_by_horovod.fitted)]
    np.testing.assert_array_equal(bits[0], bits[1])
    np.testing.assert_array_equal(bits[0], bits[2])


@built
@pytest.mark.slow
def test_a_worker_that_never_joins_the_others_is_named_in_time_and_ended(tmp_path: Path) -> None:
    folder = to_fail(tmp_path / "job", failing_worker.HANG, Order("linear", {}, DATA.seasons, 0))
    with pytest.raises(SparkhuError, match=r"rank 1 of 2 has not joined within 20 s\. See whether its machine"):
        launch(folder, Launch("horovod", workers=2, join_seconds=20, module=FAILING))
    assert not running(int((folder / failing_worker.HANG).read_text()))


def test_horovodrun_caches_nothing_and_keeps_to_the_interface_that_is_given() -> None:
    command = horovodrun(["python"], Launch("horovod", workers=4, hosts="a:2,b:2", interface="eth7", join_seconds=60))
    assert {"--disable-cache", "--gloo"} < set(command)
    for option, value in {"--network-interfaces": "eth7", "-H": "a:2,b:2", "--gloo-timeout-seconds": "90"}.items():
        assert command[command.index(option) + 1] == value


@built
def test_a_worker_that_horovodrun_did_not_begin_does_not_train_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert worker.main([str(tmp_path), "horovod"]) == worker.FAILED
    told = (tmp_path / "errors/rank-0.json").read_text()
    assert "was not begun by horovodrun: HOROVOD_RANK is not set. Begin it with horovodrun --gloo" in told


def test_without_horovod_or_torch_what_helps_is_said_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    training = DistributedRecipe(RECIPE, Launch("horovod"), tmp_path / "job")
    monkeypatch.setattr("sparkhu.training.distribution.horovod_ranks.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"Build it with scripts/build_horovod\.sh and install the wheel|needs torch"):
        training.fit(DATA, SETTINGS)
    monkeypatch.setattr("sparkhu.models.neural.running.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"needs torch, which is not installed: pip install"):
        training.fit(DATA, SETTINGS)
    assert not (tmp_path / "job").exists()
