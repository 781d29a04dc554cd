import json
from datetime import timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sklearn import preprocessing

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.normalisation import (
    SCALERS,
    SCHEMA,
    Scaler,
    check_scaler,
    fit_scalers,
    scale,
    unscale,
)
from tests.sparkhu.steps.made_scalers import START, fitted, frame_of, profile_of

REFERENCES = {
    "standard": preprocessing.StandardScaler(),
    "minmax": preprocessing.MinMaxScaler(),
    "robust": preprocessing.RobustScaler(),
    "power": preprocessing.PowerTransformer("yeo-johnson"),
}


@pytest.mark.parametrize("scaler", SCALERS)
def test_scaled_values_are_scikit_learns(scaler: Scaler) -> None:
    random = np.random.default_rng(7)
    series = {"a": random.gamma(2.0, 3.0, 80).tolist(), "b": (random.normal(-5.0, 2.0, 60) ** 3).tolist()}
    frame = frame_of(**series)
    found = scale(frame, fitted(frame, scaler=scaler))
    for name, values in series.items():
        wanted = REFERENCES[scaler].fit_transform(np.array(values)[:, None])[:, 0]
        np.testing.assert_allclose(found.filter(unique_id=name)["y"], wanted, rtol=1e-9, atol=1e-9)


def test_worked_by_hand() -> None:
    # Training part 1, 2, 3, 6 (the 100 lies at the border, outside). Mean 3, deviations −2 −1 0 3: variance 14/4.
    # Minimum 1, range 5. Median 2.5; quartiles at rows 0.75 and 2.25 of 1 2 3 6: 1.75 and 3.75, difference 2.
    frame = frame_of(a=[1.0, 2.0, 3.0, 6.0, 100.0])
    standard, minmax, robust = (fitted(frame, 4, name) for name in ("standard", "minmax", "robust"))
    assert standard.select("center", "scale").row(0) == (3.0, pytest.approx(np.sqrt(3.5), rel=1e-15))
    assert minmax.select("center", "scale").row(0) == (1.0, 5.0)
    assert robust.select("center", "scale").row(0) == (2.5, 2.0)
    assert minmax.select("lambda", "lower", "upper").row(0) == (None, None, None)
    assert scale(frame, minmax)["y"].to_list() == pytest.approx([0.0, 0.2, 0.4, 1.0, 19.8])


# Values −4, 0, 0, 4, 10 lie in the order of the quantiles at rows 0 to 4; the last, 20, lies behind the training part.
# standard: mean 10/5 = 2, deviations −6 −2 −2 2 8: Σ² = 36 + 4 + 4 + 4 + 64 = 112, scale √(112/5). 2 + √22.4 → 1.
# minmax: minimum −4, range 14; 20 lies at (20 + 4)/14 = 12/7, −4 at 0.
# robust: median 0, quartiles the values at rows 1 and 3: 4 − 0 = 4; 20 lies at 20/4 = 5, −4 at −1.
@pytest.mark.parametrize(
    ("scaler", "center", "width", "first", "last"),
    [
        ("standard", 2.0, 22.4**0.5, -6 / 22.4**0.5, 18 / 22.4**0.5),
        ("minmax", -4.0, 14.0, 0.0, 12 / 7),
        ("robust", 0.0, 4.0, -1.0, 5.0),
    ],
)
def test_a_second_series_worked_by_hand(scaler: Scaler, center: float, width: float, first: float, last: float) -> None:
    frame = frame_of(a=[-4.0, 10.0, 0.0, 4.0, 0.0, 20.0])
    scalers = fitted(frame, 5, scaler)
    assert scalers.select("center", "scale").row(0) == pytest.approx((center, width), rel=1e-14)
    found = scale(frame, scalers)["y"]
    assert (found[0], found[5]) == pytest.approx((first, last), rel=1e-14)


