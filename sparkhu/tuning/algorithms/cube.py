"""Points of a space for methods that want columns of numbers: a column a number, one more for each choice."""

from collections.abc import Sequence

import numpy as np

from sparkhu.tuning.algorithms.axes import Axis, ChoiceAxis, NumberAxis, Places
from sparkhu.tuning.algorithms.history import History


class Cube:
    """The unit cube of some axes: first the columns of the numbers, then 0 or 1 for every value of every choice."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = axes
        self.number_axes = [axis for axis in axes if isinstance(axis, NumberAxis)]
        self.choice_axes = [axis for axis in axes if isinstance(axis, ChoiceAxis)]
        self.numbers = len(self.number_axes)

    def points(self, history: History) -> Places:
        """Give the points of the trials, [trial, column]."""
        return np.column_stack([history.places, *self._marked([*history.choices.T])])

    def draw(self, rng: np.random.Generator, count: int) -> Places:
        """Draw points that trials can have, evenly."""
        ranks = [rng.integers(axis.count, size=count) for axis in self.choice_axes]
        return self.snapped(np.column_stack([rng.random((count, self.numbers)), *self._marked(ranks)]))

    def snapped(self, points: Places) -> Places:
        """Move numbers to the nearest values that they can have."""
        moved = points.copy()
        for column, axis in enumerate(self.number_axes):
            moved[:, column] = axis.snapped(points[:, column])
        return moved

    def assignment(self, point: Places) -> dict[str, str]:
        """Write the assignment of a point."""
        texts = {axis.name: axis.text(float(place)) for axis, place in zip(self.number_axes, point, strict=False)}
        start = self.numbers
        for axis in self.choice_axes:
            texts[axis.name] = axis.nth(int(point[start : start + axis.count].argmax()))
            start += axis.count
        return {axis.name: texts[axis.name] for axis in self.axes}

    def _marked(self, ranks: Sequence[np.ndarray]) -> list[Places]:
        return [np.eye(axis.count)[rank] for axis, rank in zip(self.choice_axes, ranks, strict=True)]
