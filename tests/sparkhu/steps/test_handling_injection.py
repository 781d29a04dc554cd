"""Spikes on clean points, and what a strategy makes of them."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.steps.handling_injection import SCORES, inject, score, spike_sizes
from sparkhu.steps.handling_rows import Rows
from sparkhu.steps.handling_strategies import ORDER, Clip, Ema, EmaFlagged, SeasonalMean, replacement
from tests.sparkhu.steps.handled import decomposed, limits, profile, rows_of


def quiet(size: int = 100, **options: Any) -> pl.DataFrame:
    return decomposed([0.5 if row % 2 else -0.5 for row in range(size)], **options)


def at_spikes(rows: Rows) -> list[int]:
    return np.flatnonzero(inject(rows).spiked).tolist()


def test_hand_worked_size_of_the_series_own_anomalies() -> None:
    # Remainders of the flagged: 4, −9, 6 → absolute 4, 6, 9, median 6; of two, 4 and 9, (4 + 9) / 2.
    frame = decomposed([0.0, 4.0, -9.0, 6.0, 100.0], flagged=[1, 2, 3], level=50.0)
    assert spike_sizes(rows_of(frame)).tolist() == [6.0]
    assert spike_sizes(rows_of(frame, train_end=3)).tolist() == [6.5]


def test_anomalies_that_were_filled_as_outliers_count_with_the_size_that_was_observed() -> None:
    frame = decomposed([0.1, 0.0, 0.2], flagged=[0, 2], unseen=[0, 2]).with_columns(y_raw=pl.Series([9.0, 0.0, -11.0]))
    assert spike_sizes(rows_of(frame)).tolist() == [10.0]


def test_hand_worked_size_without_an_anomaly() -> None:
    # Limits −1 and 3 are 4 apart: 1.5 · 4 / 2 = 3.
    frame = decomposed([0.0, 0.0, 9.0], flagged=[2])
    assert spike_sizes(rows_of(frame, low=-1.0, high=3.0, train_end=2)).tolist() == [3.0]


@pytest.mark.parametrize(("low", "high", "size"), [(None, 3.0, 4.5), (-2.0, None, 3.0), (1.0, None, 1.5)])
def test_hand_worked_size_without_an_anomaly_where_one_limit_is_open(
    low: float | None, high: float | None, size: float
) -> None:
    # 1.5 times the distance of the closed limit from 0, and all spikes to its side: 1.5 · 3, 1.5 · |−2|, 1.5 · 1.
    rows = rows_of(decomposed([0.0] * 400), low=low, high=high)
    assert spike_sizes(rows).tolist() == [size]
    injection = inject(rows)
    assert injection.counts.tolist() == [20]
    assert set(injection.rows.resid[injection.spiked]) == {size if low is None else -size}


def test_a_spike_on_the_side_of_the_one_limit_is_flagged() -> None:
    for low, high in ((None, 3.0), (-3.0, None)):
        injection = inject(rows_of(decomposed([0.0] * 400), low=low, high=high))
        assert injection.rows.flagged.tolist() == injection.spiked.tolist()


def test_there_is_no_size_without_an_anomaly_and_without_limits() -> None:
    rows = rows_of(decomposed([0.0] * 40), low=None, high=None)
    assert np.isnan(spike_sizes(rows)).all()
    assert score(rows, "clip", Clip()).is_empty()


def test_a_single_limit_of_0_gives_no_spikes() -> None:
    assert inject(rows_of(decomposed([-1.0] * 40), low=None, high=0.0)).counts.tolist() == [0]


def test_an_anomaly_without_a_remainder_has_no_size() -> None:
    assert spike_sizes(rows_of(decomposed([0.0, None, 7.0], flagged=[1, 2]))).tolist() == [7.0]


@pytest.mark.parametrize(("size", "spikes"), [(9, 0), (10, 1), (19, 1), (20, 2), (199, 19), (200, 20), (500, 20)])
def test_a_tenth_of_the_clean_points_carries_a_spike_twenty_at_most(size: int, spikes: int) -> None:
    injection = inject(rows_of(quiet(size)))
    assert injection.counts.tolist() == [spikes]
    assert injection.spiked.sum() == spikes


def test_spikes_are_spread_one_to_a_stretch() -> None:
    assert [row // 15 for row in at_spikes(rows_of(quiet(300)))] == list(range(20))
    assert [row // 10 for row in at_spikes(rows_of(quiet(50)))] == list(range(5))


def test_spikes_stand_on_clean_points_only() -> None:
    resid: list[float | None] = [0.1] * 60
    resid[5] = None
    frame = decomposed(resid, flagged=[10, 11], unseen=[20, 21])
    injection = inject(rows_of(frame, train_end=40))
    assert np.flatnonzero(~injection.clean).tolist() == [5, 10, 11, 20, 21, *range(40, 60)]
    assert injection.counts.tolist() == [3]
    assert (injection.clean | ~injection.spiked).all()


def test_a_spike_goes_up_or_down_by_the_size() -> None:
    frame = quiet(400, level=7.0)
    rows, injection = rows_of(frame), inject(rows_of(frame))
    change = injection.rows.y - rows.y
    assert set(np.round(change[injection.spiked], 12).tolist()) == {-3.0, 3.0}
    assert not change[~injection.spiked].any()
    np.testing.assert_allclose(injection.rows.resid - rows.resid, change, rtol=0, atol=1e-12)


def test_a_spike_beyond_the_limits_is_flagged() -> None:
    # Size 1.5 · 2 = 3 on ±0.5: 2.5 at least, beyond 2. An anomaly that was there stays one.
    injection = inject(rows_of(quiet(60)))
    assert injection.rows.flagged.tolist() == injection.spiked.tolist()
    injection = inject(rows_of(quiet(60, flagged=[30]), train_end=30))
    assert injection.rows.flagged.tolist() == (injection.spiked | (np.arange(60) == 30)).tolist()


def test_a_spike_on_the_limits_is_not_flagged() -> None:
    # The own anomaly has size 2, as far as the limits.
    frame = decomposed([2.0, *[0.0] * 40], flagged=[0])
    injection = inject(rows_of(frame))
    assert injection.spiked.sum() == 4
    assert injection.rows.flagged.sum() == 1


def test_spikes_and_signs_depend_on_the_name_alone() -> None:
    first, second = inject(rows_of(quiet(400, name="a"))), inject(rows_of(quiet(400, name="b")))
    assert first.spiked.tolist() != second.spiked.tolist()
    raised = inject(rows_of(quiet(400, name="a", level=1000.0)))
    assert first.spiked.tolist() == raised.spiked.tolist()
    assert (first.rows.resid > 0).tolist() == (raised.rows.resid > 0).tolist()


def test_hand_worked_places_and_signs() -> None:
    # The generator of "a" draws 20 places, then 20 signs: below 0.5 is down. 40 clean points are 4 stretches of 10.
    draws = np.random.default_rng(3405396810240292928).random((2, 20))
    injection = inject(rows_of(quiet(40)))
    wanted = [10 * stretch + int(draws[0, stretch] * 10) for stretch in range(4)]
    assert np.flatnonzero(injection.spiked).tolist() == wanted
    signs = [-1.0 if draw < 0.5 else 1.0 for draw in draws[1, :4]]
    before = quiet(40)["resid"].to_numpy()[wanted]
    np.testing.assert_allclose(injection.rows.resid[wanted] - before, 3.0 * np.array(signs), atol=1e-12)


def test_hand_worked_score_of_clip() -> None:
    # Remainders 0, limits ±2, own size 1.5 · 2 = 3: clipped to ±2, so each is missed by 2. Nothing beside changes.
    table = score(rows_of(decomposed([0.0] * 50, level=5.0)), "clip", Clip())
    assert table.schema == pl.Schema(SCORES)
    assert table.rows() == [("a", "clip", 5, 3.0, 2.0, 0.0, 1 / 50)]


def test_hand_worked_score_of_the_mean() -> None:
    # A constant is its mean: spikes are recovered whole. Two of 52 observed points are flagged.
    frame = decomposed([0.0] * 50 + [8.0, -8.0, 0.0], level=5.0, flagged=[50, 51], unseen=[52])
    assert score(rows_of(frame), "seasonal_mean", SeasonalMean()).rows() == [
        ("a", "seasonal_mean", 5, 8.0, 0.0, 0.0, 2 / 52)
    ]


def test_hand_worked_score_of_smoothing() -> None:
    # One spike of 8 at row r of ten clean points, then the anomaly of 8. α = 0.5 and y = 0 elsewhere: the spike is
    # missed by 8·0.5, the k-th point after it by 8·0.5^(k + 1); nine points beside it.
    rows = rows_of(decomposed([*[0.0] * 10, 8.0], flagged=[10]))
    [spike] = at_spikes(rows)
    assert spike > 0
    after = sum(8 * 0.5 ** (k + 1) for k in range(1, 10 - spike))
    [row] = score(rows, "ema", Ema(0.5)).rows()
    assert row == ("a", "ema", 1, 8.0, 4.0, pytest.approx(after / 9, abs=1e-15), 1 / 11)


def test_a_spike_inside_the_limits_counts_with_its_whole_error() -> None:
    # Size 1 within ±2: nothing is flagged, and every strategy for flagged points misses by 1.
    rows = rows_of(decomposed([1.0, *[0.0] * 40], flagged=[0]))
    for name in ("clip", "ema_flagged", "seasonal_mean"):
        [row] = score(rows, name, replacement(name, 0.3)).rows()
        assert row[4] == 1.0


def test_smoothing_pays_for_the_points_beside_the_spikes() -> None:
    rng = np.random.default_rng(5)
    frame = decomposed([9.0, *rng.normal(size=300).clip(-1.9, 1.9)], flagged=[0])
    flagged, whole = (score(rows_of(frame), n, way) for n, way in (("f", EmaFlagged(0.3)), ("w", Ema(0.3))))
    assert flagged["collateral"].to_list() == [0.0]
    assert whole["collateral"][0] > 0.5


def test_a_series_without_an_anomaly_to_fit_is_not_measured_smoothed() -> None:
    frame = pl.concat([quiet(50, flagged=[49], name="a"), quiet(50, flagged=[1], name="b")])
    table = score(rows_of(frame, train_end=40), "ema", Ema(0.3))
    assert table["injected"].to_list() == [4, 3]
    assert [table[name].is_null().to_list() for name in ("error", "collateral", "size")] == [
        [True, False],
        [True, False],
        [False, False],
    ]
    flagged = score(rows_of(frame, train_end=40), "ema_flagged", EmaFlagged(0.3))
    assert flagged["error"].null_count() == 0


def test_the_share_counts_the_training_part_one_point_at_least() -> None:
    frame = pl.concat([quiet(50, flagged=[2, 3, 45], unseen=[30], name="a"), quiet(50, flagged=[45], name="b")])
    table = score(rows_of(frame, train_end=40), "clip", Clip())
    assert table["share"].to_list() == [2 / 39, 1 / 40]


def test_a_series_too_short_or_without_width_has_no_score() -> None:
    frame = pl.concat([quiet(9, name="a"), quiet(30, name="b"), quiet(30, name="c")])
    table = pl.concat([limits("a", "b"), limits("c", low=0.0, high=0.0)])
    rows = Rows.of(frame, profile("a", "b", "c"), table)
    assert score(rows, "clip", Clip())["unique_id"].to_list() == ["b"]


@pytest.mark.parametrize("name", ORDER[1:])
def test_scores_do_not_change_with_what_comes_after_the_training_part(name: str) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=80).tolist()
    later = [*values[:60], *[1e6] * 20]
    way = replacement(name, 0.3)
    one, other = (
        score(rows_of(decomposed(each, flagged=[7, 31]), season=6, train_end=60), name, way) for each in (values, later)
    )
    assert one.height == 1
    assert one.equals(other)


@pytest.mark.parametrize("name", ORDER[1:])
def test_scores_do_not_depend_on_the_shard(name: str) -> None:
    rng = np.random.default_rng(3)
    parts = [decomposed(rng.normal(size=n).tolist(), flagged=[n // 2], name=i) for n, i in ((90, "a"), (41, "b"))]
    way = replacement(name, 0.3)
    alone = [score(rows_of(part, season=7), name, way) for part in parts]
    assert score(rows_of(pl.concat(parts), season=7), name, way).equals(pl.concat(alone))


def test_an_empty_shard_has_no_scores() -> None:
    table = score(rows_of(quiet(1).clear()), "clip", Clip())
    assert table.schema == pl.Schema(SCORES)
    assert table.is_empty()


def test_missing_values_do_not_count() -> None:
    frame = quiet(60, flagged=[58]).with_columns(
        pl.when(pl.int_range(pl.len()) % 7 != 3).then(name).alias(name) for name in ("y", "y_raw", "resid")
    )
    [row] = score(rows_of(frame), "ema", Ema(1.0)).rows()
    # α = 1 changes nothing: a spike is missed by its size, 0.5 as the own anomaly, and nothing beside it.
    assert row[3:6] == (0.5, 0.5, 0.0)