def test_the_power_scaler_worked_by_hand() -> None:
    # At λ = 0.5 the values 0, 3, 8 become (√1 − 1)/0.5 = 0, (√4 − 1)/0.5 = 2, (√9 − 1)/0.5 = 4. With centre 2 and
    # scale 4 that is −0.5, 0, 0.5; and back: 0.5·4 + 2 = 4, (0.5·4 + 1)² − 1 = 8.
    half = {"unique_id": ["a"], "center": [2.0], "scale": [4.0], "lambda": [0.5], "lower": [-8.0], "upper": [16.0]}
    scaled = scale(frame_of(a=[0.0, 3.0, 8.0]), pl.DataFrame(half))
    assert scaled["y"].to_list() == pytest.approx([-0.5, 0.0, 0.5], abs=1e-15)
    assert unscale(scaled, pl.DataFrame(half))["y"].to_list() == pytest.approx([0.0, 3.0, 8.0], abs=1e-14)
    # Symmetric values ±1, ±3 are not bent: λ = 1, mean 0, variance (1 + 1 + 9 + 9)/4 = 5; range −3 − 6 to 3 + 6.
    even = fitted(frame_of(a=[-3.0, -1.0, 1.0, 3.0]), scaler="power").row(0, named=True)
    assert even["lambda"] == pytest.approx(1.0, abs=1e-6)
    assert (even["center"], even["scale"]) == pytest.approx((0.0, 5**0.5), abs=1e-6)
    assert (even["lower"], even["upper"]) == (-9.0, 9.0)


@pytest.mark.parametrize("scaler", SCALERS)
def test_a_constant_training_part_is_inverted_to_what_was_scaled(scaler: Scaler) -> None:
    # Minus its level and over 1, there and back: 5 comes back as 5, not as the 0 (or 0.1) of the training part.
    frame = frame_of(a=[0.0] * 70 + [5.0], b=[0.1] * 70 + [-3.0])
    scalers = fitted(frame, 70, scaler)
    assert scalers.select("scale", "lower", "upper").rows() == [(1.0, None, None)] * 2
    back = unscale(scale(frame, scalers), scalers)
    np.testing.assert_allclose(back["y"], frame["y"], rtol=1e-15, atol=1e-15)


def test_says_from_when_until_when_and_by_what_it_was_fitted() -> None:
    frame = frame_of(a=[None, 2.0, 3.0, 9.0])
    late = START + timedelta(days=3)
    frame = frame.with_columns(
        available_at=pl.when(pl.col("y") == 2.0).then(pl.lit(late).cast(TIME)).otherwise("available_at")
    )
    row = fitted(frame, 3).row(0, named=True)
    assert row["unique_id"] == "a"
    assert row["scaler"] == "standard"
    assert row["fitted_from"] == START + timedelta(hours=1)
    assert row["fitted_until"] == START + timedelta(hours=3)
    assert row["available_at"] == late
    assert list(row) == list(SCHEMA)


def test_only_observed_values_are_fitted_on() -> None:
    frame = frame_of(a=[1.0, 3.0, 500.0, 700.0, None]).with_columns(
        y_raw=pl.Series([1.0, 3.0, None, 9.0, None]), fill_strategy=pl.Series([None, None, "mean", "mean", None])
    )
    result = fit_scalers(frame, profile_of(frame, 10))
    assert result.frames["scalers"]["center"].to_list() == [2.0]
    assert json.loads(result.ledger["counts"][0]) == {"fitted_points": 2}


def test_a_changed_value_without_an_observation_is_not_fitted_on() -> None:
    frame = frame_of(a=[1.0, 3.0, 500.0]).with_columns(y_raw=pl.Series([1.0, 3.0, None]))
    assert fitted(frame)["center"].to_list() == [2.0]


@pytest.mark.parametrize("scaler", SCALERS)
def test_a_series_that_does_not_vary_has_scale_1(scaler: Scaler) -> None:
    frame = frame_of(a=[0.1] * 7, b=[1.0, 2.0, 4.0])
    found = fitted(frame, scaler=scaler)
    assert found["scale"][0] == 1.0
    assert found["scale"][1] != 1.0
    np.testing.assert_allclose(scale(frame, found)["y"][:7], 0.0, atol=1e-15)


def test_equal_quartiles_have_scale_1() -> None:
    assert fitted(frame_of(a=[5.0, 5.0, 5.0, 5.0, 5.0, 9.0]), scaler="robust")["scale"].to_list() == [1.0]


def test_tiny_and_huge_units_keep_their_scale() -> None:
    found = fitted(frame_of(a=[1e-20, 3e-20], b=[1e20, 3e20]), scaler="minmax")
    assert found["scale"].to_list() == pytest.approx([2e-20, 2e20])


def test_rounding_noise_is_no_scale() -> None:
    noise = [1e6, float(np.nextafter(1e6, 2e6)), 1e6]
    assert fitted(frame_of(a=noise), scaler="minmax")["scale"].to_list() == [1.0]


