import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.evaluation.backtest import score_shard
from sparkhu.evaluation.conformal import (
    SCHEMA,
    Calibration,
    borrow,
    calibrate_shard,
    calibration_entries,
    fewest,
    fewest_own,
    merge_pools,
    rank,
)
from sparkhu.evaluation.pools import BINS, LARGEST, SMALLEST, Pool
from sparkhu.models.base import Models
from sparkhu.models.candidates import candidates
from sparkhu.training.parts import CALIBRATE
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import MadeShard, laid_out, made_shard, profile_of, sequences_of, shard_of


def naive(made: MadeShard) -> Models:
    return {name: groups for name, groups in candidates(made.profile, {}).items() if groups}


def calibrated(made: MadeShard) -> Calibration:
    return calibrate_shard(assemble(*made), models=naive(made))


def intervals_of(made: MadeShard) -> pl.DataFrame:
    calibration = calibrated(made)
    return borrow(calibration.table, merge_pools([calibration]))


def last_value_residuals(made: MadeShard, code: int, step: int) -> list[float]:
    shard = laid_out(*made)
    starts = shard.table.filter(part=CALIBRATE, code=code)["start"].to_numpy()
    found = np.abs(shard.truth[starts + 3 + step] - shard.inputs[starts + 3])
    return sorted(found[~np.isnan(found)].tolist())


@pytest.mark.parametrize(
    ("level", "count", "times", "wanted"),
    [(80, 4, 1, 4), (80, 5, 1, 5), (80, 9, 1, 8), (95, 20, 1, 20), (80, 25, 2, 22), (95, 100, 2, 97), (95, 20, 5, 20)],
)
def test_the_rank_is_the_finite_sample_one(level: int, count: int, times: int, wanted: int) -> None:
    # ⌈(n + k)(1 − α)⌉ in whole numbers, at most n: ⌈6 · 0.8⌉ = 5, ⌈21 · 0.95⌉ = 20, ⌈27 · 0.8⌉ = 22, ⌈102 · 0.95⌉ = 97.
    assert rank(np.array([count]), level, times).tolist() == [wanted]


def scale_by_hand(made: MadeShard, code: int) -> float:
    """The mean absolute error of the last value, H = 2, over the last four windows before those that calibrate."""
    shard = laid_out(*made)
    rows = shard.table.filter(code=code)
    first = rows.filter(part=CALIBRATE)["start"].min()
    starts = [start for start in rows["start"] if start + 2 <= first][-4:]
    return float(np.mean([abs(shard.truth[s + 4 + step] - shard.inputs[s + 3]) for s in starts for step in (0, 1)]))


def test_a_coverage_takes_one_over_alpha_residuals_and_an_own_one_five_times_as_many() -> None:
    assert (fewest(80), fewest(95)) == (5, 20)
    assert (fewest_own(80), fewest_own(95)) == (25, 100)


def test_half_widths_are_order_statistics_of_each_series_and_step() -> None:
    made = made_shard("a", "b", n=700, borders=(100, 560, 700))
    table = intervals_of(made).filter(model="last_value")
    for code, name in enumerate("ab"):
        for step in (1, 2):
            own = last_value_residuals(made, code, step)
            row = table.filter(unique_id=name, step=step).row(0, named=True)
            assert row["residuals"] == len(own) == 229
            # n = 229: ⌈231 · 0.8⌉ = 185th, ⌈231 · 0.95⌉ = 220th smallest.
            assert row["radius_80"] == own[184]
            assert row["radius_95"] == own[219]
            assert row["source_80"] == row["source_95"] == "series"


def test_unobserved_targets_give_no_residual() -> None:
    values = np.random.default_rng(1).normal(size=300)
    observed = values.copy()
    observed[200:205] = np.nan
    made = shard_of(sequences_of({"a": values}, {"a": observed}), profile_of(["a"], borders=(100, 220, 300)))
    row = intervals_of(made).filter(model="last_value", step=1).row(0, named=True)
    own = last_value_residuals(made, 0, 1)
    assert row["residuals"] == len(own) == 54
    # ⌈56 · 0.8⌉ = 45th smallest.
    assert row["radius_80"] == own[44]


