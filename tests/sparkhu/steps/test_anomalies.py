"""Residual anomalies: limits, scores, flags."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.sections import Anomalies
from sparkhu.steps.anomalies import check_anomalies, flag_anomalies, flag_residuals, residual_limits
from sparkhu.steps.decomposition import decompose
from tests.sparkhu.made_shard import hours
from tests.sparkhu.steps.made_remainders import RESIDS, limits, profile, rest


def test_hand_worked_mean_and_standard_deviation() -> None:
    # −5 … 5: mean 0; squares 2·(25 + 16 + 9 + 4 + 1) = 110, by n − 1 = 10: variance 11, deviation 3.3166.
    # 1.96 deviations: limits ∓6.5006. A remainder of 6.6332 is 2 deviations away.
    frame = rest(RESIDS)
    table = residual_limits(frame, "sigma", 1.96)
    assert table.select("center", "scale", "low", "high").row(0) == pytest.approx((0, 11**0.5, -6.500585, 6.500585))
    flagged = flag_residuals(rest([6.5, -6.6, 2 * 11**0.5, None]), table)
    assert flagged["is_anomaly"].to_list() == [False, True, True, False]
    assert flagged["anomaly_score"].to_list() == pytest.approx([6.5 / 11**0.5, 6.6 / 11**0.5, 2.0, None])


def test_hand_worked_median_and_median_absolute_deviation() -> None:
    # −5 … 4 and 50: median 0; distances 5 4 3 2 1 0 1 2 3 4 50, their median 3: scale 1.4826·3 = 4.4478.
    # 3 scales: limits ∓13.3434; 50 lies 50/4.4478 = 11.2415 scales away.
    frame = rest([*RESIDS[:-1], 50.0])
    table = residual_limits(frame, "mad", 3)
    assert table.select("center", "scale", "low", "high").row(0) == pytest.approx((0, 4.4478, -13.3434, 13.3434))
    flagged = flag_residuals(frame, table)
    assert flagged["is_anomaly"].to_list() == [False] * 10 + [True]
    assert flagged["anomaly_score"][-1] == pytest.approx(11.241513)


@given(st.lists(st.floats(-1e6, 1e6), min_size=10, max_size=50), st.floats(0.1, 8))
def test_limits_are_those_of_scipy_and_numpy(values: list[float], width: float) -> None:
    for method, center, scale in (
        ("mad", np.median(values), 1.4826 * median_abs_deviation(values)),
        ("sigma", np.mean(values), np.std(values, ddof=1)),
    ):
        row = residual_limits(rest(values), method, width).row(0, named=True)  # type: ignore[arg-type]
        if scale > 1e-3:
            assert row["center"] == pytest.approx(center, abs=1e-8)
            assert row["scale"] == pytest.approx(scale, rel=1e-8)
            assert row["low"] == pytest.approx(center - width * scale, rel=1e-8, abs=1e-8)
            assert row["high"] == pytest.approx(center + width * scale, rel=1e-8, abs=1e-8)


def test_by_default_limits_lie_seven_standard_deviations_away() -> None:
    frame = rest(RESIDS)
    assert residual_limits(frame).equals(residual_limits(frame, "sigma", 7.0))
    by_default = flag_anomalies(frame, profile("a")).frames["limits"]
    assert by_default.equals(residual_limits(frame))
    assert Anomalies() == Anomalies(limits="sigma", width=7.0)


def test_a_remainder_on_the_limit_is_no_anomaly() -> None:
    flagged = flag_residuals(rest([-2.0, 3.0, np.nextafter(-2.0, -9), np.nextafter(3.0, 9)]), limits(-2.0, 3.0))
    assert flagged["is_anomaly"].to_list() == [False, False, True, True]


def test_a_null_limit_is_none() -> None:
    assert flag_residuals(rest([-9.0, 9.0]), limits(None, 3.0))["is_anomaly"].to_list() == [False, True]
    assert flag_residuals(rest([-9.0, 9.0]), limits(-3.0, None))["is_anomaly"].to_list() == [True, False]
    assert flag_residuals(rest([-9.0, 9.0]), limits(None, None))["is_anomaly"].to_list() == [False, False]


def test_a_series_without_limits_has_neither_score_nor_anomaly() -> None:
    flagged = flag_residuals(rest([-9.0, 9.0]), limits(-1.0, 1.0, "other"))
    assert flagged["is_anomaly"].to_list() == [False, False]
    assert flagged["anomaly_score"].to_list() == [None, None]


def test_a_scale_of_zero_gives_flags_without_scores() -> None:
    flagged = flag_residuals(rest([0.0, 9.0]), limits(0.0, 0.0).with_columns(scale=pl.lit(0.0)))
    assert flagged["is_anomaly"].to_list() == [False, True]
    assert flagged["anomaly_score"].to_list() == [None, None]


def test_limits_are_fitted_on_the_half_open_interval() -> None:
    frame = rest([1000.0, *RESIDS, 1000.0])
    table = residual_limits(frame, "sigma", start=hours(1), end=hours(12))
    assert table["scale"][0] == pytest.approx(11**0.5)
    assert table.select("fitted_from", "fitted_until").row(0) == (hours(1), hours(11))
    assert residual_limits(frame, "sigma", start=hours(12))["scale"].to_list() == [None]


def test_filled_and_missing_points_fit_no_limit() -> None:
    frame = rest([*RESIDS, 500.0, None])
    filled = pl.when(pl.int_range(pl.len()) == 11).then(pl.lit("linear")).alias("fill_strategy")
    table = residual_limits(frame.with_columns(filled), "sigma")
    assert table["scale"][0] == pytest.approx(11**0.5)
    assert table["fitted_until"][0] == hours(10)


def test_what_was_not_observed_is_never_an_anomaly() -> None:
    frame = rest([500.0, 500.0]).with_columns(y_raw=pl.Series([None, 600.0]))
    flagged = flag_residuals(frame, limits(-1.0, 1.0))
    assert flagged["is_anomaly"].to_list() == [False, True]
    assert flagged["anomaly_score"].to_list() == [None, 500.0]


def test_the_observed_value_is_judged_where_a_step_replaced_it() -> None:
    # Observed 130 became 101: the remainder of y is 1, that of the observed value 130 − 100 − 0 = 30.
    frame = rest([1.0, 1.0]).with_columns(y_raw=pl.Series([130.0, 101.0]), seasonal=pl.lit(None, dtype=pl.Float64))
    flagged = flag_residuals(frame, limits(-5.0, 5.0))
    assert flagged["anomaly_score"].to_list() == [30.0, 1.0]
    assert flagged["is_anomaly"].to_list() == [True, False]
    removed = frame.with_columns(y=pl.Series([None, 101.0]), resid=pl.Series([None, 1.0]))
    assert flag_residuals(removed, limits(-5.0, 5.0))["anomaly_score"].to_list() == [30.0, 1.0]


def test_the_season_belongs_to_what_the_observed_value_is_held_against() -> None:
    # 130 observed, trend 100, season 20: 10 remain.
    frame = rest([1.0]).with_columns(y_raw=pl.lit(130.0), seasonal=pl.lit(20.0))
    assert flag_residuals(frame, limits(-9.0, 9.0)).select("anomaly_score", "is_anomaly").row(0) == (10.0, True)


@pytest.mark.parametrize(("method", "scale"), [("mad", 3 * 1.4826), ("sigma", 11**0.5)])
def test_limits_lie_around_the_centre(method: str, scale: float) -> None:
    # −5 … 5 moved by 10: the same deviations (median 3, variance 11) around 10.
    table = residual_limits(rest([value + 10 for value in RESIDS]), method, 2.0)  # type: ignore[arg-type]
    expected = (10, scale, 10 - 2 * scale, 10 + 2 * scale)
    assert table.select("center", "scale", "low", "high").row(0) == pytest.approx(expected)


def test_a_frame_with_nothing_but_remainders_is_enough() -> None:
    frame = rest([*RESIDS, 90.0]).select("unique_id", "ds", "resid")
    flagged = flag_residuals(frame, residual_limits(frame, "mad"))
    assert flagged.columns == ["unique_id", "ds", "resid", "anomaly_score", "is_anomaly"]
    assert flagged["is_anomaly"].to_list() == [False] * 11 + [True]


def test_pandas_frames_are_taken_and_given_back() -> None:
    frame = rest([*RESIDS, 90.0]).to_pandas()
    flagged = flag_residuals(frame, residual_limits(frame, "mad"))
    assert isinstance(flagged, pd.DataFrame)
    assert flagged["is_anomaly"].sum() == 1


def test_a_median_deviation_of_zero_takes_the_mean_deviation() -> None:
    # Nine zeros, 2 and −1: median deviation 0, mean deviation 3/11: scale 1.2533·3/11 = 0.341809.
    table = residual_limits(rest([0.0] * 9 + [2.0, -1.0]), "mad", 3.0)
    assert table.select("center", "scale", "high").row(0) == pytest.approx((0, 0.341809, 1.025427), rel=1e-5)


@pytest.mark.parametrize("method", ["mad", "sigma"])
def test_a_remainder_that_is_only_rounding_has_no_limits(method: str) -> None:
    rounding = [1e-14 * (i % 3) for i in range(30)]
    result = flag_anomalies(rest([*rounding, 5.0]), profile("a", train=30), limits=method)  # type: ignore[arg-type]
    assert result.frames["anomalies"]["is_anomaly"].sum() == 0
    assert result.frames["limits"].row(0) == ("a", None, None, None, None, None, None)
    assert result.ledger.rows() == [
        (
            "a",
            "skipped",
            "no limits: fewer than 10 remainders in the training part, or they do not vary",
            '{"anomalies":0,"judged":0}',
        )
    ]


@pytest.mark.parametrize("method", ["mad", "sigma"])
def test_remainders_too_large_to_square_fit_no_wrong_limits(method: str) -> None:
    table = residual_limits(rest([1e300 * value for value in RESIDS], level=0.0), method)  # type: ignore[arg-type]
    scale = table["scale"][0]
    assert scale is None if method == "sigma" else scale == pytest.approx(1.4826 * 3e300)


def test_limits_need_ten_remainders() -> None:
    assert residual_limits(rest([*RESIDS[:9]]))["scale"].to_list() == [None]
    assert residual_limits(rest([*RESIDS[:10]]))["scale"][0] > 0


def test_small_remainders_without_a_level_have_limits() -> None:
    assert residual_limits(rest([1e-14 * value for value in RESIDS], level=0.0))["scale"][0] > 0


def test_the_step_fits_on_the_training_part_and_judges_all_rows() -> None:
    frame = pl.concat([rest([*RESIDS, 40.0, 1.0]), rest([*RESIDS, 40.0], "b")])
    table = profile("b", "a", train=11).with_columns(train_end=pl.when(pl.col("unique_id") == "a").then("train_end"))
    result = flag_anomalies(frame, table, limits="sigma", width=3)
    flags = result.frames["anomalies"]
    assert flags.columns == ["anomaly_score", "is_anomaly"]
    assert flags["is_anomaly"].arg_true().to_list() == [11, 24]
    first, second = result.frames["limits"].rows(named=True)
    assert (first["unique_id"], first["fitted_until"]) == ("a", hours(10))
    assert (second["unique_id"], second["fitted_until"]) == ("b", hours(11))
    assert first["scale"] == pytest.approx(11**0.5)
    assert [json.loads(counts) for counts in result.ledger["counts"]] == [
        {"anomalies": 1, "judged": 13},
        {"anomalies": 1, "judged": 12},
    ]
    assert result.ledger.select("status", "reason").unique().rows() == [("ok", None)]


def test_limits_can_be_fitted_on_an_interval_of_the_training_part() -> None:
    # Hours 2 to 14 of 20; in Berlin's January 03:00 is hour 2. The remainder of 40 before it fits nothing.
    frame = rest([40.0, 1.0, *RESIDS, 9.0, 0.0, 0.0, 0.0])
    wanted = residual_limits(frame, width=3, start=hours(2), end=hours(14))
    asked: dict[str, Any] = {
        "fit_start": hours(2).strftime("%Y-%m-%dT%H:%M"),
        "fit_end": hours(14).strftime("%Y-%m-%dT%H:%MZ"),
    }
    utc = flag_anomalies(frame, profile("a", train=None), width=3, **asked).frames["limits"]
    assert utc.equals(wanted)
    assert utc.row(0)[-2:] == (hours(2), hours(13))
    asked["fit_start"] = f"{hours(3):%Y-%m-%dT%H:%M}"
    berlin = flag_anomalies(frame, profile("a", train=None), width=3, zone="Europe/Berlin", **asked).frames["limits"]
    assert berlin.equals(wanted)


def test_an_interval_never_reaches_behind_the_training_part() -> None:
    frame = rest([*RESIDS, 40.0, 1.0])
    table = profile("a", train=11)
    late = flag_anomalies(frame, table, fit_end="2099-01-01")
    assert late.frames["limits"].equals(flag_anomalies(frame, table).frames["limits"])
    behind = flag_anomalies(frame, table, fit_start="2099-01-01")
    assert behind.frames["limits"]["scale"].to_list() == [None]
    assert behind.ledger.row(0)[1:3] == (
        "skipped",
        "no limits: fewer than 10 remainders in the training part, from 2099-01-01 to its end, or they do not vary",
    )


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        ({"fit_start": "soon"}, "fit_start and fit_end give no interval: start"),
        ({"fit_start": "2024-02-01", "fit_end": "2024-01-01"}, "give no interval: end must lie after start"),
        ({"zone": "Mars/Base"}, "Mars/Base"),
        ({"fit_end": "2024-02-01", "limits": "given", "high": 1.0}, "need limits that are fitted: sigma or mad"),
    ],
)
def test_an_interval_that_cannot_be_used_is_refused(interval: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        flag_anomalies(rest([*RESIDS]), profile("a", train=11), **interval)


def test_the_future_does_not_move_the_limits() -> None:
    one, other = (
        flag_anomalies(rest([*RESIDS, later]), profile("a", train=11)).frames["limits"] for later in (0.0, 1e9)
    )
    assert one.equals(other)


@pytest.mark.parametrize(
    ("low", "high", "center", "scale", "scores", "flags"),
    [
        (-2.0, 4.0, 1.0, 3.0, [2.0, 1 / 3, 1.0, 4 / 3], [True, False, False, True]),
        (None, 4.0, 4.0, 1.0, [9.0, 4.0, 0.0, 1.0], [False, False, False, True]),
        (-2.0, None, -2.0, 1.0, [3.0, 2.0, 6.0, 7.0], [True, False, False, False]),
        (None, 0.0, 0.0, 1.0, [5.0, 0.0, 4.0, 5.0], [False, False, True, True]),
    ],
)
def test_given_limits_hold_for_every_series(
    low: float | None, high: float | None, center: float, scale: float, scores: list[float], flags: list[bool]
) -> None:
    frame = pl.concat([rest([-5.0, 0.0, 4.0, 5.0], name) for name in "ab"])
    result = flag_anomalies(frame, profile("a", "b"), limits="given", low=low, high=high)
    assert result.frames["anomalies"]["is_anomaly"].to_list() == flags * 2
    assert result.frames["anomalies"]["anomaly_score"].to_list() == pytest.approx(scores * 2)
    for row, name in zip(result.frames["limits"].rows(), "ab", strict=True):
        assert row == (name, center, scale, low, high, None, None)
    assert result.ledger["status"].to_list() == ["ok", "ok"]


@given(st.permutations(["a", "b", "c"]), st.sampled_from(["mad", "sigma"]))
def test_sharding_does_not_matter(order: list[str], method: str) -> None:
    rng = np.random.default_rng(3)
    parts = {
        name: rest(rng.standard_t(2, size=size).tolist(), name) for name, size in zip("abc", (40, 5, 33), strict=True)
    }
    table = profile(*order, train=25)
    whole = flag_anomalies(pl.concat([parts[name] for name in order]), table, limits=method)  # type: ignore[arg-type]
    alone = [flag_anomalies(parts[name], table, limits=method) for name in order]  # type: ignore[arg-type]
    for frame in ("anomalies", "limits"):
        assert whole.frames[frame].equals(pl.concat([one.frames[frame] for one in alone]))
    assert whole.ledger.equals(pl.concat([one.ledger for one in alone]))


def noisy(spikes: dict[int, float], seed: int = 0) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    rows = np.arange(720)
    values = 100 + 10 * np.sin(2 * np.pi * rows / 24) + rng.normal(size=720)
    for row, size in spikes.items():
        values[row] += size
    return np.asarray(values)


@pytest.mark.parametrize("settings", [{}, {"limits": "mad", "width": 9.0}, {"width": 7.0}])
def test_planted_spikes_are_found_and_nothing_else(settings: dict[str, float]) -> None:
    spikes = {100: 15.0, 250: -15.0, 600: 20.0, 700: -15.0}
    y = noisy(spikes)
    ds = [hours(i) for i in range(720)]
    frame = pl.DataFrame({"unique_id": ["a"] * 720, "ds": pl.Series(ds, dtype=TIME), "y": y}).with_columns(
        available_at="ds", y_raw="y"
    )
    table = profile("a", train=500).with_columns(period_label=pl.lit("1h"), season_length=pl.lit(24))
    rows = frame.hstack(decompose(frame, table, seasons=(24,)).frames["parts"])
    flags = flag_anomalies(rows, table, **{"width": 6.0, **settings}).frames["anomalies"]["is_anomaly"]  # type: ignore[arg-type]
    assert flags.arg_true().to_list() == list(spikes)


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    for kind in ({}, {"limits": "given", "low": 1.0}):
        result = flag_anomalies(rest([]), profile(), **kind)  # type: ignore[arg-type]
        assert result.frames["anomalies"].schema == {"anomaly_score": pl.Float64, "is_anomaly": pl.Boolean}
        assert result.frames["limits"].schema == {
            "unique_id": pl.String, "center": pl.Float64, "scale": pl.Float64, "low": pl.Float64,
            "high": pl.Float64, "fitted_from": TIME, "fitted_until": TIME,
        }  # fmt: skip
        assert result.ledger.height == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"limits": "iqr"}, r"^limits must be one of mad, sigma, given, got 'iqr'\.$"),
        ({"width": 0.0}, r"^width must be a number of deviations above 0, got 0\.0\. Usual is 3 to 7\.$"),
        ({"width": float("nan")}, "width must be a number"),
        ({"width": float("inf")}, "width must be a number"),
        ({"limits": "given"}, r"^limits are given but low and high are missing\. Give one of them, or both\.$"),
        ({"limits": "given", "low": 2.0, "high": 2.0}, r"^low must lie below high, got low 2\.0 and high 2\.0\.$"),
        ({"limits": "given", "low": float("nan")}, r"^low must be a number in the unit of y, got nan\. Leave it out"),
        ({"limits": "given", "high": float("inf")}, r"^high must be a number in the unit of y, got inf\."),
        ({"limits": "given", "low": 1.0, "high": "2"}, r"^high must be a number in the unit of y, got 2\."),
        ({"width": "wide"}, "width must be a number of deviations above 0, got wide"),
        ({"low": 2.0}, r"^low and high need limits 'given', got limits 'sigma'\. Leave them out, or set limits\.$"),
        ({"high": 2.0}, "low and high need limits 'given'"),
    ],
)
def test_unusable_parameters_are_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        flag_anomalies(rest(list(RESIDS)), profile("a"), **parameters)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        check_anomalies(**{"limits": "sigma", "width": 3.0, **parameters})  # type: ignore[arg-type]


def test_limits_that_contradict_themselves_are_refused() -> None:
    frame, table = rest([1.0]), limits(-1.0, 1.0)
    said = r"^limits of series 'a' have low above its high: scale 1\.0, low 2\.0, high 1\.0\. Give low < high"
    with pytest.raises(InputError, match=said):
        flag_residuals(frame, limits(2.0, 1.0))
    with pytest.raises(InputError, match=r"^limits of series 'a' have a negative scale: scale -3\.0"):
        flag_residuals(frame, table.with_columns(scale=pl.lit(-3.0)))
    for name in ("center", "scale", "low", "high"):
        with pytest.raises(InputError, match=f"column '{name}' holds NaN"):
            flag_residuals(frame, table.with_columns(pl.lit(float("nan")).alias(name)))
        with pytest.raises(InputError, match=f"column '{name}' has type String, expected numbers"):
            flag_residuals(frame, table.with_columns(pl.lit("1").alias(name)))
    assert flag_residuals(frame, limits(1.0, 1.0))["is_anomaly"].to_list() == [False]


def test_limits_are_fitted_by_one_of_two_methods_over_an_interval() -> None:
    with pytest.raises(InputError, match=r"^method must be one of mad, sigma, got 'iqr'\.$"):
        residual_limits(rest([1.0]), "iqr")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="method must be one of mad, sigma, got 'given'"):
        residual_limits(rest([1.0]), "given")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="end must lie after start"):
        residual_limits(rest([1.0]), start=hours(3), end=hours(3))


def test_public_functions_check_what_they_are_given() -> None:
    with pytest.raises(InputError, match="width must be"):
        residual_limits(rest([1.0]), "sigma", -1.0)
    with pytest.raises(InputError, match="column 'resid' is missing"):
        residual_limits(rest([1.0]).drop("resid"))
    with pytest.raises(InputError, match="unique_id 'a' more than once"):
        flag_residuals(rest([1.0]), pl.concat([limits(0.0, 1.0)] * 2))
    with pytest.raises(InputError, match="column 'train_end' is missing"):
        flag_anomalies(rest([1.0]), profile("a").drop("train_end"))
    with pytest.raises(InputError, match="column 'y_raw' is missing"):
        flag_anomalies(rest([1.0]).drop("y_raw"), profile("a"))