def test_a_series_without_an_observed_training_value_fails() -> None:
    frame = frame_of(a=[None, None, 5.0], b=[1.0, 2.0, 3.0], c=[None])
    result = fit_scalers(frame, profile_of(frame, 2))
    assert result.frames["scalers"]["unique_id"].to_list() == ["b"]
    reason = "no observed value in the training interval to fit a scaler on"
    assert result.ledger.select("unique_id", "status", "reason").rows() == [
        ("a", "failed", reason),
        ("b", "ok", None),
        ("c", "failed", reason),
    ]
    assert [json.loads(text)["fitted_points"] for text in result.ledger["counts"]] == [0, 2, 0]


@pytest.mark.parametrize("scaler", SCALERS)
def test_an_empty_shard_gives_typed_empty_tables(scaler: Scaler) -> None:
    frame = frame_of().with_columns(y_raw="y")
    result = fit_scalers(frame, profile_of(frame, 5), scaler=scaler)
    assert dict(result.frames["scalers"].schema) == SCHEMA
    assert result.frames["scalers"].is_empty()
    assert result.ledger.is_empty()
    assert scale(frame, result.frames["scalers"]).is_empty()


values = st.lists(st.floats(-1e4, 1e4).map(lambda y: round(y, 3)), min_size=2, max_size=30)


@given(values, st.sampled_from(SCALERS), st.floats(-1e9, 1e9))
def test_nothing_after_the_training_interval_matters(ys: list[float], scaler: Scaler, future: float) -> None:
    known = fitted(frame_of(a=ys), len(ys), scaler)
    assert_frame_equal(known, fitted(frame_of(a=[*ys, future]), len(ys), scaler))


@given(values, st.sampled_from(SCALERS))
def test_unscale_undoes_scale(ys: list[float], scaler: Scaler) -> None:
    frame = frame_of(a=ys)
    scalers = fitted(frame, scaler=scaler)
    back = unscale(scale(frame, scalers), scalers)
    np.testing.assert_allclose(back["y"], ys, rtol=1e-5, atol=1e-5 * (1 + np.ptp(ys)))


@given(values, st.sampled_from(SCALERS))
def test_other_series_of_the_shard_do_not_matter(ys: list[float], scaler: Scaler) -> None:
    alone = fitted(frame_of(b=ys), scaler=scaler)
    among = fitted(frame_of(a=[3.0, 4.0], b=ys, c=[0.0]), scaler=scaler)
    assert_frame_equal(alone, among.filter(unique_id="b"))


def test_the_power_scaler_holds_inverted_values_in_the_doubled_range() -> None:
    frame = frame_of(a=[1.0, 2.0, 3.0, 4.0, 50.0])
    scalers = fitted(frame, scaler="power")
    assert scalers.select("lower", "upper").row(0) == (-48.0, 99.0)
    far = pl.DataFrame({"unique_id": ["a", "a"], "y": [1e6, -1e6]})
    assert unscale(far, scalers)["y"].to_list() == pytest.approx([99.0, -48.0])


def test_other_scalers_hold_nothing() -> None:
    frame = frame_of(a=[0.0, 2.0], b=[1.0, 5.0])
    scalers = fitted(frame, scaler="minmax")
    assert unscale(pl.DataFrame({"unique_id": ["a", "b"], "y": [1e6, -1e6]}), scalers)["y"].to_list() == [2e6, 1 - 4e6]


def test_scalers_of_several_kinds_serve_one_frame() -> None:
    frame = frame_of(a=[1.0, 2.0, 30.0], b=[1.0, 2.0, 30.0])
    one, other = fitted(frame, scaler="power"), fitted(frame, scaler="standard")
    mixed = pl.concat([one.filter(unique_id="a"), other.filter(unique_id="b")])
    found = scale(frame, mixed)
    assert_frame_equal(found[:3], scale(frame, one)[:3])
    assert_frame_equal(found[3:], scale(frame, other)[3:])
    np.testing.assert_allclose(unscale(found, mixed)["y"], frame["y"], rtol=1e-6)


def test_a_null_stays_null_both_ways() -> None:
    frame = frame_of(a=[1.0, None, 3.0])
    scalers = fitted(frame)
    assert scale(frame, scalers)["y"].to_list() == [-1.0, None, 1.0]
    assert unscale(scale(frame, scalers), scalers)["y"].to_list() == [1.0, None, 3.0]