def test_a_series_with_few_residuals_borrows_from_its_group_at_the_step() -> None:
    # Each series has 4 calibration windows, six series 24 residuals at each step.
    made = made_shard(*"abcdef", n=100)
    table = intervals_of(made).filter(model="last_value")
    assert table["residuals"].unique().to_list() == [4]
    assert table["source_80"].unique().to_list() == ["group at the step"]
    scales = [scale_by_hand(made, code) for code in range(6)]
    np.testing.assert_allclose(table.filter(step=1)["scale"], scales, rtol=1e-12)
    pooled = sorted(r / scales[code] for code in range(6) for r in last_value_residuals(made, code, 2))
    # ⌈29 · 0.8⌉ = 24th, and ⌈29 · 0.95⌉ = 28 is more than there are; a bin's upper end is at most 1.4 % above.
    for scale, row in zip(scales, table.filter(step=2).iter_rows(named=True), strict=True):
        assert pooled[23] * scale <= row["radius_80"] <= pooled[23] * scale * 1.0136
        assert pooled[23] * scale <= row["radius_95"] <= pooled[23] * scale * 1.0136


def test_a_small_group_borrows_over_steps_and_then_over_groups() -> None:
    # Three series: 12 residuals at a step, 24 over both. One series: 4 and 8, so 95 % comes from all groups.
    three, one = made_shard("a", "b", "c"), made_shard("d", seed=5)
    one = one._replace(profile=one.profile.with_columns(group=pl.lit("other")))
    calibrations = [calibrated(three), calibrated(one)]
    table = borrow(pl.concat([c.table for c in calibrations]), merge_pools(calibrations)).filter(model="last_value")
    first = table.filter(unique_id="a", step=1).row(0, named=True)
    assert (first["source_80"], first["source_95"]) == ("group at the step", "group")
    alone = table.filter(unique_id="d", step=1).row(0, named=True)
    assert (alone["source_80"], alone["source_95"]) == ("group", "all groups")


def test_without_residuals_there_is_no_interval() -> None:
    made = made_shard("a", borders=(70, 71, 100))
    table = intervals_of(made)
    assert table.height == 2 * 2
    assert table["residuals"].to_list() == [0] * 4
    for column in ("radius_80", "radius_95", "source_80", "source_95"):
        assert table[column].null_count() == 4


def long_and_short() -> MadeShard:
    """A series with enough residuals of its own, and one of five points."""
    rows = [sequences_of({"a": np.random.default_rng(2).normal(size=700)}), sequences_of({"b": np.arange(5.0)})]
    return shard_of(pl.concat(rows), profile_of(["a", "b"], borders=(100, 560, 700)))


def test_a_series_has_half_widths_of_its_own_from_five_residuals_beyond_them_on() -> None:
    # 52 hours of validation, H = 2: 25 calibrating windows, and 24 with 50.
    for valid, residuals, source in ((52, 25, "series"), (50, 24, "group at the step")):
        made = made_shard("a", n=200 + valid, borders=(100, 100 + valid, 200))
        row = intervals_of(made).filter(model="last_value", step=1).row(0, named=True)
        assert (row["residuals"], row["source_80"]) == (residuals, source)


def test_series_without_windows_are_in_the_table_and_take_the_usual_scale() -> None:
    made = long_and_short()
    table = intervals_of(made).filter(model="last_value")
    assert table.select("unique_id", "step", "residuals", "source_95").rows() == [
        ("a", 1, 229, "series"),
        ("a", 2, 229, "series"),
        ("b", 1, 0, "group at the step"),
        ("b", 2, 0, "group at the step"),
    ]
    # The only other scale is that of `a`, so `b` gets residuals of `a`, but for two roundings to bins: of the 229 of a
    # pool the ⌈234 · 0.8⌉ = 188th and the ⌈234 · 0.95⌉ = 223rd smallest.
    assert table["scale"].is_null().to_list() == [False, False, True, True]
    for column, place in (("radius_80", 187), ("radius_95", 222)):
        wanted = [last_value_residuals(made, 0, step)[place] for step in (1, 2)]
        np.testing.assert_allclose(table[column][2:], wanted, rtol=0.02)


def scale_over(made: MadeShard, starts: list[int]) -> float:
    """The scale of one noisy series, L = 1 and H = 3, had it been measured on these windows."""
    shard = laid_out(*made)
    return float(np.mean([abs(shard.truth[s + step] - shard.inputs[s]) for s in starts for step in (1, 2, 3)]))


