"""Hyperband: many trials with little of a resource, the best of them with more, again and again.

Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", algorithm 1. What is refused,
and how many brackets there are, is as in Katib's `pkg/suggestion/v1beta1/hyperband/service.py`. Katib gives every rung
as many trials as it happens to be asked for; here the rungs have the sizes of the paper.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.axes import axes_of
from sparkhu.tuning.algorithms.random_search import drawn, generator
from sparkhu.tuning.algorithms.settings import RANDOM_STATE, Reader, number, read_settings, seed_of
from sparkhu.tuning.algorithms.suggesting import Suggestion
from sparkhu.tuning.space import Direction, Space
from sparkhu.tuning.trials import COMPLETED, ENDED, Trial

BRACKET: Final = "hyperband-bracket"
RUNG: Final = "hyperband-rung"
KNOWN: Final[Mapping[str, Reader]] = {
    **RANDOM_STATE,
    "r_l": number("a number from 1 on", lambda value: value >= 1),
    "eta": number("a number from 2 on", lambda value: value >= 2),
    "resource_name": str,
}


@dataclass(frozen=True)
class Rung:
    """Trials that get the same resource.

    Attributes:
        bracket: The `s` of the paper.
        number: The `i` of the paper.
        size: How many trials it has.
        resource: What each of them gets.
    """

    bracket: int
    number: int
    size: int
    resource: int


def rungs_of(most: float, eta: float) -> list[Rung]:
    """List the rungs of one run of Hyperband, in the order in which they are run.

    Args:
        most: The most of the resource that a trial gets, the `R` of the paper.
        eta: One of so many trials goes on to the next rung.
    """
    last = _brackets(most, eta)
    sizes = {bracket: math.ceil((last + 1) * eta**bracket / (bracket + 1)) for bracket in range(last, -1, -1)}
    return [
        Rung(bracket, each, int(size / eta**each), int(most / eta ** (bracket - each)))
        for bracket, size in sizes.items()
        for each in range(bracket + 1)
    ]


class Hyperband:
    """Algorithm `hyperband`.

    Args:
        settings: `r_l`, the most of the resource; `resource_name`, the parameter that it is; `eta` (3); `random_state`.
        space: What is searched.
        direction: Of the objective.
        parallel: How many trials run at once; a whole first rung must.

    Raises:
        InputError: A setting or the space cannot be used, or too few trials run at once.
    """

    def __init__(self, settings: Mapping[str, str], space: Space, direction: Direction, *, parallel: int) -> None:
        read = read_settings("hyperband", settings, KNOWN)
        for name in ("r_l", "resource_name"):
            if name not in read:
                raise InputError(f"algorithm hyperband needs the setting {name}; give it in algorithmSettings")
        self.seed = seed_of(read)
        self.resource = str(read["resource_name"])
        if self.resource not in (parameter.name for parameter in space):
            names = ", ".join(parameter.name for parameter in space)
            raise InputError(
                f"setting resource_name of algorithm hyperband names no parameter: {self.resource!r}; it "
                f"is one of {names}"
            )
        most, eta = cast("float", read["r_l"]), cast("float", read.get("eta", 3.0))
        least = math.ceil(eta ** _brackets(most, eta))
        if parallel < least:
            raise InputError(
                f"parallelTrialCount is {parallel}, but algorithm hyperband with r_l {most:g} and eta {eta:g} runs "
                f"{least} trials at once; raise parallelTrialCount to {least}, or lower r_l"
            )
        self.axes = axes_of(space)
        self.sign = 1 if direction == "minimize" else -1
        self.rungs = rungs_of(most, eta)

    def suggest(self, count: int, trials: Sequence[Trial]) -> list[Suggestion]:
        """Suggest what is left of the present rung; nothing while its last trials run, and after the last rung."""
        members: dict[tuple[str | None, str | None], list[Trial]] = defaultdict(list)
        for trial in trials:
            members[trial.labels.get(BRACKET), trial.labels.get(RUNG)].append(trial)
        promoted: list[Trial] = []
        for rung in self.rungs:
            present = members[str(rung.bracket), str(rung.number)]
            size = min(rung.size, len(promoted)) if rung.number else rung.size
            if len(present) < size:
                places = range(len(present), min(size, len(present) + count))
                return [self._suggestion(rung, promoted, at, len(trials) + at - len(present)) for at in places]
            if any(trial.status not in ENDED for trial in present):
                return []
            promoted = self._ranked(present)
        return []

    def _suggestion(self, rung: Rung, promoted: Sequence[Trial], place: int, trial: int) -> Suggestion:
        values = promoted[place].assignment if rung.number else drawn(self.axes, generator(self.seed, trial))
        labels = {BRACKET: str(rung.bracket), RUNG: str(rung.number)}
        return Suggestion({**values, self.resource: str(rung.resource)}, labels)

    def _ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        """Sort those that have an objective, the best first."""
        scored = [
            (self.sign * trial.objective, trial)
            for trial in trials
            if trial.status in COMPLETED and trial.objective is not None and not math.isnan(trial.objective)
        ]
        return [trial for _, trial in sorted(scored, key=lambda each: each[0])]


def _brackets(most: float, eta: float) -> int:
    """Give the number of the first bracket, as Katib computes it."""
    return int(math.log(most) / math.log(eta))
