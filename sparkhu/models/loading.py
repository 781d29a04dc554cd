"""Open a model of any kind from the folder that it was saved to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from sparkhu.errors import SparkhuError
from sparkhu.models.base import Floats, Forecaster
from sparkhu.models.ensemble import Ensemble
from sparkhu.models.linear import Linear, LinearSettings
from sparkhu.models.naive import LastValue, SeasonalNaive
from sparkhu.models.neural.architectures import ARCHITECTURES
from sparkhu.models.neural.forecaster import load_neural
from sparkhu.models.own_linear import OwnLinear
from sparkhu.models.statistical import Method, Statistical
from sparkhu.models.storage import read_model
from sparkhu.models.trees import Trees


def _sized(content: dict[str, Any], _: dict[str, Floats]) -> LastValue:
    return LastValue(content["input_size"], content["horizon"])


def _seasonal(content: dict[str, Any], _: dict[str, Floats]) -> SeasonalNaive:
    return SeasonalNaive(content["input_size"], content["horizon"], content["season_length"])


def _linear(content: dict[str, Any], arrays: dict[str, Floats]) -> Linear:
    return Linear(
        arrays["weights"],
        arrays["intercept"],
        arrays["evaluation_weights"],
        arrays["evaluation_intercept"],
        LinearSettings.of(content["settings"]),
        arrays.get("sums"),
    )


def _statistical(content: dict[str, Any], _: dict[str, Floats]) -> Statistical:
    return Statistical(content["kind"], content["input_size"], content["horizon"], content["season_length"])


def _own_linear(content: dict[str, Any], arrays: dict[str, Any]) -> OwnLinear:
    series = tuple(content["series"])
    return OwnLinear(arrays["weights"], arrays["evaluation_weights"], series, content["strength"])


KINDS: dict[str, Callable[[dict[str, Any], dict[str, Floats]], Forecaster]] = {
    "last_value": _sized,
    "seasonal_naive": _seasonal,
    "linear": _linear,
    "own_linear": _own_linear,
    **dict.fromkeys(get_args(Method), _statistical),
    **dict.fromkeys(ARCHITECTURES, load_neural),
}


def _trees(folder: Path, content: dict[str, Any], _: dict[str, Floats]) -> Trees:
    return Trees.load(folder, content)


def _ensemble(folder: Path, content: dict[str, Any], arrays: dict[str, Floats]) -> Ensemble:
    return Ensemble.load(folder, content, arrays, load_model)


WITH_FILES: dict[str, Callable[[Path, dict[str, Any], dict[str, Floats]], Forecaster]] = {
    "trees": _trees,
    "ensemble": _ensemble,
}
"""Models that keep files of their own beside these two."""


def load_model(folder: Path) -> Forecaster:
    """Load the model that was saved to `folder`.

    Raises:
        InputError: The folder holds no model.
        SparkhuError: The model is damaged or of a kind that this library does not know.
    """
    content, arrays = read_model(folder)
    kind = content.get("kind")
    if kind not in KINDS.keys() | WITH_FILES.keys():
        known = ", ".join([*KINDS, *WITH_FILES])
        raise SparkhuError(f"'{folder}' holds a model of the kind '{kind}'; known are {known}.")
    try:
        return WITH_FILES[kind](folder, content, arrays) if kind in WITH_FILES else KINDS[kind](content, arrays)
    except (KeyError, TypeError, AttributeError) as error:
        raise SparkhuError(f"the model in '{folder}' is incomplete: {error}. Train it again.") from error
