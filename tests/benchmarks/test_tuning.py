"""The benchmark of tuning: its functions have the minima that are published, and learning beats chance."""

from pathlib import Path

import pytest

from benchmarks.tuning import LEARNING, PROBLEMS, Problem, branin, compared, hartmann6, qualities, rate

MINIMA = {
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


def test_learning_beats_random_search_in_the_median_of_three_seeds() -> None:
    for problem, distances in compared(range(3), 50).items():
        for name in LEARNING:
            assert distances[name] < distances["random"], (problem, name)


def test_a_whole_experiment_is_timed_in_memory_and_with_its_store(tmp_path: Path) -> None:
    assert rate("tpe", 30) > 0
    assert rate("grid", 30, tmp_path) > 0
    assert (tmp_path / "trials.parquet").is_file()


def test_figures_say_what_is_compared() -> None:
    figures = qualities(1, 12)
    assert [figure.name for figure in figures] == [f"{each.name}: {name}" for each in PROBLEMS for name in LEARNING]
    assert figures[0].promise == "≤ 1 × random's distance"
    assert "median of 1 seeds, 12 trials" in figures[0].beside
