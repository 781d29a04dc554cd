"""The Yeo-Johnson power transform on arrays, with a lambda per value.

Source: I.-K. Yeo and R. A. Johnson, "A new family of power transformations to improve normality or
symmetry", Biometrika 87 (2000).
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def yeo_johnson(values: Floats, lam: Floats) -> Floats:
    """Transform `values` with the power `lam`, element by element (broadcast).

    For y ≥ 0: ((y + 1)^λ − 1) / λ, log(y + 1) at λ = 0.
    For y < 0: −((1 − y)^(2−λ) − 1) / (2 − λ), −log(1 − y) at λ = 2. At λ = 1 it is y itself, to the last bit.

    Example:
        >>> yeo_johnson(np.array([3.0, -3.0]), np.array([0.5, 1.5])).tolist()
        [2.0, -2.0]
    """
    power = np.where(values >= 0, lam, 2.0 - lam)
    powered = np.where(values >= 0, 1.0, -1.0) * _box_cox(np.log1p(np.abs(values)), power)
    return np.where(np.equal(lam, 1.0), values, powered)


def inverse_yeo_johnson(values: Floats, lam: Floats) -> Floats:
    """Undo `yeo_johnson`; a value beyond what the transform can reach is NaN."""
    power = np.where(values >= 0, lam, 2.0 - lam)
    undone = np.where(values >= 0, 1.0, -1.0) * np.expm1(_inverse_box_cox(np.abs(values), power))
    return np.where(np.equal(lam, 1.0), values, undone)


def _box_cox(logs: Floats, power: Floats) -> Floats:
    divisor = np.where(power == 0, 1.0, power)
    return np.where(power == 0, logs, np.expm1(power * logs) / divisor)


def _inverse_box_cox(values: Floats, power: Floats) -> Floats:
    divisor = np.where(power == 0, 1.0, power)
    reached = np.where(power * values > -1.0, power * values, np.nan)
    return np.where(power == 0, values, np.log1p(reached) / divisor)
