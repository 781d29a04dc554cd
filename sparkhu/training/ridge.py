"""Ridge regression from Gram matrices, its strength chosen on validation windows.

Source: A. E. Hoerl and R. W. Kennard, "Ridge Regression", Technometrics 12 (1970); the intercept is not penalised.
The penalty is `strength` times the mean variance-sum of the inputs, so that one grid serves groups of every size.
"""

from typing import NamedTuple

import numpy as np

from sparkhu.models.linear import Linear
from sparkhu.threads import on_one_thread
from sparkhu.training.gram import Gram, GroupGram
from sparkhu.training.parts import Floats

STRENGTHS: tuple[float, ...] = tuple(float(f"{10 ** (tenths / 4):.4g}") for tenths in range(-24, 13))


class Fit(NamedTuple):
    """What training a group gave.

    Attributes:
        model: The fitted model; None where the group has no training window.
        note: What was chosen and how, in words.
    """

    model: Linear | None
    note: str


class Spectrum:
    """The centred normal equations of a Gram matrix, diagonalised: solves the ridge for any strength at once."""

    def __init__(self, gram: Gram):
        L, n = gram.input_size, gram.windows
        self.windows, self.input_mean, self.target_mean = n, gram.matrix[L, :L] / n, gram.matrix[L, L + 1 :] / n
        inputs = gram.matrix[:L, :L] - n * np.outer(self.input_mean, self.input_mean)
        cross = gram.matrix[:L, L + 1 :] - n * np.outer(self.input_mean, self.target_mean)
        values, self.vectors = np.linalg.eigh(inputs)
        self.values = np.maximum(values, 0.0)
        self.projected = self.vectors.T @ cross
        self.variance = np.diag(gram.matrix)[L + 1 :] - n * self.target_mean**2
        self.unit = float(self.values.mean()) or 1.0

    def solve(self, penalty: float) -> tuple[Floats, Floats]:
        """Give weights (L, H) and intercept (H,) at a penalty on the sum of squared errors."""
        weights = self.vectors @ (self.projected / (self.values + penalty)[:, None])
        return weights, self.target_mean - self.input_mean @ weights

    def cross_validated(self, penalty: float) -> float:
        """Give the generalised cross-validation score at a penalty (Golub, Heath, Wahba, Technometrics 21, 1979)."""
        shrunk = self.projected / (self.values + penalty)[:, None]
        explained = 2 * (shrunk * self.projected).sum() - (shrunk**2 * self.values[:, None]).sum()
        freedom = 1.0 + (self.values / (self.values + penalty)).sum()
        return float((self.variance.sum() - explained) / max(1.0 - freedom / self.windows, 1e-9) ** 2)


def solve_ridge(gram: Gram, penalty: float) -> tuple[Floats, Floats]:
    """Solve min Σ ‖y − Wᵀx − b‖² + penalty·‖W‖² over the windows of a Gram matrix.

    Args:
        gram: Of at least one window.
        penalty: Positive; scikit-learn's `alpha`.

    Returns:
        Weights (L, H) and intercept (H,).
    """
    return Spectrum(gram).solve(penalty)


def mean_squared_error(gram: Gram, weights: Floats, intercept: Floats) -> float:
    """Give the mean squared error, over windows and horizon steps, of a linear map on the windows of a Gram matrix."""
    stacked = np.vstack([weights, intercept[None, :], -np.eye(gram.horizon)])
    return float((stacked * (gram.matrix @ stacked)).sum() / (gram.windows * gram.horizon))


@on_one_thread
def fit_group(group: str, gram: GroupGram) -> Fit:
    """Fit the linear model of a group: the strength by the choosing windows, the final weights on all windows.

    Where no choosing window has all its targets observed, generalised cross-validation on the training
    windows chooses; the note says so.

    Args:
        group: Its name, for the note.
        gram: Its Gram matrices.
    """
    if gram.train.windows == 0:
        return Fit(None, f"{group}: no training window, so no linear model")
    train = Spectrum(gram.train)
    if gram.choose.windows:
        errors = [mean_squared_error(gram.choose, *train.solve(s * train.unit)) for s in STRENGTHS]
        how = f"on {_windows(gram.choose.windows, 'validation')}"
    else:
        errors = [train.cross_validated(s * train.unit) for s in STRENGTHS]
        how = "by generalised cross-validation on the training windows, for want of validation windows"
    strength = STRENGTHS[int(np.argmin(errors))]
    every = Spectrum(gram.train + gram.rest)
    model = Linear(*every.solve(strength * every.unit), *train.solve(strength * train.unit), strength)
    return Fit(model, f"{group}: ridge strength {strength:g} chosen {how}; {_windows(gram.train.windows, 'training')}")


def _windows(count: int, part: str) -> str:
    return f"{count:,} {part} window{'s' * (count != 1)}"


def fit_groups(grams: dict[str, GroupGram]) -> tuple[dict[str, Linear], list[str]]:
    """Fit every group that can be fitted.

    Returns:
        The models by group, and the notes of all groups.
    """
    fits = {group: fit_group(group, gram) for group, gram in grams.items()}
    models = {group: fit.model for group, fit in fits.items() if fit.model is not None}
    return models, [fit.note for fit in fits.values()]
