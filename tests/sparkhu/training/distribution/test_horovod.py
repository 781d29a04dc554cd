from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.training.distribution import horovod_ranks
from sparkhu.training.distribution.launching import Launch
from sparkhu.training.distribution.recipe import DistributedRecipe
from sparkhu.training.linear import LinearRecipe
from sparkhu.training.neural import nhits
from tests.sparkhu.training.distribution.jobs import DATA, GROUP, PLAN, SETTINGS, Trained, forecast, kill_rank_1_behind

HOW = Launch("horovod", workers=2)
built = pytest.mark.skipif(
    find_spec("horovod") is None or find_spec("torch") is None,
    reason="Horovod is not installed: scripts/build_horovod.sh builds it",
)
pytestmark = pytest.mark.xdist_group("workers")


@built
def test_a_killed_worker_ends_the_training_and_the_next_one_goes_on_to_the_bits_of_two_of_torchs(
    trained: Trained, tmp_path: Path
) -> None:
    told: list[int] = []
    killed = DistributedRecipe(nhits(), HOW, tmp_path / "job", PLAN, kill_rank_1_behind(2, tmp_path / "job", told))
    with pytest.raises(SparkhuError, match=r"rank [01] ended with -?\d+\. What was reached is kept in '.*job'"):
        killed.fit(DATA, SETTINGS, seed=3)
    resumed = killed.fit(DATA, SETTINGS, seed=3)
    assert told == [1, 2, 3]
    assert any("went on behind epoch 2" in note for note in resumed.notes)
    np.testing.assert_array_equal(forecast(resumed.models[GROUP]), forecast(trained.fitted.models[GROUP]))


@built
def test_the_linear_model_of_horovod_is_that_of_one_process_to_the_bit() -> None:
    found = DistributedRecipe(LinearRecipe(), HOW).fit(DATA, {})
    np.testing.assert_array_equal(forecast(found.models[GROUP]), forecast(LinearRecipe().fit(DATA, {}).models[GROUP]))


def test_without_horovod_what_helps_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(horovod_ranks, "find_spec", lambda _: None)
    with pytest.raises(
        InputError, match=r"Build it with scripts/build_horovod\.sh and install the wheel that it names"
    ):
        horovod_ranks.require_horovod()
