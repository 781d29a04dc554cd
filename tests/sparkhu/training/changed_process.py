"""A process that changes: windows before and behind the change, for tests of updates."""

from functools import partial

import numpy as np

from sparkhu.models.base import Floats
from sparkhu.training.recipes import TrainingData
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import profile_of, sequences_of, shard_of

GROUP = "1h/3"


def data(*, changed: bool, seed: int, names: str = "abc") -> TrainingData:
    """Give windows of waves of 7 points, or of 5 where the process has changed."""
    random = np.random.default_rng(seed)
    points = np.arange(200) / (5 if changed else 7)
    series: dict[str, Floats] = {
        name: 20 + 5 * np.sin(2 * np.pi * (points + i / 3)) + random.normal(0, 0.5, 200) for i, name in enumerate(names)
    }
    profile = profile_of(list(names), borders=(140, 180, 200), sizes=(8, 2))
    return TrainingData([partial(assemble, *shard_of(sequences_of(series), profile))], {GROUP: 3})
