"""Jobs of toy series for tests of distribution."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparkhu.models.base import Floats, Forecaster
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, TrainingData
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard
from tests.sparkhu.window_inputs import inputs

GROUP = "1h/3"
PLAN = Plan(epochs=3, batch=32)
SETTINGS = {GROUP: {"width": "16", "learning_rate": "0.005"}}
BORDERS, SIZES = (140, 180, 200), (8, 2)


class Trained(NamedTuple):
    """A job that was run."""

    fitted: Fitted
    told: list[dict[str, object]]
    folder: Path


def shard(*names: str, seed: int = 0) -> Callable[[], object]:
    return partial(assemble, *made_shard(*names, n=200, seed=seed, borders=BORDERS, sizes=SIZES))


DATA = TrainingData([shard("a", "b"), shard("c", seed=1), shard("d", seed=2)], {GROUP: 3})


def forecast(model: Forecaster) -> Floats:
    values = np.random.default_rng(0).normal(size=(6, model.input_size))
    return np.hstack([model.predict(inputs(values)), model.for_evaluation().predict(inputs(values))])


def kill_rank_1_behind(epoch: int, folder: Path, told: list[int]) -> Callable[[Mapping[str, object]], None]:
    """Kill the worker of rank 1 once, behind an epoch."""

    def killed(found: Mapping[str, object]) -> None:
        told.append(int(found["epoch"]))
        if found["epoch"] == epoch and told.count(epoch) == 1:
            os.kill(json.loads((folder / "ranks" / "rank-1.json").read_text())["pid"], signal.SIGKILL)

    return killed
