"""Windows of toy series for tests of training: sines that differ in phase, with some noise."""

import numpy as np

from sparkhu.models.neural.architectures import ARCHITECTURES, values_of
from sparkhu.models.neural.forecaster import Design
from sparkhu.training.loop import Work
from sparkhu.training.plan import Plan
from sparkhu.training.window_sets import GroupWindows, Runs, WindowSet

L, H = 12, 4


def window_set(first: int, n: int, seed: int = 0) -> WindowSet:
    """Give n windows of one series from a point on."""
    series = np.sin(np.arange(400) / 2 + seed) + 0.1 * np.random.default_rng(seed).normal(size=400)
    rows = np.lib.stride_tricks.sliding_window_view(series, L + H)[first : first + n]
    return WindowSet(Runs.of(rows[:, :L]), Runs.of(rows[:, L:]))


def group_windows(seed: int = 0) -> GroupWindows:
    """Give the windows of one series."""
    return GroupWindows(window_set(0, 150, seed), window_set(160, 40, seed), window_set(160, 150, seed))


def design(name: str = "nhits", **values: object) -> Design:
    """Give a small design."""
    architecture = ARCHITECTURES[name]
    read = values_of(architecture, {"width": 16, **values})
    return Design(name, L, H, read["centre"], architecture.shape(L, H, 4, read))


def work(
    *, name: str = "nhits", seed: int = 0, dropout: float = 0.2, learning_rate: float = 0.01, **plan: object
) -> Work:
    """Give what a test trains."""
    windows = group_windows()
    planned = Plan(**{"epochs": 3, "batch": 32, "least_steps": 1, **plan})
    return Work(design(name, dropout=dropout), windows.train, windows.choose, planned, learning_rate, seed)