def test_the_scale_is_of_the_last_windows_that_share_no_target_with_those_that_calibrate() -> None:
    # L = 1, H = 3, validation [20, 27): windows 19 and 20 choose, 22 and 23 calibrate, with targets 23..26. Window 20
    # has the target 23, and window 19 has 20..22: it is the last of six.
    values = np.random.default_rng(7).normal(size=30)
    made = shard_of(sequences_of({"a": values}), profile_of(["a"], borders=(20, 27, 30), sizes=(1, 3)))
    found = calibrated(made).table.filter(model="last_value")["scale"][0]
    assert found == pytest.approx(scale_over(made, [14, 15, 16, 17, 18, 19]), rel=1e-12)


def test_where_nothing_calibrates_no_target_of_the_test_part_is_in_the_scale() -> None:
    # Validation [20, 23) holds one window, 19, which chooses. Test windows begin at 22, so 19 is the last without their
    # targets. With no test part either, those that cross a border are left out: 17, 18, and all behind 19.
    values = np.random.default_rng(7).normal(size=30)
    for test_end, starts in ((30, [14, 15, 16, 17, 18, 19]), (23, [12, 13, 14, 15, 16, 19])):
        made = shard_of(sequences_of({"a": values}), profile_of(["a"], borders=(20, 23, test_end), sizes=(1, 3)))
        found = calibrated(made).table.filter(model="last_value")["scale"][0]
        assert found == pytest.approx(scale_over(made, starts), rel=1e-12)


def test_a_series_without_error_to_speak_of_has_no_scale() -> None:
    values = np.random.default_rng(4).normal(size=100)
    quiet = np.where(np.arange(100) < 50, values, values[49])
    made = shard_of(sequences_of({"a": values, "b": quiet}), profile_of(["a", "b"]))
    table = calibrated(made).table.filter(model="last_value", step=1)
    assert table["scale"].is_null().to_list() == [False, True]
    assert calibrated(made).pools["1h/3", "last_value"].scores.sum() == 8


def test_a_borrowed_interval_is_as_wide_as_the_series_is_hard_to_forecast() -> None:
    # One season and noise of 1/16 to 4 of its size; 17 calibrating windows a series, all on borrowed intervals.
    random = np.random.default_rng(11)
    season = np.sin(2 * np.pi * np.arange(900) / 24)
    noise = {f"s{i:02d}": 2.0 ** (i % 7 - 4) for i in range(21)}
    rows = sequences_of({name: season + random.normal(0, size, 900) for name, size in noise.items()})
    profile = profile_of(list(noise), borders=(500, 596, 900), sizes=(48, 48), season=24, group="1h/24")
    made = shard_of(rows, profile)
    intervals = intervals_of(made)
    assert set(intervals["source_80"].to_list()) == {"group at the step"}
    scores = score_shard(assemble(*made), models=naive(made), intervals=intervals).filter(model="seasonal_naive")
    for level, near in ((80, 0.06), (95, 0.03)):
        coverage = (scores[f"inside_{level}"] / scores[f"interval_points_{level}"]).to_numpy()
        assert np.abs(coverage - level / 100).mean() < near
        # Over twelve seeds 80 % has 0.822 on average, with a deviation of 0.015: ranks of pools lean to the wide side.
        assert -0.01 < coverage.mean() - level / 100 < 0.035


def test_the_wider_coverage_is_never_narrower() -> None:
    # 80 % of its own residuals, 95 % of a pool of smaller ones.
    scores = np.zeros((1, BINS), np.int64)
    scores[0, 500] = 100
    scales = np.bincount([1000], minlength=BINS)
    row = {"unique_id": "a", "group": "g", "model": "m", "step": 1, "scale": 1.0, "residuals": 60, "radius_80": 5.0}
    table = borrow(pl.DataFrame([row], schema=SCHEMA), {("g", "m"): Pool(scores, scales)})
    assert table.select("source_80", "source_95", "radius_80", "radius_95").row(0) == (
        "series",
        "group at the step",
        5.0,
        5.0,
    )


@given(st.permutations("abcd"))
def test_the_order_of_the_shards_does_not_matter(order: list[str]) -> None:
    made = made_shard(*"abcd")
    parts = {name: calibrated(MadeShard(*(frame.filter(unique_id=name) for frame in made))) for name in "abcd"}
    pools = merge_pools([parts[name] for name in order])
    whole = calibrated(made)
    for key, counts in whole.pools.items():
        np.testing.assert_array_equal(pools[key].scores, counts.scores)
        np.testing.assert_array_equal(pools[key].scales, counts.scales)
    assert (
        borrow(pl.concat([parts[name].table for name in "abcd"]), pools)
        .sort("unique_id", "model", "step")
        .equals(borrow(whole.table, whole.pools))
    )


