"""The parameters of a run: one declaration for the command line, for files, and for checks before anything starts."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparkhu.errors import InputError

# A published protocol is run with cleaning off: outliers are marked and nothing is changed.
ETT: dict[str, Any] = {"split": "8640/2880/2880", "outlier_action": "flag_only", "scaler": "standard", "stride": 1}
PRESETS: dict[str, dict[str, Any]] = {"ett": ETT}


class SourceParameters(BaseModel):
    """Where the observations are, and what is known of them. An empty text means: found from the data, and said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(description="File, folder, glob or URI of the observations.")
    time: str = Field("", description="Column of the observation times.")
    value: str = Field("", description="Column of the values.")
    id: str = Field("", description="Column of the series' names.")
    wide: bool = Field(False, description="Every column but the time column is a series.")
    zone: str = Field("UTC", description="Time zone of times without an offset, and of days and months.")
    time_format: str = Field("", description="strptime format of the times, where the data alone cannot tell.")
    start: str = Field("", description="First instant of the run's interval.")
    end: str = Field("", description="First instant after the run's interval.")


class PreparationParameters(SourceParameters):
    """How observations are prepared."""

    duplicates: Literal["last", "first", "mean", "median", "error"] = Field(
        "last", description="What stands where one instant has several values."
    )
    period: str = Field("", description="Period of every series, such as 15min, 1h, 1mo, 1bd.")
    season_length: int = Field(0, ge=0, description="Points in a season; 0: from the calendar.")
    stationarity_points: int = Field(1000, ge=0, description="Latest points that ADF and KPSS look at; 0: no tests.")
    outlier_width: float = Field(
        1.5, gt=0, allow_inf_nan=False, description="Distance of the fences, in interquartile ranges."
    )
    outlier_action: Literal["flag", "flag_only", "null", "clip"] = Field(
        "flag", description="What becomes of outliers: count as missing, only marked, removed, or pulled to the fence."
    )
    max_outlier_share: float = Field(
        0.05, ge=0, le=1, description="Largest share of a series' points that this is done to; the rest are kept."
    )
    preserve_last: bool = Field(False, description="Mark no gap in the last period before `end`.")
    fill: Literal["", "mean", "median", "last", "next", "linear"] = Field(
        "", description="Strategy of gap filling for every series; empty: the best on masked known points."
    )
    fill_edge: Literal["leave", "nearest"] = Field(
        "leave", description="Missing points before the first or after the last known one."
    )
    max_gap_points: int = Field(0, ge=0, description="Longest run of missing points that is filled; 0: any.")
    max_failed_share: float = Field(0.5, ge=0, le=1, description="Largest share of failed series a run goes on with.")


class RunParameters(PreparationParameters):
    """All parameters of `forecast_pipeline`."""

    split: str = Field("0.7/0.1/0.2", description="Training, validation, test: shares of a series, or its rows.")
    scaler: Literal["standard", "minmax", "robust", "power"] = Field("standard", description="How series are scaled.")
    horizon: int = Field(0, ge=0, description="Steps to forecast; 0: from the period.")
    input_size: int = Field(0, ge=0, description="Points that a forecast looks back on; 0: from period and horizon.")
    stride: int = Field(1, ge=1, description="Rows from one window's start to the next.")
    model_name: str = Field("forecaster", min_length=1, description="Name of the model in the registry.")


def run_parameters(*layers: Mapping[str, Any], preset: str = "") -> RunParameters:
    """Put parameters together: a preset first, then each layer, later ones winning.

    Args:
        layers: Parameters by name; values of None are passed over.
        preset: Name of a preset, or empty.

    Raises:
        InputError: An unknown preset or parameter, or a value that a parameter does not take.
    """
    if preset and preset not in PRESETS:
        raise InputError(f"preset '{preset}' is unknown; there is {', '.join(sorted(PRESETS))}.")
    merged: dict[str, Any] = dict(PRESETS.get(preset, {}))
    for layer in layers:
        merged |= {name: value for name, value in layer.items() if value is not None}
    try:
        parameters = RunParameters(**merged)
    except ValidationError as error:
        raise InputError(_explained(error, tuple(RunParameters.model_fields))) from error
    check_parameters(parameters)
    return parameters


def check_parameters(parameters: RunParameters) -> None:
    """Check what the steps would refuse, before anything starts.

    Raises:
        InputError: A step's own message about its parameter.
    """
    from sparkhu.registry.versions import check_name
    from sparkhu.steps.gaps import MAX_NEW_ROWS, check_gaps
    from sparkhu.steps.regularity import check_regularity

    check_gaps(
        start=parameters.start,
        end=parameters.end,
        zone=parameters.zone,
        preserve_last=parameters.preserve_last,
        max_new_rows=MAX_NEW_ROWS,
    )
    check_regularity(
        zone=parameters.zone,
        split=parameters.split,
        period=parameters.period,
        season_length=parameters.season_length,
    )
    _check_parts(parameters.split)
    check_name(parameters.model_name)


def _check_parts(text: str) -> None:
    """Check that no part of a split is empty."""
    from sparkhu.splits import parse_split

    split = parse_split(text)
    for part, size, use in (("validation", split.valid, "chosen"), ("test", split.test, "measured")):
        if not size:
            raise InputError(
                f"split needs a {part} part, on which models are {use}, got '{text}'; "
                "give training/validation/test such as 0.7/0.1/0.2 or 8640/2880/2880."
            )


def _explained(error: ValidationError, known: tuple[str, ...]) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        close = get_close_matches(name, known, n=1)
        return f"parameter '{name}' is unknown; {f'did you mean {close[0]}?' if close else 'see sparkhu run --help.'}"
    if first["type"] == "missing":
        return f"parameter '{name}' is missing; give it a value."
    return f"parameter '{name}' cannot be {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}."


def load_parameters(file: Path) -> dict[str, Any]:
    """Read run parameters from a YAML file.

    Raises:
        InputError: The file is not there, is no YAML, or holds no mapping of names to values.
    """
    try:
        content = yaml.safe_load(file.read_text())
    except OSError as error:
        raise InputError(f"parameter file '{file}' cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"parameter file '{file}' is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"parameter file '{file}' must map names to values, such as `horizon: 24`.")
    return content
