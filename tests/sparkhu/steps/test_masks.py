"""Measuring a strategy on masked known points."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.frame import SCHEMA
from sparkhu.steps.masks import draw_masks, score, seed_of, weights
from sparkhu.steps.points import Points
from sparkhu.steps.strategies import ORDER, STRATEGIES

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def series(values: list[float | None], hours: list[int] | None = None, name: str = "a") -> pl.DataFrame:
    ds = [START + h * HOUR for h in (hours or range(len(values)))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def with_season(points: Points, *lengths: int) -> Points:
    return replace(points, season_length=np.array(lengths, np.int64))


def rough(size: int, seed: int = 0, name: str = "a") -> pl.DataFrame:
    return series(np.random.default_rng(seed).normal(size=size).tolist(), name=name)


def test_seeds_are_the_same_on_every_machine() -> None:
    # The first eight bytes of BLAKE2b with a digest of eight, read from the least: openssl, b2sum -l 64.
    assert seed_of("a") == 3405396810240292928


def test_twenty_masks_of_each_length_are_drawn() -> None:
    masks = draw_masks(with_season(Points.of(rough(200)), 24))
    assert [(mask.length, len(mask.first)) for mask in masks] == [(1, 20), (4, 20), (24, 20)]
    for mask in masks:
        assert len(set(mask.first.tolist())) == 20
        assert mask.rows.shape == (20, mask.length)
        assert mask.rows.min() >= 1
        assert mask.rows.max() <= 198


def test_masks_are_spread_over_the_places_one_from_each_twentieth() -> None:
    [mask] = draw_masks(with_season(Points.of(rough(102)), 1))[:1]
    # Rows 1…100 are places for one point: five to a stretch.
    assert [(row - 1) // 5 for row in mask.first.tolist()] == list(range(20))


def test_with_few_places_each_is_taken_once() -> None:
    masks = draw_masks(with_season(Points.of(rough(14)), 1))
    assert [mask.first.tolist() for mask in masks] == [list(range(1, 13)), list(range(1, 10))]


def test_a_length_needs_three_times_as_many_known_points() -> None:
    lengths = [
        [mask.length for mask in draw_masks(with_season(Points.of(rough(n)), 5))] for n in (2, 3, 11, 12, 14, 15)
    ]
    assert lengths == [[], [1], [1], [1, 4], [1, 4], [1, 4, 5]]


@pytest.mark.parametrize(("season", "lengths"), [(0, [1, 4]), (1, [1, 4]), (4, [1, 4]), (3, [1, 3, 4]), (7, [1, 4, 7])])
def test_a_season_is_a_length_of_its_own(season: int, lengths: list[int]) -> None:
    assert [mask.length for mask in draw_masks(with_season(Points.of(rough(60)), season))] == lengths


def test_the_season_changes_no_other_mask() -> None:
    points = Points.of(rough(100))
    plain, seasonal = draw_masks(with_season(points, 1)), draw_masks(with_season(points, 3))
    assert plain[0].first.tolist() == seasonal[0].first.tolist()
    assert plain[1].first.tolist() == seasonal[2].first.tolist()


def test_masks_hide_known_points_of_the_training_part_between_known_points() -> None:
    values: list[float | None] = rough(80)["y"].to_list()
    for hole in (10, 11, 30):
        values[hole] = None
    frame = series(values).with_columns(needs_fill=pl.Series([i == 50 for i in range(80)]))
    points = Points.of(frame, START + 60 * HOUR)
    forbidden = {0, 10, 11, 30, 50, 59}
    for mask in draw_masks(with_season(points, 6)):
        for first in mask.first.tolist():
            hidden = set(range(first, first + mask.length))
            around = {first - 1, first + mask.length}
            assert not hidden & forbidden
            assert not around & (forbidden - {0, 59})
            assert max(around) <= 59


def test_masks_do_not_depend_on_the_shard() -> None:
    parts = [rough(50, 1, "a"), rough(70, 2, "b"), rough(5, 3, "c")]
    together = draw_masks(with_season(Points.of(pl.concat(parts)), 7, 9, 1))
    offset = 0
    for number, (part, season) in enumerate(zip(parts, (7, 9, 1), strict=True)):
        for mask in draw_masks(with_season(Points.of(part), season)):
            [same] = [other for other in together if other.length == mask.length]
            assert same.first[same.number == number].tolist() == (mask.first + offset).tolist()
        offset += part.height


def test_the_name_of_the_series_seeds_the_draw() -> None:
    first, second = (draw_masks(with_season(Points.of(rough(500, name=name)), 1))[0].first.tolist() for name in "ab")
    assert first != second


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("season", [4, 9, 12])
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_refilled_mask_is_what_filling_without_its_points_gives(strategy: str, season: int, uneven: bool) -> None:
    rng = np.random.default_rng(11)
    swing = 5 * np.sin(np.arange(150) * 2 * np.pi / season)
    values = [None if rng.random() < 0.1 else float(v) for v in np.round(rng.normal(size=150) + swing, 1)]
    hours = np.cumsum(rng.integers(1, 4, size=150)).tolist() if uneven else [*range(150)]
    frame = pl.concat([series(values, hours), series(values[:40:-1], hours[41:], "b")])
    points = with_season(Points.of(frame, frame["ds"][110]), season, season)
    masks = draw_masks(points)
    assert [mask.length for mask in masks] == sorted({1, 4, season})
    way = STRATEGIES[strategy]
    for mask, refilled in zip(masks, way.refill(points, masks), strict=True):
        for rows, got in zip(mask.rows.tolist(), refilled, strict=True):
            hidden = points.known.copy()
            hidden[rows] = False
            again = way.fill(replace(points, known=hidden)).values[rows]
            np.testing.assert_allclose(got, again, rtol=1e-12, atol=1e-12)
            assert not np.isnan(got).any()


@given(st.lists(st.floats(-1e9, 1e9), min_size=12, max_size=40))
def test_the_median_without_hidden_points_is_exact(values: list[float]) -> None:
    points = Points.of(series(values))  # type: ignore[arg-type]
    masks = draw_masks(with_season(points, 3))
    for mask, refilled in zip(masks, STRATEGIES["median"].refill(points, masks), strict=True):
        for rows, got in zip(mask.rows, refilled, strict=True):
            assert (got == np.median(np.delete(values, rows))).all()


def test_the_mean_without_hidden_points_keeps_its_digits_beside_a_large_offset() -> None:
    values = (1e9 + np.random.default_rng(1).normal(size=60)).tolist()
    points = Points.of(series(values))
    masks = draw_masks(with_season(points, 1))
    for mask, refilled in zip(masks, STRATEGIES["mean"].refill(points, masks), strict=True):
        for rows, got in zip(mask.rows, refilled, strict=True):
            np.testing.assert_allclose(got - 1e9, np.mean(np.delete(values, rows) - 1e9), atol=5e-7)


def test_hand_worked_scores_of_a_ramp() -> None:
    # y = 2·t. Every single point between its neighbours: linear misses by 0, last and next by 2.
    # Masks of four: last misses by 2, 4, 6, 8, that is 5 on average.
    points = Points.of(series([2.0 * t for t in range(30)]))
    table = {name: score(points, name, STRATEGIES[name]) for name in ("linear", "last", "next")}
    assert table["linear"].rows() == [("a", "linear", 1, 0.0, 20, 0.5), ("a", "linear", 4, 0.0, 80, 0.5)]
    assert table["last"].rows() == [("a", "last", 1, 2.0, 20, 0.5), ("a", "last", 4, 5.0, 80, 0.5)]
    assert table["next"]["mae"].to_list() == [2.0, 5.0]


def test_hand_worked_score_of_a_mean() -> None:
    # Three points 0, 3, 6: only the middle one can be hidden; the mean of the others is 3.
    points = Points.of(series([0.0, 3.0, 6.0]))
    assert score(points, "mean", STRATEGIES["mean"]).rows() == [("a", "mean", 1, 0.0, 1, 1.0)]
    points = Points.of(series([0.0, 5.0, 6.0]))
    assert score(points, "mean", STRATEGIES["mean"])["mae"].to_list() == [2.0]


def test_lengths_weigh_as_the_gaps_are_long() -> None:
    # Gaps of 1, 2, 3 and 10 points: 1 and 2 are nearest to length 1, 3 to 4, 10 to 8 → weights 3/16, 3/16, 10/16.
    values: list[float | None] = [float(i % 7) for i in range(80)]
    for first, size in ((10, 1), (20, 2), (30, 3), (40, 10)):
        values[first : first + size] = [None] * size
    table = score(with_season(Points.of(series(values)), 8), "last", STRATEGIES["last"])
    assert dict(zip(table["mask_length"], table["weight"], strict=True)) == {1: 3 / 16, 4: 3 / 16, 8: 10 / 16}


def test_a_gap_as_near_to_two_lengths_counts_for_the_shorter() -> None:
    # Lengths 1, 4, 8: six points are two away from both 4 and 8.
    points = Points.of(series([0.0, *[None] * 6, 1.0]))
    assert weights(points, np.array([[True, True, True]]), np.array([1, 4, 8])).tolist() == [[0.0, 1.0, 0.0]]


def test_only_measured_lengths_weigh() -> None:
    points = Points.of(series([0.0, *[None] * 9, 1.0]))
    assert weights(points, np.array([[True, False, False]]), np.array([1, 4, 8])).tolist() == [[1.0, 0.0, 0.0]]
    assert weights(points, np.array([[False, False, False]]), np.array([1, 4, 8])).tolist() == [[0.0, 0.0, 0.0]]


def test_without_a_gap_the_lengths_weigh_the_same() -> None:
    table = score(with_season(Points.of(rough(60)), 6), "last", STRATEGIES["last"])
    assert table["weight"].to_list() == [1 / 3] * 3


def test_gaps_behind_the_training_part_do_not_weigh() -> None:
    values: list[float | None] = [float(i % 5) for i in range(60)]
    values[50:54] = [None] * 4
    values[20] = None
    table = score(with_season(Points.of(series(values), START + 40 * HOUR), 1), "last", STRATEGIES["last"])
    assert table["weight"].to_list() == [1.0, 0.0]


def test_scores_do_not_change_with_what_comes_after_the_training_part() -> None:
    values = rough(60)["y"].to_list()
    later = [v if i < 40 else 1e6 for i, v in enumerate(values)]
    for name, strategy in STRATEGIES.items():
        tables = [
            score(with_season(Points.of(series(v), START + 40 * HOUR), 5), name, strategy) for v in (values, later)
        ]
        assert tables[0].equals(tables[1])


def test_a_series_too_short_has_no_score() -> None:
    frame = pl.concat([series([1.0, 2.0]), series([1.0, 2.0, 4.0], name="b")])
    table = score(with_season(Points.of(frame), 1, 1), "last", STRATEGIES["last"])
    assert table.rows() == [("b", "last", 1, 1.0, 1, 1.0)]


def test_every_strategy_has_a_place_in_the_order_of_simplicity() -> None:
    assert ORDER == ("mean", "median", "mode", "last", "next", "linear", "spline", "seasonal", "moving_average")
    assert set(STRATEGIES) <= set(ORDER)