def lent(small: int, large: int, elsewhere: int = 0, scale: float | None = 1.0) -> dict[str, object]:
    """What a series borrows from a pool of scores in the first and in the last bin, and from another group's."""
    counts = {"g": np.zeros((1, BINS), np.int64), "h": np.zeros((1, BINS), np.int64)}
    counts["g"][0, [0, -1]] = small, large
    counts["h"][0, 0] = elsewhere
    row = {"unique_id": "a", "group": "g", "model": "m", "step": 1, "scale": scale, "residuals": 0}
    table = pl.DataFrame([row], schema=SCHEMA)
    scales = {"g": np.zeros(BINS, np.int64), "h": np.bincount([BINS // 2], minlength=BINS)}
    pools = {(group, "m"): Pool(pool, scales[group]) for group, pool in counts.items()}
    return borrow(table, pools).select("radius_80", "radius_95", "source_80", "source_95").row(0, named=True)


def test_a_series_of_a_group_without_scales_takes_the_mean_of_all_groups() -> None:
    # The only scale lies in bin 1024 of 2048, whose middle is 10^(12 · (1024.5 / 2048) − 6) = 1.00677.
    first = SMALLEST * (LARGEST / SMALLEST) ** (1 / BINS)
    assert lent(30, 0)["radius_80"] == first
    assert lent(30, 0, scale=None)["radius_80"] == pytest.approx(first * 1.00677, rel=1e-5)


def test_a_rank_in_the_open_last_bin_gives_no_interval() -> None:
    # 30 residuals: ⌈35 · 0.8⌉ = 28th, and as ⌈35 · 0.95⌉ = 34 is more than there are, the largest.
    first = SMALLEST * (LARGEST / SMALLEST) ** (1 / BINS)
    at_step = "group at the step"
    both = {"radius_80": first, "radius_95": first, "source_80": at_step, "source_95": at_step}
    nothing = dict.fromkeys(both)
    assert lent(30, 0) == both
    assert lent(29, 1) == both | {"radius_95": None, "source_95": None}
    assert lent(28, 2) == both | {"radius_95": None, "source_95": None}
    assert lent(27, 3) == nothing
    # Another group's small residuals do not stand in for it, not even where 95 % would be borrowed from there:
    # 9 residuals, the largest; 109 of all groups, ⌈114 · 0.95⌉ = 109th.
    assert lent(7, 2, elsewhere=100) == nothing
    assert lent(24, 6, elsewhere=1000) == nothing


def test_coverage_on_new_exchangeable_data_is_what_was_asked_for() -> None:
    # 40 series of white noise; last value of noise has errors of one law, so coverage must lie near 80 and 95 %. Each
    # has 109 residuals of its own.
    random = np.random.default_rng(9)
    names = [f"s{i:02d}" for i in range(40)]
    rows = sequences_of({name: random.normal(size=540) for name in names})
    made = shard_of(rows, profile_of(names, borders=(100, 320, 540)))
    table = intervals_of(made).filter(model="last_value", step=1)
    shard = laid_out(*made)
    test = shard.table.filter(part="test")
    errors = np.abs(shard.truth[test["start"].to_numpy() + 4] - shard.inputs[test["start"].to_numpy() + 3])
    for level in (80, 95):
        radius = table.sort("unique_id")[f"radius_{level}"].to_numpy()[test["code"].to_numpy()]
        assert np.mean(errors <= radius) == pytest.approx(level / 100, abs=0.015)


def test_the_ledger_says_who_borrowed_from_whom() -> None:
    table = intervals_of(long_and_short())
    entries = calibration_entries(table, model="last_value")
    assert entries.select("unique_id", "status", "reason").rows() == [
        ("a", "ok", None),
        ("b", "ok", "0 residuals of its own, an interval of 95 % needs 100: borrowed from group at the step"),
    ]
    assert [json.loads(text) for text in entries["counts"]] == [{"residuals": 229}, {"residuals": 0}]
    nothing = calibration_entries(intervals_of(made_shard("a", borders=(70, 71, 100))), model="last_value")
    assert nothing["reason"].to_list() == ["0 residuals of its own, an interval of 95 % needs 100: no interval"]


def test_an_empty_shard_calibrates_nothing() -> None:
    made = made_shard("a")
    calibration = calibrate_shard(assemble(*(frame.clear() for frame in made)), models=naive(made))
    assert calibration.table.is_empty()
    assert borrow(calibration.table, {}).is_empty()
    assert calibration_entries(borrow(calibration.table, {}), model="linear").is_empty()
