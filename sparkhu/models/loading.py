"""Open a model of any kind from the folder that it was saved to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparkhu.errors import SparkhuError
from sparkhu.models.base import Floats, Forecaster
from sparkhu.models.linear import Linear, LinearSettings
from sparkhu.models.naive import LastValue, SeasonalNaive
from sparkhu.models.storage import read_model


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
    )


KINDS: dict[str, Callable[[dict[str, Any], dict[str, Floats]], Forecaster]] = {
    "last_value": _sized,
    "seasonal_naive": _seasonal,
    "linear": _linear,
}


def load_model(folder: Path) -> Forecaster:
    """Load the model that was saved to `folder`.

    Raises:
        InputError: The folder holds no model.
        SparkhuError: The model is damaged or of a kind that this library does not know.
    """
    content, arrays = read_model(folder)
    kind = content.get("kind")
    if kind not in KINDS:
        raise SparkhuError(f"'{folder}' holds a model of the kind '{kind}'; known are {', '.join(KINDS)}.")
    try:
        return KINDS[kind](content, arrays)
    except (KeyError, TypeError, AttributeError) as error:
        raise SparkhuError(f"the model in '{folder}' is incomplete: {error}. Train it again.") from error
