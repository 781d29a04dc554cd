"""What the benchmark of filling must show."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.fills import Series, by_group, demo_series, errors, hide, measure, published_series

MARGIN = 1.02


def swing(size: int, season: int) -> Series:
    rng = np.random.default_rng(4)
    values = 5 * np.sin(np.arange(size) * 2 * np.pi / season) + rng.normal(size=size) / 5
    return Series("made", "swing", values, season)


def test_runs_of_all_lengths_are_hidden_between_known_points_in_both_parts() -> None:
    series = swing(600, 12)
    series.values[50:60] = np.nan
    hidden = hide(series, 0)
    edges = np.flatnonzero(np.diff(hidden.astype(int)))
    starts, lengths = edges[::2] + 1, edges[1::2] - edges[::2]
    for part in (starts < series.train, starts >= series.train):
        assert set(lengths[part].tolist()) == {1, 4, 12}
    assert not hidden[49:61].any()
    assert hidden.mean() == pytest.approx(1 / 12, abs=0.02)
    assert not np.array_equal(hidden, hide(series, 1))


def test_a_season_is_best_filled_seasonally_and_chosen() -> None:
    found = errors(swing(600, 12), 0)
    assert min(found, key=lambda name: found[name]) == "seasonal"
    assert found["pooled"] == found["seasonal"] < found["linear"] / 2


def test_hand_worked_comparison() -> None:
    # The best single one over all is linear with (1 + 3)/2 = 2; pooled has (1 + 2)/2 = 1.5: 0.75 of both.
    others = dict.fromkeys(("mean", "median", "mode", "last", "next", "spline", "seasonal", "moving_average"), 4.0)
    rows = [
        {"group": "g", "series": name, **others, "linear": a, "pooled": b}
        for name, a, b in (("x", 1.0, 1.0), ("y", 3.0, 2.0))
    ]
    table = by_group(pl.DataFrame(rows))
    assert table["group"].to_list() == ["g", "all"]
    assert table.select("best", "against_best", "against_linear").row(1) == ("linear", 0.75, 0.75)


@pytest.mark.slow
def test_the_choice_is_never_worse_than_the_best_single_strategy_and_better_than_lines(evaluation_data: Path) -> None:
    table = by_group(measure([*demo_series(), *published_series(evaluation_data)], 5))
    assert table["group"].to_list() == ["demo", "ett", "m4 hourly", "nab", "prices", "all"]
    assert table["series"][2] >= 100
    assert table["against_best"].max() <= MARGIN, table
    assert table["against_linear"][-1] < 1