def test_several_columns_are_scaled_and_others_left() -> None:
    frame = frame_of(a=[1.0, 3.0]).with_columns(y_raw=pl.lit(5), other=pl.lit(7.0))
    found = scale(frame, fitted(frame.drop("y_raw")), columns=("y", "y_raw"))
    assert found["y_raw"].to_list() == [3.0, 3.0]
    assert found["other"].to_list() == [7.0, 7.0]
    assert unscale(found, fitted(frame.drop("y_raw")), columns=("y_raw",))["y"].to_list() == [-1.0, 1.0]


def test_a_pandas_frame_gives_a_pandas_frame() -> None:
    frame = frame_of(a=[1.0, 3.0])
    scalers = fitted(frame)
    assert isinstance(scale(frame.to_pandas(), scalers), pd.DataFrame)
    assert unscale(frame.to_pandas(), scalers)["y"].tolist() == [3.0, 5.0]


def test_the_version_names_the_fit() -> None:
    frame = frame_of(a=[1.0, 3.0, 8.0], b=[1.0, 3.0, 8.0])
    first = fitted(frame, 3)["version"].to_list()
    assert first == fitted(frame, 3)["version"].to_list()
    others = [*fitted(frame, 2)["version"], *fitted(frame, 3, "minmax")["version"]]
    assert len({*first, *others}) == 6
    assert {len(version) for version in first} == {16}


def test_the_version_is_the_same_on_every_machine() -> None:
    # SHA-256 of the row's texts, floats in hexadecimal, joined by |, its first 16 digits.
    row = "a|minmax|0x1.0000000000000p+0|0x1.0000000000000p+1|None|None|None"
    times = "2024-01-01 00:00:00+00:00|2024-01-01 05:00:00+00:00|2024-01-01 01:00:00+00:00"
    import hashlib

    wanted = hashlib.sha256(f"{row}|{times}".encode()).hexdigest()[:16]
    assert fitted(frame_of(a=[1.0, 3.0]), 5, "minmax")["version"].to_list() == [wanted]


def test_a_series_without_a_scaler_is_named() -> None:
    frame = frame_of(a=[1.0, 3.0])
    with pytest.raises(InputError, match=r"^series 'b' has no scaler; fit one with fit_scalers first$"):
        scale(frame_of(b=[1.0]), fitted(frame))


def test_an_unknown_scaler_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"^scaler must be one of standard, minmax, robust, power, got 'log'$"):
        check_scaler("log")
    with pytest.raises(InputError, match="scaler must be"):
        fit_scalers(frame_of(), profile_of(frame_of(), 1), scaler="log")  # type: ignore[arg-type]


@pytest.mark.parametrize("column", ["unique_id", "ds", "y", "available_at"])
def test_a_missing_column_is_named(column: str) -> None:
    frame = frame_of(a=[1.0])
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        fit_scalers(frame.drop(column), profile_of(frame, 1))


def test_a_profile_without_borders_is_refused() -> None:
    frame = frame_of(a=[1.0])
    with pytest.raises(InputError, match="column 'train_end' is missing"):
        fit_scalers(frame, profile_of(frame, 1).drop("train_end"))


def test_scale_asks_for_the_series() -> None:
    with pytest.raises(InputError, match="column 'unique_id' is missing"):
        scale(pl.DataFrame({"y": [1.0]}), fitted(frame_of(a=[1.0])))


def test_scalers_and_columns_that_cannot_be_used_are_named() -> None:
    frame = frame_of(a=[1.0, 3.0]).with_columns(kind=pl.lit("x"))
    scalers = fitted(frame.drop("kind"))
    with pytest.raises(InputError, match="column 'z' is missing"):
        scale(frame, scalers, columns=("z",))
    with pytest.raises(InputError, match=r"^column 'kind' has type String, expected numbers. Leave it out.$"):
        unscale(frame, scalers, columns=("y", "kind"))
    for name in ("unique_id", "center", "scale", "lambda"):
        with pytest.raises(InputError, match=f"column '{name}' is missing"):
            scale(frame, scalers.drop(name))
    with pytest.raises(InputError, match="unique_id 'a' more than once"):
        scale(frame, pl.concat([scalers, scalers]))


def test_scalers_may_come_as_a_pandas_frame() -> None:
    frame = frame_of(a=[1.0, 3.0])
    assert scale(frame, fitted(frame).to_pandas())["y"].to_list() == [-1.0, 1.0]
