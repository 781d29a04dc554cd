"""Jobs of toy series for tests of distribution."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparkhu.models.base import Floats, Forecaster
from sparkhu.models.neural.architectures import NHITS
from sparkhu.training.distribution.job import Order, write_job
from sparkhu.training.distribution.launching import Launch
from sparkhu.training.distribution.recipe import DistributedRecipe
from sparkhu.training.neural import NeuralRecipe
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, TrainingData
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard
from tests.sparkhu.training.distribution import processes, proving_worker
from tests.sparkhu.window_inputs import inputs

GROUP = "1h/3"
PLAN = Plan(epochs=3, batch=32, least_steps=1)
RECIPE = NeuralRecipe(NHITS, PLAN)
SETTINGS = {GROUP: {"width": "16", "learning_rate": "0.005"}}
BORDERS, SIZES = (140, 180, 200), (8, 2)
SECRET = "s3cret-of-this-test"
FAILING = "tests.sparkhu.training.distribution.failing_worker"
PROVING = "tests.sparkhu.training.distribution.proving_worker"


class Seen(NamedTuple):
    """What was seen of the processes of a job while they ran."""

    commands: str
    environments: str
    listening: set[str]


class Trained(NamedTuple):
    """A job that was run."""

    fitted: Fitted
    told: list[Mapping[str, object]]
    folder: Path
    seen: Seen


def shard(*names: str, seed: int = 0) -> Callable[[], object]:
    return partial(assemble, *made_shard(*names, n=200, seed=seed, borders=BORDERS, sizes=SIZES))


DATA = TrainingData([shard("a", "b"), shard("c", seed=1), shard("d", seed=2)], {GROUP: 3})


ORDER = Order("nhits", SETTINGS, DATA.seasons, 3, PLAN)


def forecast(model: Forecaster) -> Floats:
    values = np.random.default_rng(0).normal(size=(6, model.input_size))
    return np.hstack([model.predict(inputs(values)), model.for_evaluation().predict(inputs(values))])


def look(folder: Path) -> Seen:
    """Look at all processes that this one began, and let those of a job that prove go on."""
    # The reaper is a part of this process that lives longer; it begins nothing.
    pids = [pid for pid in processes.below(os.getpid()) if "reaping.py" not in processes.told(pid, "cmdline")]
    commands, environments = ("\n".join(processes.told(pid, name) for pid in pids) for name in ("cmdline", "environ"))
    seen = Seen(commands, environments, processes.listening(pids))
    (folder / proving_worker.LOOKED).touch()
    return seen


def proved(how: Launch, folder: Path) -> Trained:
    """Train on workers that prove what they are, and look at them."""
    told: list[Mapping[str, object]] = []
    seen: list[Seen] = []

    def look_once(epoch: Mapping[str, object]) -> None:
        told.append(epoch)
        if not seen:
            seen.append(look(folder))

    fitted = DistributedRecipe(RECIPE, how, folder, look_once).fit(DATA, SETTINGS, seed=3)
    return Trained(fitted, told, folder, seen[0])


def to_fail(folder: Path, way: str, order: Order = ORDER) -> Path:
    """Write a job of which rank 1 fails."""
    write_job(folder, order, DATA)
    (folder / way).touch()
    return folder
