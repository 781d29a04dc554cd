"""Tuning: how much time the search itself takes, and how good what it finds is, against random search.

    python benchmarks/tuning.py [--seeds 20]      # about 5 minutes on two cores; 3 seeds in one

Trials a second are those of whole experiments of 500 trials (100 of Bayesian optimisation) over six parameters, run
here, whose objective costs next to nothing. The peer is Optuna's own sampler, driven by Optuna.

Branin has three minima of 0.397887, Hartmann-6 one of -3.32237 (Surjanovic and Bingham, "Virtual Library of Simulation
Experiments"). What is compared is the median over seeds of the best of 100 trials, as the distance to the minimum.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from benchmarks.figures import Figure, json_option, report
from sparkhu.tuning.algorithms.choosing import make_suggester
from sparkhu.tuning.space import Parameter, Space
from sparkhu.tuning.trials import Trial

Objective = Callable[[Mapping[str, str]], float]
TRIALS: Final = 100
MANY_TRIALS: Final = 500
SEEDS: Final = 20
RATES: Final[Mapping[str, float | None]] = {
    "random": 100,
    "grid": 100,
    "sobol": 100,
    "tpe": 100,
    "multivariate-tpe": None,
    "cmaes": None,
    "bayesianoptimization": 2,
}
"""Algorithms that are timed, with the trials a second that they should reach."""
STORED_RATE: Final = 20
LEARNING: Final = ("tpe", "bayesianoptimization", "cmaes")
"""Those that must find more than random search does."""


@dataclass(frozen=True)
class Problem:
    """A function whose minimum is known.

    Attributes:
        name: What it is called.
        space: Where it is searched.
        objective: Its value.
        least: Its minimum.
    """

    name: str
    space: Space
    objective: Objective
    least: float


def branin(assignment: Mapping[str, str]) -> float:
    """Give Branin's function of `x1` in [-5, 10] and `x2` in [0, 15]."""
    x, y = float(assignment["x1"]), float(assignment["x2"])
    curve = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return curve**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


ALPHA: Final = np.array([1.0, 1.2, 3.0, 3.2])
A: Final = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
P: Final = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(assignment: Mapping[str, str]) -> float:
    """Give the Hartmann function of `x1` to `x6` in [0, 1]."""
    x = np.array([float(assignment[f"x{at}"]) for at in range(1, 7)])
    return -float(ALPHA @ np.exp(-(A * (x - P) ** 2).sum(axis=1)))


PROBLEMS: Final = (
    Problem("Branin", (Parameter("x1", "double", -5, 10), Parameter("x2", "double", 0, 15)), branin, 0.397887),
    Problem("Hartmann-6", tuple(Parameter(f"x{at}", "double", 0, 1) for at in range(1, 7)), hartmann6, -3.32237),
)


def searched(algorithm: str, problem: Problem, seed: int, trials: int = TRIALS) -> float:
    """Search, and give how far the best trial is from the minimum."""
    suggester = make_suggester(
        algorithm,
        settings={"random_state": str(seed)},
        space=problem.space,
        direction="minimize",
        parallel=1,
        most_trials=trials,
    )
    ended: list[Trial] = []
    while len(ended) < trials:
        for suggestion in suggester.suggest(1, ended):
            value = problem.objective(suggestion.assignment)
            number = len(ended)
            ended.append(
                Trial(number, f"trial-{number}", suggestion.assignment, suggestion.labels, "Succeeded", objective=value)
            )
    return min(trial.objective for trial in ended if trial.objective is not None) - problem.least


def compared(seeds: Sequence[int], trials: int = TRIALS) -> dict[str, dict[str, float]]:
    """Give for every problem the median distance to the minimum, by algorithm."""
    return {
        problem.name: {
            name: median(searched(name, problem, seed, trials) for seed in seeds) for name in ("random", *LEARNING)
        }
        for problem in PROBLEMS
    }


