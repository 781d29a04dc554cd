"""Description against pandas and scipy; quartiles of the training part; empty and constant series."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.categories import CATEGORIES
from sparkhu.steps.description import (
    check_description,
    describe,
    describe_dynamics,
    describe_values,
)
from sparkhu.steps.dynamics import acf_peaks, adf_p_value, kpss_p_value, strengths
from sparkhu.steps.training_quartiles import fit_quartiles

UNFITTED = ": no quartiles are fitted, and no outliers found by them"
START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COLUMNS = ("unique_id", "n", "sample_start", "sample_end", "min", "max", "mean", "median", "q1", "q3", "std")
COLUMNS += ("skewness", "kurtosis", "share_missing", "share_zero", "cv", "mode")
COLUMNS += ("adf_p", "kpss_p", "acf_peaks", "seasonal_strength", "trend_strength", "fit_q1", "fit_q3", "fit_until")
COLUMNS += ("fit_points", "fit_level")


def series(values: Any, name: str = "a", step: timedelta = HOUR) -> pl.DataFrame:
    times = [START + step * i for i in range(len(values))]
    columns = {"unique_id": [name] * len(times), "ds": times, "y": list(values)}
    return pl.DataFrame(columns, schema={"unique_id": pl.String(), "ds": TIME, "y": pl.Float64()})


def described(values: Any) -> dict[str, Any]:
    return describe_values(series(values)).row(0, named=True)


def test_a_hand_worked_series() -> None:
    # Observed 0, 1, 1, 2, 6 (one null): mean 2; Σ(x − 2)² = 4 + 1 + 1 + 0 + 16 = 22, std √(22/4); Q1 1, Q3 2.
    # Third moment: Σ(x − 2)³ = −8 − 1 − 1 + 0 + 64 = 54; G1 = √(5·4)/3 · (54/5)/(22/5)^1.5.
    # Fourth: 16 + 1 + 1 + 0 + 256 = 274; g2 = (274/5)/(22/5)² − 3; G2 = 4/(3·2) · (6·g2 + 6).
    found = described([0.0, 1.0, None, 1.0, 2.0, 6.0])
    assert found["n"] == 5
    assert (found["min"], found["max"], found["mean"], found["median"]) == (0.0, 6.0, 2.0, 1.0)
    assert (found["q1"], found["q3"], found["mode"]) == (1.0, 2.0, 1.0)
    assert found["std"] == pytest.approx((22 / 4) ** 0.5)
    assert found["cv"] == pytest.approx((22 / 4) ** 0.5 / 2)
    assert found["skewness"] == pytest.approx(20**0.5 / 3 * (54 / 5) / (22 / 5) ** 1.5)
    assert found["kurtosis"] == pytest.approx(4 / 6 * (6 * ((274 / 5) / (22 / 5) ** 2 - 3) + 6))
    assert (found["share_missing"], found["share_zero"]) == (pytest.approx(1 / 6), pytest.approx(1 / 5))
    assert (found["sample_start"], found["sample_end"]) == (START, START + 5 * HOUR)


def test_a_hand_worked_constant_series_and_an_empty_one() -> None:
    # Four rows, one null: 2, 2, 2. Every quantile is 2, std 0, cv 0 / 2 = 0, a quarter missing, none zero; a constant
    # has no shape, no unit root, no autocorrelation and no strengths. Of nothing everything is null, but the counts.
    frame = pl.concat([series([2.0, None, 2.0, 2.0], "a"), series([None, None], "b")])
    rows = describe(frame).frames["stats"].drop("fit_until", "sample_start", "sample_end").rows(named=True)
    same = dict.fromkeys(("min", "max", "mean", "median", "q1", "q3", "mode", "fit_q1", "fit_q3", "fit_level"), 2.0)
    nothing = ("skewness", "kurtosis", "adf_p", "kpss_p", "seasonal_strength", "trend_strength")
    wanted = same | dict.fromkeys(nothing) | {"n": 3, "std": 0.0, "cv": 0.0, "share_missing": 0.25, "share_zero": 0.0}
    assert {name: rows[0][name] for name in wanted} == wanted
    assert rows[0]["acf_peaks"] in (None, [])
    left = {name: value for name, value in rows[1].items() if value is not None}
    assert left == {"unique_id": "b", "n": 0, "share_missing": 1.0, "fit_points": 0}


def test_the_sample_runs_from_the_first_to_the_last_observed_value() -> None:
    found = described([None, 1.0, None, 2.0, None])
    assert (found["sample_start"], found["sample_end"], found["n"]) == (START + HOUR, START + 3 * HOUR, 2)


numbers = st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), st.integers(-3, 3).map(float))


@given(st.lists(numbers, min_size=1, max_size=60))
def test_statistics_are_those_of_pandas(values: list[float | None]) -> None:
    found, reference = described(values), pd.Series(values, dtype=float)
    observed = reference.dropna()
    expected = {"n": reference.count(), "min": reference.min(), "max": reference.max(), "mean": reference.mean()}
    expected |= {"median": observed.median() if len(observed) else None, "std": reference.std()}
    expected |= {
        "q1": reference.quantile(0.25),
        "q3": reference.quantile(0.75),
        "share_missing": reference.isna().mean(),
    }
    for name, value in expected.items():
        if pd.isna(value):
            assert found[name] is None, name
        else:
            # Both sum in their own order: a mean near 0, and a deviation of equal values, are rounding of the size of
            # the values, which the tolerance is therefore a share of.
            size = observed.abs().max()
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9 * size), name
    assert found["mode"] == (observed.mode()[0] if len(observed) else None)
    assert found["share_zero"] == (pytest.approx((observed == 0).mean()) if len(observed) else None)


@given(st.lists(st.integers(-1000, 1000), min_size=4, max_size=50).filter(lambda values: len(set(values)) > 1))
def test_skewness_kurtosis_and_cv_are_those_of_pandas_and_scipy(values: list[int]) -> None:
    found, reference = described([float(value) for value in values]), pd.Series(values, dtype=float)
    assert found["skewness"] == pytest.approx(reference.skew(), rel=1e-9, abs=1e-9)
    assert found["kurtosis"] == pytest.approx(reference.kurt(), rel=1e-9, abs=1e-9)
    if sum(values):
        assert found["cv"] == pytest.approx(scipy_stats.variation(reference, ddof=1))


def test_cv_is_null_at_mean_zero() -> None:
    assert described([-1.0, 1.0])["cv"] is None
    assert described([-3.0, 1.0])["cv"] == pytest.approx(8**0.5 / -1)


def test_short_series_have_the_moments_that_exist() -> None:
    one = described([5.0])
    assert (one["mean"], one["q1"], one["mode"], one["std"], one["cv"]) == (5.0, 5.0, 5.0, None, None)
    two, three, four = described([1.0, 2.0]), described([1.0, 2.0, 4.0]), described([1.0, 2.0, 4.0, 4.0])
    assert (two["skewness"], three["skewness"]) == (None, pytest.approx(pd.Series([1, 2, 4]).skew()))
    assert (three["kurtosis"], four["kurtosis"]) == (None, pytest.approx(pd.Series([1, 2, 4, 4]).kurt()))


def test_a_constant_series_has_neither_skewness_nor_kurtosis() -> None:
    found = described([0.1] * 40)
    assert (found["skewness"], found["kurtosis"]) == (None, None)
    assert (found["min"], found["max"], found["mode"]) == (0.1, 0.1, 0.1)
    assert found["std"] == pytest.approx(0.0, abs=1e-12)
    assert described([0.0] * 5)["cv"] is None


def test_an_empty_series_has_nulls() -> None:
    found = described([None, None])
    assert (found.pop("unique_id"), found.pop("n"), found.pop("share_missing")) == ("a", 0, 1.0)
    assert set(found.values()) == {None}


def test_moments_beyond_floating_point_are_null_not_infinite() -> None:
    found = described([1.7e308, -1.7e308])
    assert (found["std"], found["skewness"], found["max"]) == (None, None, 1.7e308)


def test_moments_of_huge_values_are_those_of_others() -> None:
    found, near = described([1e300, -1e300, 3e300, 2e300]), described([1.0, -1.0, 3.0, 2.0])
    assert found["std"] == pytest.approx(near["std"] * 1e300, rel=1e-14)
    assert found["kurtosis"] == pytest.approx(near["kurtosis"], rel=1e-12)


def test_the_smallest_of_the_most_frequent_values_is_the_mode() -> None:
    assert described([3.0, 1.0, 3.0, 1.0, 2.0])["mode"] == 1.0
    assert described([9.0, 4.0, 7.0])["mode"] == 4.0


def test_dynamics_look_at_the_latest_observed_points() -> None:
    values = np.random.default_rng(2).normal(size=120).cumsum()
    frame = series([*[None] * 3, *values, None])
    found = describe_dynamics(frame, points=100, season_length=6).row(0, named=True)
    latest = values[-100:]
    assert found["adf_p"] == adf_p_value(latest)
    assert found["kpss_p"] == kpss_p_value(latest)
    assert found["acf_peaks"] == acf_peaks(latest)
    assert (found["trend_strength"], found["seasonal_strength"]) == strengths(latest, 6)
    assert describe_dynamics(frame, points=120, season_length=6).row(0)[1] == adf_p_value(values)


def test_no_points_leave_dynamics_out() -> None:
    frame = pl.concat([series(np.arange(50.0) ** 2), series([None], "b")])
    found = describe_dynamics(frame, points=0)
    assert found.drop("unique_id").null_count().row(0) == (2,) * 5
    assert found["unique_id"].to_list() == ["a", "b"]
    assert found.schema == describe_dynamics(frame).schema


def test_series_side_by_side_keep_to_their_own_values() -> None:
    random = np.random.default_rng(4)
    parts = [series(random.normal(size=size), name) for name, size in (("a", 40), ("b", 5), ("c", 90))]
    together = describe_dynamics(pl.concat(parts), points=60)
    assert together.equals(pl.concat([describe_dynamics(part, points=60) for part in parts]))


@pytest.mark.parametrize(("step", "season"), [(HOUR, 24), (timedelta(days=1), 7), (timedelta(days=365), None)])
def test_the_season_comes_from_the_period_found(step: timedelta, season: int | None) -> None:
    values = np.random.default_rng(1).normal(size=100)
    found = describe_dynamics(series(values, step=step)).row(0, named=True)
    expected = strengths(values, season) if season else (None, None)
    assert (found["trend_strength"], found["seasonal_strength"]) == expected


def test_an_irregular_series_has_no_season_unless_one_is_given() -> None:
    frame = series(np.random.default_rng(1).normal(size=60))
    gaps = np.random.default_rng(6).exponential(3600, 60).cumsum()
    irregular = frame.with_columns(
        ds=START + pl.Series([timedelta(seconds=gap) for gap in gaps]).cast(pl.Duration("us"))
    )
    assert describe_dynamics(irregular)["seasonal_strength"][0] is None
    assert describe_dynamics(irregular, season_length=5)["seasonal_strength"][0] is not None


def test_the_season_is_that_of_the_zone_the_run_is_in() -> None:
    # Business days at midnight in Seoul stand on Sunday to Thursday 15:00 in UTC, where they are no business days.
    days = [START + timedelta(days=day, hours=-9) for day in range(300) if (START + timedelta(days=day)).weekday() < 5]
    values = np.tile([0.0, 1.0, 5.0, 2.0, 1.0], 60)[: len(days)] + np.random.default_rng(1).normal(size=len(days)) / 10
    frame = series(values).with_columns(ds=pl.Series(days).cast(TIME))
    wanted = strengths(values, 5)
    assert wanted.seasonal is not None
    assert wanted.seasonal > 0.9
    for found in (describe_dynamics(frame, zone="Asia/Seoul"), describe(frame, zone="Asia/Seoul").frames["stats"]):
        assert found["seasonal_strength"].to_list() == [wanted.seasonal]


def test_the_season_is_that_of_the_period_that_is_stated() -> None:
    # Points that jitter by 10 minutes have no period of their own; hours have a day of 24, five minutes one of 288.
    random = np.random.default_rng(1)
    jitter = [timedelta(minutes=float(minutes)) for minutes in random.uniform(-20, 20, 96)]
    frame = series(random.normal(size=96))
    frame = frame.with_columns(ds=pl.Series([START + HOUR * i + off for i, off in enumerate(jitter)]).cast(TIME))
    assert describe_dynamics(frame)["seasonal_strength"].to_list() == [None]
    wanted = strengths(frame["y"].to_numpy(), 24)
    for found in (describe_dynamics(frame, period="1h"), describe(frame, period="1h").frames["stats"]):
        assert found["seasonal_strength"].to_list() == [wanted.seasonal]
    assert describe_dynamics(frame, period="5min")["seasonal_strength"].to_list() == [None]
    own = describe_dynamics(frame, period="1h", season_length=6)
    assert own["seasonal_strength"].to_list() == [strengths(frame["y"].to_numpy(), 6).seasonal]


def test_a_sample_interval_without_a_value_is_named() -> None:
    frame = pl.concat([series(np.arange(10.0)), series([None], "b")])
    result = describe(frame, sample_start="2025-01-01")
    assert result.frames["stats"]["fit_q1"].to_list() == [None, None]
    interval = "the interval from sample_start 2025-01-01 to sample_end none: the end of training"
    assert result.ledger.select("status", "reason").rows() == [
        ("ok", f"no observed value in {interval}{UNFITTED}"),
        ("skipped", "no observed value"),
    ]
    assert result.counts == {"without_quartiles": 1}
    assert describe(frame, sample_end="2024-01-01T02:00").counts == {"without_quartiles": 0}
    early = describe(frame, sample_end="2023-01-01").ledger["reason"][0]
    assert early == f"no observed value in the interval from sample_start none to sample_end 2023-01-01{UNFITTED}"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"points": -1}, "^points must be a number of points, or 0 for none, got -1$"),
        ({"season_length": -4}, "^season_length must be a number of points, or 0 for the calendar's, got -4$"),
        ({"zone": "Mars"}, "zone must be an IANA time zone"),
        ({"period": "soon"}, "period"),
    ],
)
def test_dynamics_name_a_parameter_that_cannot_be_used(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        describe_dynamics(series([1.0, 2.0]), **parameters)


def test_quartiles_are_fitted_on_the_training_part_alone() -> None:
    # Shares 0.5/0.2/0.3 of 10 rows: training is 0, 1, 2, 3, 100: Q1 1, Q3 3, until the sixth row.
    frame = series([0.0, 1.0, 2.0, 3.0, 100.0, -50.0, 700.0, 800.0, 900.0, 1e9])
    found = fit_quartiles(frame, split="0.5/0.2/0.3", start=None, end=None).row(0)
    assert found == ("a", 1.0, 3.0, START + 5 * HOUR, 5, 2.0)
    later = frame.with_columns(y=pl.when(pl.col("ds") >= START + 5 * HOUR).then(pl.col("y") * -3).otherwise("y"))
    assert fit_quartiles(later, split="0.5/0.2/0.3", start=None, end=None).row(0) == found


def test_the_level_is_the_median_of_the_newest_tenth_and_of_five_values_at_least() -> None:
    # 120 rows, half of them in training: the newest six of 0 … 59 are 54 … 59, with the median 56.5.
    frame = series([float(number) for number in range(120)])
    assert fit_quartiles(frame, split="0.5/0.2/0.3", start=None, end=None).select("fit_points", "fit_level").row(0) == (
        60,
        56.5,
    )
    # 20 rows: a tenth of ten is one, five are taken: 5 … 9.
    few = fit_quartiles(frame.head(20), split="0.5/0.2/0.3", start=None, end=None)
    assert few.select("fit_points", "fit_level").row(0) == (10, 7.0)


def test_quartiles_are_fitted_on_a_sample_interval_that_is_half_open() -> None:
    frame = series([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    fitted = fit_quartiles(frame, split="0.5/0.2/0.3", start=START + 2 * HOUR, end=START + 7 * HOUR)
    assert fitted.row(0) == ("a", 3.0, 5.0, START + 7 * HOUR, 5, 4.0)
    fitted = fit_quartiles(frame, split="0.5/0.2/0.3", start=START + 2 * HOUR, end=None)
    assert fitted.row(0) == ("a", 2.5, 3.5, START + 5 * HOUR, 3, 3.0)
    fitted = fit_quartiles(frame, split="0.5/0.2/0.3", start=None, end=START - HOUR)
    assert fitted.row(0) == ("a", None, None, START - HOUR, 0, None)


def test_the_step_joins_all_columns_and_keeps_the_order_of_series() -> None:
    values = np.arange(30.0) % 7 + np.random.default_rng(5).normal(size=30)
    frame = pl.concat([series([None, None], "b"), series(values, "c"), series([4.0], "d")])
    result = describe(frame, split="0.5/0.2/0.3", stationarity_points=20, season_length=7)
    stats = result.frames["stats"]
    assert tuple(stats.columns) == COLUMNS
    assert result.frames["categories"].schema == CATEGORIES
    assert stats["unique_id"].to_list() == ["b", "c", "d"]
    assert stats["fit_q3"][1] == np.quantile(values[:15], 0.75)
    latest = values[-20:]
    assert stats["adf_p"][1] == adf_p_value(latest) != adf_p_value(values)
    assert stats["kpss_p"][1] == kpss_p_value(latest)
    assert stats["seasonal_strength"][1] == strengths(latest, 7).seasonal
    assert result.ledger.select("unique_id", "status", "reason").rows() == [
        ("b", "skipped", "no observed value"),
        ("c", "ok", None),
        ("d", "ok", f"no observed value in the training part{UNFITTED}"),
    ]
    assert result.counts == {"without_quartiles": 1}
    assert [json.loads(counts) for counts in result.ledger["counts"]] == [{"observed": n} for n in (0, 30, 1)]
    assert describe(frame.head(0)).frames["stats"].schema == stats.schema
    assert describe(frame.head(0)).ledger.height == 0


def test_the_step_counts_categories_and_further_columns_disturb_nothing() -> None:
    plain = series(np.arange(8.0))
    frame = plain.with_columns(train_end=pl.lit("early"), mean=pl.lit(2.0), n=pl.lit(1))
    result = describe(frame, stationarity_points=0)
    assert result.frames["categories"].rows() == [("a", "train_end", "early", 8, 1.0)]
    assert result.frames["stats"].equals(describe(plain, stationarity_points=0).frames["stats"])


def test_the_sample_interval_of_the_step_is_read_in_its_zone() -> None:
    frame = series(np.arange(10.0))
    parameters = {"sample_start": "2024-01-01T03:00", "sample_end": "2024-01-01T07:00", "zone": "Europe/Berlin"}
    stats = describe(frame, stationarity_points=0, **parameters).frames["stats"]
    # Hours 2 to 5 in UTC: Q1 2.75, Q3 4.25; the training part would go on to hour 7.
    assert stats.select("fit_q1", "fit_q3", "fit_until").row(0) == (2.75, 4.25, START + 6 * HOUR)


def test_defaults_use_seven_tenths_and_the_latest_thousand_points() -> None:
    values = np.random.default_rng(0).normal(size=1100).cumsum()
    stats = describe(series(values)).frames["stats"].row(0, named=True)
    assert stats["fit_until"] == START + 770 * HOUR
    assert stats["adf_p"] == adf_p_value(values[-1000:])
    assert describe_dynamics(series(values))["adf_p"][0] == stats["adf_p"]
    assert stats["seasonal_strength"] == strengths(values[-1000:], 24).seasonal


def test_no_series_makes_a_warning() -> None:
    random = np.random.default_rng(8)
    shapes = [
        random.normal(size=n) * scale for n in (1, 2, 3, 11, 12, 13, 25, 50) for scale in (0.0, 1e-300, 1.0, 1e300)
    ]
    shapes += [np.arange(n) * 1.0 for n in (12, 50)] + [np.repeat([0.0, 1.0], 20), np.tile([0.0, 1.0], 20)]
    frame = pl.concat([series(values, f"{number:03}") for number, values in enumerate(shapes)])
    stats = describe(frame, season_length=4).frames["stats"]
    floats = stats.select(pl.col(pl.Float64))
    assert floats.select(pl.all().is_finite().fill_null(value=True).all()).row(0) == (True,) * floats.width


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"split": "x"}, "split must be three numbers"),
        ({"stationarity_points": -1}, "stationarity_points must be a number of points, or 0 for none, got -1"),
        ({"season_length": -2}, "season_length must be a number of points, or 0 for the calendar's, got -2"),
        ({"zone": "Mars"}, "zone must be an IANA time zone"),
        ({"period": "1x"}, "period"),
        ({"sample_start": "soon"}, "sample_start and sample_end give no interval: start must be an ISO time"),
        (
            {"sample_start": "2024-01-02", "sample_end": "2024-01-01"},
            "sample_start and sample_end give no interval: end must lie after start",
        ),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(parameters: dict[str, Any], message: str) -> None:
    defaults: dict[str, Any] = {"split": "0.7/0.1/0.2", "sample_start": "", "sample_end": "", "zone": "UTC"}
    defaults |= {"stationarity_points": 0, "season_length": 0}
    assert check_description(**defaults) == (None, None)
    with pytest.raises(InputError, match=message):
        check_description(**(defaults | parameters))
    with pytest.raises(InputError, match=message):
        describe(series([1.0]), **parameters)


def test_missing_columns_are_named() -> None:
    for call in (describe_values, describe_dynamics, describe):
        with pytest.raises(InputError, match="column 'y' is missing"):
            call(series([1.0]).drop("y"))


def test_pandas_in_pandas_out() -> None:
    table = series([1.0, 3.0]).to_pandas()
    for call in (describe_values, describe_dynamics):
        assert isinstance(call(table), pd.DataFrame)
    assert describe_values(table)["mean"][0] == 2.0
