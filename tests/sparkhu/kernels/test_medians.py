"""Medians over windows and places, against Polars."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.kernels.medians import place_medians, running_medians

with_gaps = st.lists(st.none() | st.integers(-4, 4).map(float) | st.floats(-1e300, 1e300), max_size=80)


def array(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values])


@given(with_gaps, st.integers(0, 15), st.integers(1, 31))
def test_running_medians_are_those_of_polars(values: list[float | None], half: int, least: int) -> None:
    window = 2 * half + 1
    least = min(least, window)
    expected = pl.Series(values, dtype=pl.Float64).rolling_median(window, center=True, min_samples=least)
    found = running_medians(array(values), window, least=least)
    np.testing.assert_allclose(found, array(expected.to_list()), rtol=1e-15)


@given(with_gaps, st.integers(1, 12))
def test_medians_of_places_are_those_of_polars(values: list[float | None], season: int) -> None:
    table = pl.DataFrame(
        {"value": values, "place": np.arange(len(values)) % season}, schema_overrides={"value": pl.Float64}
    )
    expected = table.select(pl.col("value").median().over("place"))["value"]
    np.testing.assert_allclose(place_medians(array(values), season), array(expected.to_list()), rtol=1e-15)


def test_hand_worked_medians() -> None:
    # Windows of three: (1 9), (1 9 2), (9 2 –), (2 – 3), (– 3): two known points suffice.
    values = np.array([1.0, 9.0, 2.0, np.nan, 3.0])
    np.testing.assert_array_equal(running_medians(values, 3, least=2), [5.0, 2.0, 5.5, 2.5, np.nan])
    # Places 0 and 1 of a season of two: (1 2 3) and (9 –).
    np.testing.assert_array_equal(place_medians(values, 2), [2.0, 9.0, 2.0, 9.0, 2.0])
