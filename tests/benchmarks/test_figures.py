"""Figures of benchmarks: what is kept of them, and when a goal is met."""

import json
from argparse import ArgumentParser
from pathlib import Path

import pytest

from benchmarks import bench
from benchmarks.figures import Figure, gather, json_option, read, report, shown

FAST = Figure("STL", 123.4, "×", "as fast as statsmodels", 100, "more")
SLOW = Figure("One day", 59.04, "s", "44 tasks", 50.0)


def test_a_goal_is_met_from_its_own_side() -> None:
    assert (FAST.met, FAST.promise) == (True, "≥ 100 ×")
    assert (SLOW.met, SLOW.promise) == (False, "≤ 50 s")
    assert Figure("Join", 9.0, "×", "as fast as Feast").met


def test_what_is_printed_says_what_was_missed() -> None:
    assert str(SLOW) == "One day: 59 s (≤ 50 s: MISSED); 44 tasks"


@pytest.mark.parametrize(("value", "text"), [(0.94211, "0.942"), (59.04, "59"), (1234.5, "1,234"), (99.96, "100")])
def test_a_figure_has_three_digits(value: float, text: str) -> None:
    assert shown(value) == text


def test_figures_of_one_benchmark_take_the_place_of_its_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert read(file)["benchmarks"] == {}
    for figures in ([{"name": "old"}], [{"name": "new"}]):
        gather("stl", "python benchmarks/stl.py", figures, file)
    gather("spark", "python benchmarks/spark.py", [], file)
    kept = read(file)["benchmarks"]
    assert list(kept) == ["stl", "spark"]
    assert kept["stl"]["figures"] == [{"name": "new"}]


def test_what_a_benchmark_writes_is_read_as_it_was(tmp_path: Path) -> None:
    parser = ArgumentParser()
    json_option(parser)
    report([FAST, SLOW], parser.parse_args(["--json", str(tmp_path / "f.json")]).json)
    assert [Figure(**each) for each in json.loads((tmp_path / "f.json").read_text())] == [FAST, SLOW]


def test_every_benchmark_of_the_table_is_there_and_can_be_told_where_figures_go() -> None:
    for command in bench.BENCHMARKS.values():
        script = bench.ROOT / command.split()[0]
        assert "json_option(parser)" in script.read_text()


def test_a_benchmark_that_fails_leaves_the_earlier_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "gather", lambda *_: pytest.fail("figures were changed"))
    monkeypatch.setitem(bench.BENCHMARKS, "stl", "benchmarks/no_such_benchmark.py")
    with pytest.raises(SystemExit, match=r"no_such_benchmark.py failed; its earlier figures stay"):
        bench.measure("stl")
