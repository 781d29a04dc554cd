"""The table of decompositions beside statsmodels: what must hold in it."""

import json
from functools import partial
from pathlib import Path

import pytest

from benchmarks import stl


@pytest.mark.parametrize("periods", [(24,), (12, 48)])
@pytest.mark.parametrize("robust", [False, True])
def test_both_decompose_alike_and_ours_many_times_as_fast(periods: tuple[int, ...], robust: bool) -> None:
    batch = [stl.made_series(400, *periods, seed=seed) for seed in range(2)]
    ours, theirs = (partial(function, periods=periods, robust=robust) for function in (stl.our_stl, stl.their_stl))
    line = stl.measure("STL", ours, theirs, batch, 2)
    assert line.difference is not None
    assert line.difference < 1e-8
    assert line.ratio > 10  # of 2,000 points it is more than a hundred, robust more than fifty


def test_trend_and_unit_root_are_alike_too() -> None:
    walks = [stl.made_series(300, 24, seed=0).cumsum()]
    for ours, theirs in ((stl.our_trend, stl.their_trend), (stl.our_test, stl.their_test)):
        difference = stl.measure("", ours, theirs, walks, 1).difference
        assert difference is not None
        assert difference < 1e-8


def test_a_line_is_printed_for_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = stl.Line("STL: 2,000 points, season of 24", 0.002, 0.5, 1e-12)
    monkeypatch.setattr(stl, "lines", lambda repeats: [made] * repeats)
    monkeypatch.setattr("os.sched_setaffinity", lambda *_: None)
    stl.main(["--repeats", "2", "--json", str(tmp_path / "figures.json")])
    head, *rest = capsys.readouterr().out.splitlines()
    assert head.split() == ["sparkhu", "peer", "ratio", "difference"]
    told = ["2.00", "ms", "500.0", "ms", "250×", "1.0e-12", "statsmodels"]
    assert [line.split()[6:] for line in rest[:2]] == [told] * 2
    (figure, _) = json.loads((tmp_path / "figures.json").read_text())
    assert (figure["measured"], figure["goal"], figure["better"]) == (250.0, 100.0, "more")
