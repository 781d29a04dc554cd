"""What an algorithm is: it suggests assignments for the next trials, from all trials so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sparkhu.tuning.trials import Trial


@dataclass(frozen=True)
class Suggestion:
    """What a trial is to be given.

    Attributes:
        assignment: The value of every parameter of the space, as texts.
        labels: What the algorithm wants to find again in `Trial.labels`.
    """

    assignment: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)


class Suggester(Protocol):
    """Suggests assignments; it learns from the trials that it is shown and keeps no state that they do not hold."""

    def suggest(self, count: int, trials: Sequence[Trial]) -> list[Suggestion]:
        """Suggest assignments for up to `count` trials more.

        Args:
            count: How many are wanted.
            trials: All trials so far, in the order of their numbers, those that run among them.

        Returns:
            `count` suggestions; fewer where the search is exhausted, or where the algorithm must see running trials
            end first.
        """
