import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.evaluation.conformal import (
    BINS,
    LARGEST,
    SCHEMA,
    SMALLEST,
    Calibration,
    borrow,
    calibrate_shard,
    calibration_entries,
    fewest,
    merge_pools,
    rank,
)
from sparkhu.models.base import Models
from sparkhu.models.candidates import candidates
from sparkhu.training.parts import CALIBRATE, assemble
from tests.sparkhu.made_shard import MadeShard, made_shard, profile_of, sequences_of, shard_of


def naive(made: MadeShard) -> Models:
    return {name: groups for name, groups in candidates(made.profile, {}).items() if groups}


def calibrated(made: MadeShard) -> Calibration:
    return calibrate_shard(*made, models=naive(made))


def intervals_of(made: MadeShard) -> pl.DataFrame:
    calibration = calibrated(made)
    return borrow(calibration.table, merge_pools([calibration]))


def last_value_residuals(made: MadeShard, code: int, step: int) -> list[float]:
    shard = assemble(*made)
    starts = shard.table.filter(part=CALIBRATE, code=code)["start"].to_numpy()
    found = np.abs(shard.truth[starts + 3 + step] - shard.inputs[starts + 3])
    return sorted(found[~np.isnan(found)].tolist())


@pytest.mark.parametrize(("level", "count", "wanted"), [(80, 4, 4), (80, 5, 5), (80, 9, 8), (95, 19, 19), (95, 20, 20)])
def test_the_rank_is_the_finite_sample_one(level: int, count: int, wanted: int) -> None:
    # ⌈(n + 1)(1 − α)⌉ in whole numbers: ⌈6 · 0.8⌉ = 5, ⌈10 · 0.8⌉ = 8, ⌈21 · 0.95⌉ = 20.
    assert rank(np.array([count]), level).tolist() == [wanted]


def test_a_coverage_takes_one_over_alpha_residuals() -> None:
    assert (fewest(80), fewest(95)) == (5, 20)


def test_half_widths_are_order_statistics_of_each_series_and_step() -> None:
    made = made_shard("a", "b", n=200, borders=(100, 160, 200))
    table = intervals_of(made).filter(model="last_value")
    for code, name in enumerate("ab"):
        for step in (1, 2):
            own = last_value_residuals(made, code, step)
            row = table.filter(unique_id=name, step=step).row(0, named=True)
            assert row["residuals"] == len(own) == 29
            # n = 29: ⌈30 · 0.8⌉ = 24th, ⌈30 · 0.95⌉ = 29th smallest.
            assert row["radius_80"] == own[23]
            assert row["radius_95"] == own[28]
            assert row["source_80"] == row["source_95"] == "series"


def test_unobserved_targets_give_no_residual() -> None:
    values = np.random.default_rng(1).normal(size=200)
    observed = values.copy()
    observed[150:155] = np.nan
    made = shard_of(sequences_of({"a": values}, {"a": observed}), profile_of(["a"], borders=(100, 160, 200)))
    row = intervals_of(made).filter(model="last_value", step=1).row(0, named=True)
    own = last_value_residuals(made, 0, 1)
    assert row["residuals"] == len(own) == 24
    assert row["radius_80"] == own[19]


def test_a_series_with_few_residuals_borrows_from_its_group_at_the_step() -> None:
    # Each series has 4 calibration windows, six series 24 residuals at each step.
    made = made_shard(*"abcdef", n=100)
    table = intervals_of(made).filter(model="last_value")
    assert table["residuals"].unique().to_list() == [4]
    assert table["source_80"].unique().to_list() == ["group at the step"]
    pooled = sorted(r for code in range(6) for r in last_value_residuals(made, code, 2))
    row = table.filter(step=2).row(0, named=True)
    # ⌈25 · 0.8⌉ = 20th, ⌈25 · 0.95⌉ = 24th; a bin's upper end is at most 1.4 % above.
    assert pooled[19] <= row["radius_80"] <= pooled[19] * 1.0136
    assert pooled[23] <= row["radius_95"] <= pooled[23] * 1.0136


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


def test_series_without_windows_are_in_the_table() -> None:
    rows = pl.concat(
        [sequences_of({"a": np.random.default_rng(2).normal(size=200)}), sequences_of({"b": np.arange(5.0)})]
    )
    made = shard_of(rows, profile_of(["a", "b"], borders=(100, 160, 200)))
    table = intervals_of(made).filter(model="last_value")
    assert table.select("unique_id", "step", "residuals", "source_95").rows() == [
        ("a", 1, 29, "series"),
        ("a", 2, 29, "series"),
        ("b", 1, 0, "group at the step"),
        ("b", 2, 0, "group at the step"),
    ]


def test_the_wider_coverage_is_never_narrower() -> None:
    # Ten residuals of its own are enough for 80 % but not for 95 %; the pool is of quieter series.
    loud = np.random.default_rng(3).normal(size=100)
    loud[70:] *= 50
    quiet = {name: np.random.default_rng(i).normal(size=100) for i, name in enumerate("bcdefg")}
    made = shard_of(sequences_of({"a": loud, **quiet}), profile_of(list("abcdefg"), borders=(70, 92, 100)))
    table = intervals_of(made).filter(unique_id="a")
    assert (table["source_80"] == "series").all()
    assert (table["source_95"] == "group at the step").all()
    assert (table["radius_95"] >= table["radius_80"]).all()


