"""The compiled STL with every parameter, against statsmodels."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.seasonal import STL

from sparkhu.kernels.stl import Decomposition, smoothers, stl

Floats = npt.NDArray[np.float64]


def made_series(count: int, period: int, kind: str, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    noise, rows = rng.normal(size=count), np.arange(count)
    values = {
        "noise": 10 + noise,
        "walk": noise.cumsum(),
        "season": 50 + 0.02 * rows + 3 * np.sin(2 * np.pi * rows / period) + noise,
        "spike": 10 + noise + 500 * (rows == count // 3),
        "constant": np.full(count, 7.25),
        "zero": np.zeros(count),
    }
    return values[kind]


def check_equal(values: Floats, period: int, *, robust: bool, rounds: dict[str, int], **settings: int) -> None:
    names = {name: name.replace("_degree", "_deg") for name in settings}
    reference: Any = STL(values, period=period, robust=robust, **{names[n]: v for n, v in settings.items()})
    theirs = reference.fit(**{f"{name}_iter": number for name, number in rounds.items()})
    ours = stl(values, smoothers(period, **settings), robust=robust, **rounds)  # type: ignore[arg-type]
    size = max(float(np.abs(values).max()), 1.0)
    np.testing.assert_allclose(ours.trend, theirs.trend, rtol=0, atol=1e-10 * size)
    np.testing.assert_allclose(ours.season, theirs.seasonal, rtol=0, atol=1e-10 * size)
    if float(np.median(np.abs(theirs.resid))) > 1e-9 * size:
        np.testing.assert_allclose(ours.weights, theirs.weights, rtol=0, atol=1e-8)


odd = st.integers(1, 12).map(lambda half: 2 * half + 1)


@given(
    period=st.integers(2, 14),
    cycles=st.floats(2.3, 9),
    kind=st.sampled_from(["noise", "walk", "season", "spike"]),
    seed=st.integers(0, 10**6),
    windows=st.tuples(odd, odd, odd),
    degrees=st.tuples(*[st.integers(0, 1)] * 3),
    jumps=st.tuples(*[st.integers(1, 7)] * 3),
    rounds=st.tuples(st.integers(1, 3), st.integers(0, 3)),
)
def test_parts_and_weights_are_those_of_statsmodels(
    period: int, cycles: float, kind: str, seed: int, windows: Any, degrees: Any, jumps: Any, rounds: Any
) -> None:
    wider = period + 1 - period % 2
    settings = {
        **dict(
            zip(("seasonal", "trend", "low_pass"), (windows[0], wider + windows[1], wider + windows[2]), strict=True)
        ),
        **dict(zip(("seasonal_degree", "trend_degree", "low_pass_degree"), degrees, strict=True)),
        **dict(zip(("seasonal_jump", "trend_jump", "low_pass_jump"), jumps, strict=True)),
    }
    for name in ("trend", "low_pass"):
        settings[name] |= 1
    values = made_series(int(cycles * period) + 2, period, kind, seed)
    inner, outer = rounds
    check_equal(values, period, robust=outer > 0, rounds={"inner": inner, "outer": outer}, **settings)


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("kind", ["season", "spike", "walk"])
@pytest.mark.parametrize(("count", "period"), [(2000, 24), (1003, 7), (700, 168), (3000, 2)])
def test_default_windows_of_long_series(count: int, period: int, kind: str, robust: bool) -> None:
    check_equal(made_series(count, period, kind), period, robust=robust, rounds={})


@pytest.mark.parametrize("jump", range(2, 12))
@pytest.mark.parametrize("robust", [False, True])
def test_every_jump_of_every_smoother(jump: int, robust: bool) -> None:
    values = made_series(130, 6, "season")
    for name in ("seasonal_jump", "trend_jump", "low_pass_jump"):
        check_equal(values, 6, robust=robust, rounds={}, **{name: jump})


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("settings", [{"seasonal": 201}, {"trend": 401}, {"low_pass": 401}, {"seasonal": 3}, {}])
def test_windows_wider_than_the_series_and_the_narrowest(settings: dict[str, int], robust: bool) -> None:
    check_equal(made_series(100, 12, "season"), 12, robust=robust, rounds={}, **settings)


@pytest.mark.parametrize("count", [4, 5, 7, 8, 13, 24, 25])
@pytest.mark.parametrize("period", [2, 4])
def test_the_shortest_series(count: int, period: int) -> None:
    if count >= period:
        check_equal(made_series(count, period, "noise"), period, robust=False, rounds={})


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("kind", ["constant", "zero"])
def test_a_constant_series_is_all_trend_and_every_point_weighs_1(kind: str, robust: bool) -> None:
    values = made_series(60, 7, kind)
    check_equal(values, 7, robust=robust, rounds={})
    np.testing.assert_array_equal(stl(values, smoothers(7), robust=robust).weights, 1.0)


def test_hand_worked_weights_of_one_setting() -> None:
    # Remainders r after the plain rounds, their median m, far = 6·m: weight (1 − (r/far)²)², 1 up to far/1000, 0 from
    # 0.999·far on.
    values = made_series(97, 8, "spike")
    plain, weighed = (stl(values, smoothers(8), robust=True, inner=2, outer=outer) for outer in (0, 1))
    size = np.abs(values - plain.trend - plain.season)
    share = size / (6 * np.median(size))
    expected = np.where(share <= 0.001, 1.0, np.where(share <= 0.999, (1 - share**2) ** 2, 0.0))
    np.testing.assert_allclose(weighed.weights, expected, atol=1e-9)
    assert expected.min() == 0.0
    assert expected.max() > 0.9


@given(st.integers(0, 10**6), st.booleans(), st.integers(2, 12))
def test_a_series_gives_the_same_to_the_bit_wherever_it_lies(seed: int, robust: bool, period: int) -> None:
    values = made_series(10 * period, period, "season", seed)
    first = stl(values, smoothers(period), robust=robust)
    moved = np.concatenate([np.full(seed % 7, np.nan), values])[seed % 7 :]
    strided = np.repeat(values, 2)[::2]
    for again in (stl(moved, smoothers(period), robust=robust), stl(strided, smoothers(period), robust=robust)):
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_series_itself_is_left_as_it_is() -> None:
    values = made_series(100, 5, "season")
    kept = values.copy()
    assert isinstance(stl(values, smoothers(5), robust=True), Decomposition)
    np.testing.assert_array_equal(values, kept)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"period": 1}, "period must be 2 or more, got 1"),
        ({"period": 7, "seasonal": 6}, "seasonal must be odd and 3 or more, got 6"),
        ({"period": 7, "seasonal": 1}, "seasonal must be odd and 3 or more, got 1"),
        ({"period": 7, "trend": 7}, "trend must be odd and 8 or more, got 7"),
        ({"period": 7, "low_pass": 10}, "low_pass must be odd and 8 or more, got 10"),
        ({"period": 7, "trend_degree": 2}, "trend_degree must be 0 or 1, got 2"),
        ({"period": 7, "seasonal_jump": 0}, "seasonal_jump must be 1 or more, got 0"),
    ],
)
def test_numbers_that_cannot_be_used_are_named(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        smoothers(**settings)


@pytest.mark.parametrize("values", [np.ones(6), np.ones((9, 2)), np.array([1.0] * 9 + [np.nan]), np.full(9, np.inf)])
def test_series_that_cannot_be_decomposed_are_refused(values: Floats) -> None:
    with pytest.raises(ValueError, match="STL needs a single series of finite values, 7 of a period or more"):
        stl(values, smoothers(7))
