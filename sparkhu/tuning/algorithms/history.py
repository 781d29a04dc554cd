"""What an algorithm has seen: trials as rows of numbers, kept up to date without reading any of them twice."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sparkhu.tuning.algorithms.axes import Axis, ChoiceAxis, NumberAxis, Places
from sparkhu.tuning.space import Direction
from sparkhu.tuning.trials import COMPLETED, ENDED, Trial

RUNNING: Final = 0
SCORED: Final = 1
FORGOTTEN: Final = 2
"""It ended without an objective: it teaches nothing."""


class History:
    """The trials of an experiment, one row each, in the order of their numbers.

    Args:
        axes: The parameters.
        direction: A maximised objective is kept with its sign turned: less is better.
    """

    def __init__(self, axes: Sequence[Axis], direction: Direction) -> None:
        self.number_axes = [axis for axis in axes if isinstance(axis, NumberAxis)]
        self.choice_axes = [axis for axis in axes if isinstance(axis, ChoiceAxis)]
        self._sign = 1.0 if direction == "minimize" else -1.0
        self._rows = 0
        self._open: list[int] = []
        self._places: Places = np.empty((64, len(self.number_axes)))
        self._choices: NDArray[np.intp] = np.empty((64, len(self.choice_axes)), np.intp)
        self._values: Places = np.empty(64)
        self._states: NDArray[np.int8] = np.empty(64, np.int8)

    @property
    def places(self) -> Places:
        """Where the numbers of each trial lie, in [0, 1]: [trial, number]."""
        return self._places[: self._rows]

    @property
    def choices(self) -> NDArray[np.intp]:
        """The ranks of the choices of each trial: [trial, choice]."""
        return self._choices[: self._rows]

    @property
    def values(self) -> Places:
        """The objective of each trial, less is better; not a number where there is none."""
        return self._values[: self._rows]

    @property
    def states(self) -> NDArray[np.int8]:
        """`RUNNING`, `SCORED` or `FORGOTTEN`, of each trial."""
        return self._states[: self._rows]

    def learn(self, trials: Sequence[Trial]) -> None:
        """Take in all trials so far, those that were seen running among them."""
        for trial in trials[self._rows :]:
            self._open.append(self._rows)
            self.expect(trial.assignment)
        still = []
        for row in self._open:
            trial = trials[row]
            if trial.status not in ENDED:
                still.append(row)
            elif trial.status in COMPLETED and trial.objective is not None and not math.isnan(trial.objective):
                self._states[row] = SCORED
                self._values[row] = self._sign * trial.objective
            else:
                self._states[row] = FORGOTTEN
        self._open = still

    def expect(self, assignment: Mapping[str, str]) -> None:
        """Add a trial that runs, or is about to."""
        row = self._rows
        if row == len(self._states):
            self._grow()
        self._places[row] = [axis.place(assignment[axis.name]) for axis in self.number_axes]
        self._choices[row] = [axis.index(assignment[axis.name]) for axis in self.choice_axes]
        self._values[row] = np.nan
        self._states[row] = RUNNING
        self._rows = row + 1

    def forget_expected(self, rows: int) -> None:
        """Leave only the first rows: what was expected is learnt when it is there."""
        self._rows = rows

    def _grow(self) -> None:
        size = len(self._states)
        self._places = np.concatenate([self._places, np.empty_like(self._places)])
        self._choices = np.concatenate([self._choices, np.empty_like(self._choices)])
        self._values = np.concatenate([self._values, np.empty(size)])
        self._states = np.concatenate([self._states, np.empty_like(self._states)])