@given(st.permutations("abcd"))
def test_the_order_of_the_shards_does_not_matter(order: list[str]) -> None:
    made = made_shard(*"abcd")
    parts = {name: calibrated(MadeShard(*(frame.filter(unique_id=name) for frame in made))) for name in "abcd"}
    pools = merge_pools([parts[name] for name in order])
    whole = calibrated(made)
    for key, counts in whole.pools.items():
        np.testing.assert_array_equal(pools[key], counts)
    assert (
        borrow(pl.concat([parts[name].table for name in "abcd"]), pools)
        .sort("unique_id", "model", "step")
        .equals(borrow(whole.table, whole.pools))
    )


def test_residuals_beyond_the_bins_go_into_the_outermost() -> None:
    values = np.zeros(100)
    values[:70:2] = 1.0
    values[76:] = 10.0 ** np.arange(24)
    made = shard_of(sequences_of({"a": values}), profile_of(["a"]))
    counts = calibrated(made).pools["1h/3", "last_value"]
    assert counts.shape == (2, BINS)
    assert counts.sum() == 8
    assert counts[:, 0].sum() >= 1


def lent(small: int, large: int, elsewhere: int = 0) -> dict[str, object]:
    """What a series borrows from a pool of residuals in the first and in the last bin, and from another group's."""
    counts = {"g": np.zeros((1, BINS), np.int64), "h": np.zeros((1, BINS), np.int64)}
    counts["g"][0, [0, -1]] = small, large
    counts["h"][0, 0] = elsewhere
    row = {"unique_id": "a", "group": "g", "model": "m", "step": 1, "residuals": 0}
    table = pl.DataFrame([row], schema=SCHEMA)
    pools = {(group, "m"): pool for group, pool in counts.items()}
    return borrow(table, pools).select("radius_80", "radius_95", "source_80", "source_95").row(0, named=True)


def test_a_rank_in_the_open_last_bin_gives_no_interval() -> None:
    # 30 residuals: ⌈31 · 0.8⌉ = 25th, ⌈31 · 0.95⌉ = 30th smallest.
    first = SMALLEST * (LARGEST / SMALLEST) ** (1 / BINS)
    at_step = "group at the step"
    both = {"radius_80": first, "radius_95": first, "source_80": at_step, "source_95": at_step}
    nothing = dict.fromkeys(both)
    assert lent(30, 0) == both
    assert lent(29, 1) == both | {"radius_95": None, "source_95": None}
    assert lent(25, 5) == both | {"radius_95": None, "source_95": None}
    assert lent(24, 6) == nothing
    # Another group's small residuals do not stand in for it, not even where 95 % would be borrowed from there:
    # 9 residuals, ⌈10 · 0.8⌉ = 8th; 109 of all groups, ⌈110 · 0.95⌉ = 105th.
    assert lent(7, 2, elsewhere=100) == nothing
    assert lent(24, 6, elsewhere=1000) == nothing


def test_the_last_bin_begins_at_986600() -> None:
    begin = SMALLEST * (LARGEST / SMALLEST) ** ((BINS - 1) / BINS)
    assert begin == pytest.approx(986_600, abs=50)


def test_coverage_on_new_exchangeable_data_is_what_was_asked_for() -> None:
    # 40 series of white noise; last value of noise has errors of one law, so coverage must lie near 80 and 95 %.
    random = np.random.default_rng(9)
    names = [f"s{i:02d}" for i in range(40)]
    rows = sequences_of({name: random.normal(size=500) for name in names})
    made = shard_of(rows, profile_of(names, borders=(100, 300, 500)))
    table = intervals_of(made).filter(model="last_value", step=1)
    shard = assemble(*made)
    test = shard.table.filter(part="test")
    errors = np.abs(shard.truth[test["start"].to_numpy() + 4] - shard.inputs[test["start"].to_numpy() + 3])
    for level in (80, 95):
        radius = table.sort("unique_id")[f"radius_{level}"].to_numpy()[test["code"].to_numpy()]
        assert np.mean(errors <= radius) == pytest.approx(level / 100, abs=0.015)


def test_the_ledger_says_who_borrowed_from_whom() -> None:
    rows = pl.concat(
        [sequences_of({"a": np.random.default_rng(2).normal(size=200)}), sequences_of({"b": np.arange(5.0)})]
    )
    table = intervals_of(shard_of(rows, profile_of(["a", "b"], borders=(100, 160, 200))))
    entries = calibration_entries(table, model="last_value")
    assert entries.select("unique_id", "status", "reason").rows() == [
        ("a", "ok", None),
        ("b", "ok", "0 residuals of its own, an interval of 95 % needs 20: borrowed from group at the step"),
    ]
    assert [json.loads(text) for text in entries["counts"]] == [{"residuals": 29}, {"residuals": 0}]
    nothing = calibration_entries(intervals_of(made_shard("a", borders=(70, 71, 100))), model="last_value")
    assert nothing["reason"].to_list() == ["0 residuals of its own, an interval of 95 % needs 20: no interval"]


def test_an_empty_shard_calibrates_nothing() -> None:
    made = made_shard("a")
    calibration = calibrate_shard(*(frame.clear() for frame in made), models=naive(made))
    assert calibration.table.is_empty()
    assert borrow(calibration.table, {}).is_empty()
    assert calibration_entries(borrow(calibration.table, {}), model="linear").is_empty()
