"""The fit of scalers: where a power transform does not suit, and huge values."""

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from sparkhu.steps.normalisation import (
    fit_scalers,
    scale,
    unscale,
)
from sparkhu.steps.scaler_fits import NOT_FINITE, UNPOWERED
from tests.sparkhu.steps.made_scalers import fitted, frame_of, profile_of

NOISE = np.random.default_rng(3).normal(size=200)
UNPOWERABLE = {
    "far above its spread": 5e11 - 1e8 * NOISE,
    "farther": 1e9 - 1e3 * NOISE,
    "below zero": -1e4 + NOISE,
    "one far off": np.array([1.0] * 49 + [1e12]),
    "one farther off": np.array([0.0] * 49 + [1e30]),
    "one far below": np.array([0.0] * 49 + [-1e30]),
    "one at the end": np.array([*NOISE[:49], 1e160]),
}


@pytest.mark.parametrize("name", UNPOWERABLE)
def test_a_power_that_loses_the_values_gives_way_to_the_standard_scaler(name: str) -> None:
    values = UNPOWERABLE[name]
    frame = frame_of(a=values.tolist(), b=(NOISE**2).tolist())
    result = fit_scalers(frame, profile_of(frame, 1000), scaler="power")
    scalers = result.frames["scalers"]
    assert scalers.select("lambda", "lower", "upper").row(0) == (1.0, None, None)
    standard = ["unique_id", "center", "scale"]
    assert_frame_equal(scalers[:1].select(standard), fitted(frame, scaler="standard")[:1].select(standard))
    assert scalers["lambda"][1] != 1.0
    assert scalers["upper"][1] == pytest.approx((NOISE**2).max() + np.ptp(NOISE**2))
    back = unscale(scale(frame, scalers), scalers)["y"]
    np.testing.assert_allclose(back[: len(values)], values, rtol=0, atol=1e-6 * np.ptp(values))
    np.testing.assert_allclose(back[len(values) :], NOISE**2, rtol=0, atol=1e-6 * np.ptp(NOISE**2))
    assert result.ledger["status"].to_list() == ["ok", "ok"]
    assert result.ledger["reason"].to_list() == [UNPOWERED, None]


def test_a_search_for_the_power_that_scipy_gives_up_costs_no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(values: np.ndarray) -> float:
        raise ValueError("array must not contain infs or NaNs")

    monkeypatch.setattr("scipy.stats.yeojohnson_normmax", refuse)
    frame = frame_of(a=[1.0, 2.0, 6.0])
    result = fit_scalers(frame, profile_of(frame, 10), scaler="power")
    assert result.frames["scalers"].select("center", "lambda").row(0) == (3.0, 1.0)
    assert result.ledger["reason"].to_list() == [UNPOWERED]


def test_squares_of_huge_and_tiny_values_neither_overflow_nor_vanish() -> None:
    # 1, 2, 3, 6 times 2^±500: mean 3 and scale √3.5 times as much, to the last bit.
    for unit in (2.0**500, 2.0**-500):
        frame = frame_of(a=[unit, 2 * unit, 3 * unit, 6 * unit])
        assert fitted(frame).select("center", "scale").row(0) == (3 * unit, 3.5**0.5 * unit)
    spike = fitted(frame_of(a=[*NOISE[:49], 1e160])).row(0, named=True)
    # Of 50 values one is h, the others next to nothing: mean h/50, variance h²/50 − (h/50)² = h²·49/2500.
    assert (spike["center"], spike["scale"]) == pytest.approx((1e160 / 50, 1e160 * 49**0.5 / 50), rel=1e-12)


def test_a_scale_beyond_64_bits_fails_that_series_alone() -> None:
    frame = frame_of(a=[-1.7e308, 1.7e308], b=[1.0, 3.0])
    result = fit_scalers(frame, profile_of(frame, 10), scaler="minmax")
    assert result.frames["scalers"]["unique_id"].to_list() == ["b"]
    assert result.ledger.select("status", "reason").rows() == [("failed", NOT_FINITE), ("ok", None)]
    assert fitted(frame)["scale"].to_list() == [1.7e308, 1.0]
