"""Scaling of arrays."""

import numpy as np
import polars as pl

from sparkhu.steps.scaling import ScalerColumns, to_original


def test_scalers_are_taken_by_number_as_columns_over_windows() -> None:
    scalers = pl.DataFrame(
        {"unique_id": ["a", "b"], "center": [1.0, 5.0], "scale": [2.0, 10.0], "lambda": [None, 1.0]},
        schema_overrides={"lambda": pl.Float64},
    )
    taken = ScalerColumns.of(scalers["unique_id"], scalers.reverse()).take(np.array([1, 0, 1]))
    parts = (taken.center, taken.scale, taken.lam, taken.lower, taken.upper)
    nan, inf = np.nan, np.inf
    rows = [[[5.0], [1.0], [5.0]], [[10.0], [2.0], [10.0]], [[1.0], [nan], [1.0]], [[-inf]] * 3, [[inf]] * 3]
    for part, expected in zip(parts, rows, strict=True):
        np.testing.assert_array_equal(part, expected)
    # With λ = 1 the power transform changes nothing: 10·y + 5, 2·y + 1, 10·y + 5.
    scaled = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    np.testing.assert_allclose(to_original(scaled, taken), [[5.0, 15.0], [5.0, 7.0], [45.0, 55.0]])
