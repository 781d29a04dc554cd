"""Experiments played through: suggestions of an algorithm become trials that have ended."""

from collections.abc import Callable, Mapping

from sparkhu.tuning.algorithms.choosing import make_suggester
from sparkhu.tuning.algorithms.suggesting import Suggester
from sparkhu.tuning.space import Direction, Parameter, Space
from sparkhu.tuning.trials import Trial

Objective = Callable[[Mapping[str, str]], float]
SQUARE: Space = (Parameter("x", "double", -5.0, 5.0), Parameter("y", "double", 1e-4, 1.0, distribution="logUniform"))
MIXED: Space = (
    *SQUARE,
    Parameter("n", "int", 1.0, 20.0),
    Parameter("share", "double", 0.0, 1.0, 0.25),
    Parameter("kind", "categorical", choices=("linear", "tree", "none")),
    Parameter("size", "discrete", choices=("8", "16", "32")),
)


def bowl(assignment: Mapping[str, str]) -> float:
    """Least at x = 2, y = 0.01, n = 7, share = 0.5, kind = tree, size = 16, where it is 0."""
    from math import log10

    away = (float(assignment["x"]) - 2) ** 2 + (log10(float(assignment["y"])) + 2) ** 2
    if "n" in assignment:
        away += abs(int(assignment["n"]) - 7) / 10 + abs(float(assignment["share"]) - 0.5)
        away += (assignment["kind"] != "tree") + (assignment["size"] != "16") / 2
    return away


def made(name: str, space: Space = SQUARE, *, direction: Direction = "minimize", **more: object) -> Suggester:
    """Make an algorithm with settings by name; `parallel` and `most_trials` are no settings."""
    parallel, most = more.pop("parallel", 1), more.pop("most_trials", None)
    settings = {key: str(value) for key, value in more.items()}
    return make_suggester(
        name,
        settings=settings,
        space=space,
        direction=direction,
        parallel=parallel,  # type: ignore[arg-type]
        most_trials=most,  # type: ignore[arg-type]
    )


def ended(trials: list[Trial], suggester: Suggester, count: int, objective: Objective = bowl) -> list[Trial]:
    """Add trials that have succeeded, one after the other, until there are `count`."""
    while len(trials) < count and (found := suggester.suggest(1, trials)):
        number, assignment = len(trials), found[0].assignment
        value = objective(assignment)
        trials.append(Trial(number, f"t-{number}", assignment, found[0].labels, "Succeeded", objective=value))
    return trials