def experiment(algorithm: str, trials: int) -> dict[str, Any]:
    """Write an experiment over six parameters as Katib's users do."""
    space: dict[str, dict[str, Any]] = {
        "rate": {"min": "0.0001", "max": "0.1", "distribution": "logUniform"},
        "share": {"min": "0", "max": "1"},
        "momentum": {"min": "0.5", "max": "0.99"},
    }
    if algorithm == "grid":
        space = {name: {"min": "0", "max": "1", "step": "0.25"} for name in space}
    numbers = [{"name": name, "parameterType": "double", "feasibleSpace": space[name]} for name in space]
    others = [
        {"name": "layers", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "8"}},
        {"name": "width", "parameterType": "discrete", "feasibleSpace": {"list": ["32", "64", "128"]}},
        {"name": "kind", "parameterType": "categorical", "feasibleSpace": {"list": ["a", "b", "c"]}},
    ]
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "overhead"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": algorithm},
            "parallelTrialCount": 1,
            "maxTrialCount": trials,
            "parameters": [*numbers, *others],
        },
    }


def cheap(assignment: Mapping[str, str]) -> float:
    """Give an objective that costs next to nothing."""
    return (float(assignment["share"]) - 0.3) ** 2 + int(assignment["layers"]) / 100 + (assignment["kind"] != "b")


def rate(algorithm: str, trials: int, out: Path | None = None) -> float:
    """Give the trials a second of a whole experiment."""
    from sparkhu.tuning.engine import run_experiment
    from sparkhu.tuning.reading import experiment_of

    model = experiment_of(experiment(algorithm, trials))
    start = time.perf_counter()
    result = run_experiment(model, lambda assignment, _: cheap(assignment), out=out)
    seconds = time.perf_counter() - start
    assert result.succeeded, result.reason
    assert len(result.trials) == trials
    return trials / seconds


def rate_of_optuna(trials: int) -> float:
    """Give the trials a second of Optuna's own sampler, every parameter for itself as in `tpe`."""
    import optuna

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_float("rate", 0.0001, 0.1, log=True)
        trial.suggest_float("momentum", 0.5, 0.99)
        trial.suggest_categorical("width", ["32", "64", "128"])
        share, layers = trial.suggest_float("share", 0, 1), trial.suggest_int("layers", 1, 8)
        kind = trial.suggest_categorical("kind", ["a", "b", "c"])
        return cheap({"share": repr(share), "layers": str(layers), "kind": kind})

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(multivariate=False))
    start = time.perf_counter()
    study.optimize(objective, trials)
    return trials / (time.perf_counter() - start)


def rates(trials: int = MANY_TRIALS) -> list[Figure]:
    """Measure trials a second of every algorithm, with the store, and against Optuna."""
    figures, found = [], {}
    for name, goal in RATES.items():
        count = min(trials, TRIALS) if name == "bayesianoptimization" else trials
        rate(name, 20)
        found[name] = rate(name, count)
        beside = f"{count} trials, 6 parameters, objective for nothing"
        figures.append(Figure(f"Tuning: {name}", found[name], "trials/s", beside, goal, "more", detail=name != "tpe"))
    with tempfile.TemporaryDirectory() as folder:
        stored = rate("tpe", trials, Path(folder))
    told = f"{trials} trials, each kept on the disk when it begins and ends"
    figures.append(Figure("Tuning: tpe, durable", stored, "trials/s", told, STORED_RATE, "more"))
    faster = found["tpe"] / rate_of_optuna(trials)
    figures.append(
        Figure(f"Tuning: tpe, {trials} trials", faster, "×", "as fast as Optuna's sampler", None, "more", detail=True)
    )
    return figures


def qualities(seeds: int, trials: int = TRIALS) -> list[Figure]:
    """Measure how far from the minimum the algorithms are, as shares of how far random search is."""
    return [
        Figure(
            f"{problem}: {name}",
            distances[name] / distances["random"],
            "× random's distance",
            f"{distances[name]:.3g} from the minimum, random {distances['random']:.3g}; median of {seeds} seeds, "
            f"{trials} trials",
            1.0,
            detail=(problem, name) != ("Hartmann-6", "tpe"),
        )
        for problem, distances in compared(range(seeds), trials).items()
        for name in LEARNING
    ]


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS, help="searches whose median counts")
    json_option(parser)
    arguments = parser.parse_args()
    report([*rates(), *qualities(arguments.seeds)], arguments.json)


if __name__ == "__main__":
    main()
