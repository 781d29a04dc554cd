"""Ridge regression from Gram matrices, its strength chosen on validation windows.

Source: A. E. Hoerl and R. W. Kennard, "Ridge Regression", Technometrics 12 (1970); the intercept is not penalised.
The penalty is `strength` times the mean variance-sum of the inputs, so that one grid serves groups of every size.

Inputs and targets are differences from the newest point, so the intercept is a drift: a way that all series of a group
go, whatever they have done. Growing series have one; where it is but the way that the training interval happened to
go, it misleads behind it. So it is in the model only where it takes a hundredth of the error away on the windows that
choose, which lie behind those of training.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from sparkhu.errors import SparkhuError
from sparkhu.models.linear import Linear, LinearSettings, Prior
from sparkhu.models.naive import SeasonalNaive
from sparkhu.threads import on_one_thread
from sparkhu.training.gram import Gram, GroupGram
from sparkhu.training.parts import Floats

DEFAULTS: Final = LinearSettings()
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
DRIFT_GAIN: Final = 0.01
"""Share of the error that a drift must take away, for the model without one is the simpler."""
STRENGTHS: tuple[float, ...] = tuple(float(f"{10 ** (tenths / 4):.4g}") for tenths in range(-24, 13))


class Fit(NamedTuple):
    """What training a group gave.

    Attributes:
        model: The fitted model; None where the group has no training window.
        note: What was chosen and how, in words.
    """

    model: Linear | None
    note: str


class _Judged(NamedTuple):
    """Whether a model has a drift, and its error."""

    drift: bool
    error: float


class Spectrum:
    """The centred normal equations of a Gram matrix, diagonalised: solves the ridge for any strength at once.

    Args:
        gram: Of at least one window.
        prior: The weights (L, H) that the penalty pulls towards; None: zero, which repeats the last value.
        drift: Whether there is an intercept; without one nothing is centred.
    """

    def __init__(self, gram: Gram, prior: Floats | None = None, *, drift: bool = True):
        L, n = gram.input_size, gram.windows
        means = gram.matrix[L] / n if drift else np.zeros_like(gram.matrix[L])
        self.windows, self.input_mean, self.target_mean, self.drift = n, means[:L], means[L + 1 :], drift
        inputs = gram.matrix[:L, :L] - n * np.outer(self.input_mean, self.input_mean)
        cross = gram.matrix[:L, L + 1 :] - n * np.outer(self.input_mean, self.target_mean)
        self.variance = np.diag(gram.matrix)[L + 1 :] - n * self.target_mean**2
        self.prior = prior
        if prior is not None:
            told = inputs @ prior
            self.variance += (prior * (told - 2 * cross)).sum(axis=0)
            cross -= told
        values, self.vectors = np.linalg.eigh(inputs)
        self.values = np.maximum(values, 0.0)
        self.projected = self.vectors.T @ cross
        self.unit = float(self.values.mean()) or 1.0

    def solve(self, penalty: float) -> tuple[Floats, Floats]:
        """Give weights (L, H) and intercept (H,) at a penalty on the sum of squared errors."""
        weights = self.vectors @ (self.projected / (self.values + penalty)[:, None])
        if self.prior is not None:
            weights += self.prior
        return weights, self.target_mean - self.input_mean @ weights

    def cross_validated(self, penalty: float) -> float:
        """Give the generalised cross-validation score at a penalty (Golub, Heath, Wahba, Technometrics 21, 1979)."""
        shrunk = self.projected / (self.values + penalty)[:, None]
        explained = 2 * (shrunk * self.projected).sum() - (shrunk**2 * self.values[:, None]).sum()
        freedom = float(self.drift) + (self.values / (self.values + penalty)).sum()
        return float((self.variance.sum() - explained) / max(1.0 - freedom / self.windows, 1e-9) ** 2)


def mean_squared_error(gram: Gram, weights: Floats, intercept: Floats) -> float:
    """Give the mean squared error, over windows and horizon steps, of a linear map on the windows of a Gram matrix."""
    stacked = np.vstack([weights, intercept[None, :], -np.eye(gram.horizon)])
    return float((stacked * (gram.matrix @ stacked)).sum() / (gram.windows * gram.horizon))


class Ridge:
    """The ridge of a group for any settings; what was diagonalised for some of them serves all strengths.

    Args:
        gram: The group's Gram matrices; at least one training window.
        season_length: Points in a season, for shrinking towards the seasonal naive forecast.
    """

    def __init__(self, gram: GroupGram, season_length: int):
        self.gram, self.season_length = gram, season_length
        self._trained: dict[tuple[int, Prior, bool], Spectrum] = {}

    def fit(self, settings: LinearSettings) -> Linear:
        """Fit the model with settings whose strength is given."""
        strength = _given(settings)
        drift = self._judged(settings, strength).drift
        every = self.gram.train + self.gram.rest
        trained = self._trained_weights(settings, strength, drift=drift)
        return Linear(*solved(every, settings, self.season_length, drift=drift), *trained, settings, every.matrix)

    def validation_error(self, settings: LinearSettings) -> float:
        """Give the mean squared error on the choosing windows, in scaled units, with settings whose strength is given.

        Raises:
            SparkhuError: The group has no choosing window.
        """
        if not self.gram.choose.windows:
            raise SparkhuError("no validation window of the group has all its targets observed")
        return self._judged(settings, _given(settings)).error

    def chosen(self, settings: LinearSettings) -> LinearSettings:
        """Choose the strength of settings that lack it: by the choosing windows, else by cross-validation."""
        if settings.strength is not None:
            return settings
        errors = [self._judged(settings, strength).error for strength in STRENGTHS]
        return replace(settings, strength=STRENGTHS[int(np.argmin(errors))])

    def _judged(self, settings: LinearSettings, strength: float) -> _Judged:
        """Say whether the model has a drift, and its error then."""
        without, with_one = (self._error(settings, strength, drift=drift) for drift in (False, True))
        earned = with_one < (1 - DRIFT_GAIN) * without
        return _Judged(earned, with_one if earned else without)

    def _error(self, settings: LinearSettings, strength: float, *, drift: bool) -> float:
        if self.gram.choose.windows:
            return mean_squared_error(self.gram.choose, *self._trained_weights(settings, strength, drift=drift))
        train = self._training(settings, drift=drift)
        return train.cross_validated(strength * train.unit)

    def _training(self, settings: LinearSettings, *, drift: bool) -> Spectrum:
        key = _points(self.gram.train, settings), settings.shrink_to, drift
        if key not in self._trained:
            self._trained[key] = _spectrum(self.gram.train, settings, self.season_length, drift=drift)
        return self._trained[key]

    def _trained_weights(self, settings: LinearSettings, strength: float, *, drift: bool) -> tuple[Floats, Floats]:
        train = self._training(settings, drift=drift)
        return _whole(train.solve(strength * train.unit), self.gram.train.input_size)


def solved(gram: Gram, settings: LinearSettings, season_length: int, *, drift: bool) -> tuple[Floats, Floats]:
    """Give weights (L, H) and intercept (H,) over the windows of a Gram matrix.

    Args:
        gram: Of at least one window.
        settings: With a strength.
        season_length: Points in a season.
        drift: Whether there is an intercept.
    """
    spectrum = _spectrum(gram, settings, season_length, drift=drift)
    return _whole(spectrum.solve(_given(settings) * spectrum.unit), gram.input_size)


def _points(gram: Gram, settings: LinearSettings) -> int:
    return max(round(settings.look_back * gram.input_size), 1)


def _spectrum(gram: Gram, settings: LinearSettings, season_length: int, *, drift: bool) -> Spectrum:
    narrow = gram.narrowed(_points(gram, settings))
    if settings.shrink_to == "last_value":
        return Spectrum(narrow, drift=drift)
    prior = np.zeros((narrow.input_size, narrow.horizon))
    repeated = SeasonalNaive(narrow.input_size, narrow.horizon, season_length).repeated()
    prior[repeated, np.arange(narrow.horizon)] = 1.0
    return Spectrum(narrow, prior, drift=drift)


def _whole(solution: tuple[Floats, Floats], input_size: int) -> tuple[Floats, Floats]:
    """Give points beyond the look-back a weight of zero."""
    weights, intercept = solution
    return np.pad(weights, ((input_size - len(weights), 0), (0, 0))), intercept


def _given(settings: LinearSettings) -> float:
    if settings.strength is None:
        raise ValueError("the strength of the settings must be given; Ridge.chosen chooses it")
    return settings.strength


@on_one_thread
def fit_group(group: str, gram: GroupGram, *, season_length: int = 1, settings: LinearSettings = DEFAULTS) -> Fit:
    """Fit the linear model of a group: the strength by the choosing windows, the final weights on all windows.

    Where no choosing window has all its targets observed, generalised cross-validation on the training
    windows chooses; the note says so.

    Args:
        group: Its name, for the note.
        gram: Its Gram matrices.
        season_length: Points in a season.
        settings: What it is fitted with, as tuned; a strength that is given is not chosen.
    """
    if gram.train.windows == 0:
        return Fit(None, f"{group}: no training window, so no linear model")
    ridge = Ridge(gram, season_length)
    model = ridge.fit(ridge.chosen(settings))
    if settings.strength is not None:
        how = "as tuned"
    elif gram.choose.windows:
        how = f"chosen on {_windows(gram.choose.windows, 'validation')}"
    else:
        how = "chosen by generalised cross-validation on the training windows, for want of validation windows"
    drift = " and a drift of all series" if model.intercept.any() else ""
    strength = f"ridge strength {model.settings.strength:.4g}{drift}{_beside(model.settings)} {how}"
    return Fit(model, f"{group}: {strength}; {_windows(gram.train.windows, 'training')}")


def _beside(settings: LinearSettings) -> str:
    """Say which settings beside the strength are not those that stand where nobody changes them."""
    told = f", look-back {settings.look_back:.0%}" if settings.look_back != DEFAULTS.look_back else ""
    if settings.shrink_to != DEFAULTS.shrink_to:
        told += f", shrunk to {settings.shrink_to.replace('_', ' ')}"
    return f"{told}," if told else ""


def _windows(count: int, part: str) -> str:
    return f"{count:,} {part} window{'s' * (count != 1)}"


def fit_groups(
    grams: Mapping[str, GroupGram],
    *,
    seasons: Mapping[str, int] = NOTHING,
    settings: Mapping[str, LinearSettings] = NOTHING,
) -> tuple[dict[str, Linear], list[str]]:
    """Fit every group that can be fitted.

    Args:
        grams: The Gram matrices by group.
        seasons: Points in a season by group; 1 where there is none.
        settings: What a group is fitted with, as tuned; the defaults where it is not named.

    Returns:
        The models by group, and the notes of all groups.
    """
    fits = {
        group: fit_group(group, gram, season_length=seasons.get(group, 1), settings=settings.get(group, DEFAULTS))
        for group, gram in grams.items()
    }
    models = {group: fit.model for group, fit in fits.items() if fit.model is not None}
    return models, [fit.note for fit in fits.values()]
