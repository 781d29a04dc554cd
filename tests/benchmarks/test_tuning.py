"""The benchmark of tuning: its functions have the minima that are published, and learning beats chance."""

from pathlib import Path
from statistics import median

import pytest

from benchmarks.tuning import LEARNING, PROBLEMS, TRIALS, Problem, branin, hartmann6, qualities, rate, searched

ENOUGH = {"bayesianoptimization": 30}
"""The first trials of one that is slower: the best of all 100 is no worse than the best of them."""
MINIMA: dict[str, list[tuple[float, ...]]] = {
    "Branin": [(-3.141592653589793, 12.275), (3.141592653589793, 2.275), (9.42478, 2.475)],
    "Hartmann-6": [(0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)],
}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_minima_are_where_they_are_published(problem: Problem) -> None:
    for point in MINIMA[problem.name]:
        values = {parameter.name: repr(value) for parameter, value in zip(problem.space, point, strict=True)}
        assert problem.objective(values) == pytest.approx(problem.least, abs=1e-5)


def test_functions_have_their_values_elsewhere() -> None:
    assert branin({"x1": "0", "x2": "0"}) == pytest.approx(55.602113)
    assert hartmann6({f"x{at}": "0.5" for at in range(1, 7)}) == pytest.approx(-0.5053, abs=1e-4)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_learning_beats_random_search_in_the_median_of_three_seeds(problem: Problem) -> None:
    by_chance = median(searched("random", problem, seed) for seed in range(3))
    for name in LEARNING:
        trials = ENOUGH.get(name, TRIALS)
        assert median(searched(name, problem, seed, trials) for seed in range(3)) < by_chance, name


def reached(floor: float, name: str, trials: int, out: Path | None = None) -> bool:
    """Tell whether one of two searches is fast enough: a machine with more to do than the test may be slow once."""
    return any(rate(name, trials, out and out / str(attempt)) >= floor for attempt in range(2))


@pytest.mark.parametrize("name", ["random", "grid", "sobol", "tpe"])
def test_a_search_of_500_trials_costs_little(name: str) -> None:
    assert reached(40, name, 500)


def test_so_does_one_that_is_kept_on_the_disk(tmp_path: Path) -> None:
    assert reached(20, "tpe", 500, tmp_path)
    assert (tmp_path / "0" / "trials.parquet").is_file()


def test_bayesian_optimisation_is_no_slower_than_two_trials_a_second() -> None:
    assert reached(2, "bayesianoptimization", 40)


def test_figures_say_what_is_compared() -> None:
    figures = qualities(1, 12)
    assert [figure.name for figure in figures] == [f"{each.name}: {name}" for each in PROBLEMS for name in LEARNING]
    assert figures[0].promise == "≤ 1 × random's distance"
    assert "median of 1 seeds, 12 trials" in figures[0].beside
