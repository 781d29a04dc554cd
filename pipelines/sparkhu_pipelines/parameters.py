"""The parameters of a run: one declaration for the command line, for files, and for checks before anything starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparkhu.errors import InputError
from sparkhu.explaining import explained
from sparkhu.sections import (
    Anomalies,
    Catalogue,
    Decomposition,
    Filling,
    Guard,
    Handling,
    LevelChanges,
    Promotion,
    Reading,
    Resampling,
    Statistics,
    Training,
    Tuning,
)
from sparkhu_pipelines.checks import check_parameters

# A published protocol is run with cleaning off: outliers are marked and nothing is changed.
ETT: dict[str, Any] = {
    "split": "8640/2880/2880",
    "outlier_action": "flag_only",
    "decomposition": {"method": "none"},
    "guard": {"mode": "never"},
    "scaler": "standard",
    "stride": 1,
}
PRESETS: dict[str, dict[str, Any]] = {"ett": ETT}


class SourceParameters(BaseModel):
    """Where the observations are, and what is known of them. An empty text means: found from the data, and said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field("", description="File, folder, glob, database URL or other URI of the observations.")
    lake: str = Field("", description="Lake that is read instead of a source, and that results are published to.")
    time: str = Field("", description="Column of the observation times.")
    value: str = Field("", description="Column of the values.")
    id: str = Field("", description="Column of the series' names.")
    wide: bool = Field(False, description="Every column but the time column is a series.")
    extra: str = Field("", description="Further columns that travel along: names with commas between, or all.")
    zone: str = Field("UTC", description="Time zone of times without an offset, and of days and months.")
    time_format: str = Field("", description="strptime format of the times, where the data alone cannot tell.")
    start: str = Field("", description="First instant of the run's interval.")
    end: str = Field("", description="First instant after the run's interval.")
    lookback: str = Field("", description="How far before `start` a lake is read, such as 60d; empty: found.")
    reading: Reading = Field(Reading(), description="How the source is read.")
    metadata: str = Field("", description="File or database URL with the type, unit and ranges of each series.")
    catalogue: Catalogue = Field(Catalogue(), description="How the metadata are read.")


class PreparationParameters(SourceParameters):
    """How observations are prepared."""

    duplicates: Literal["last", "first", "mean", "median", "error"] = Field(
        "last", description="What stands where one instant has several values."
    )
    period: str = Field("", description="Period of every series, such as 15min, 1h, 1mo, 1bd.")
    season_length: int = Field(0, ge=0, description="Points in a season; 0: from the calendar.")
    past: str = Field("", description="Results of an earlier run, whose estimates of the periods count as well.")
    statistics: Statistics = Field(Statistics(), description="How series are described.")
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
    fill: Literal[
        "", "mean", "median", "mode", "last", "next", "linear", "spline", "seasonal", "moving_average", "drop", "leave"
    ] = Field("", description="Strategy of gap filling for every series; empty: the best on masked known points.")
    filling: Filling = Field(Filling(), description="What the best strategy is chosen from.")
    fill_edge: Literal["leave", "nearest"] = Field(
        "leave", description="Missing points before the first or after the last known one."
    )
    max_gap_points: int = Field(0, ge=0, description="Longest run of missing points that is filled; 0: any.")
    resampling: Resampling = Field(Resampling(), description="Whether series are brought to another period.")
    decomposition: Decomposition = Field(Decomposition(), description="How trend and season are taken out.")
    anomalies: Anomalies = Field(Anomalies(), description="Which remainders are anomalies.")
    level_changes: LevelChanges = Field(LevelChanges(), description="From where on a change of the level is told.")
    handling: Handling = Field(Handling(), description="What becomes of anomalies.")
    max_failed_share: float = Field(0.5, ge=0, le=1, description="Largest share of failed series a run goes on with.")


class RunParameters(PreparationParameters):
    """All parameters of `forecast_pipeline`."""

    split: str = Field("0.7/0.1/0.2", description="Training, validation, test: shares of a series, or its rows.")
    guard: Guard = Field(Guard(), description="Whether cleaning is kept for forecasting.")
    scaler: Literal["standard", "minmax", "robust", "power"] = Field("standard", description="How series are scaled.")
    horizon: int = Field(0, ge=0, description="Steps to forecast; 0: from the period.")
    input_size: int = Field(0, ge=0, description="Points that a forecast looks back on; 0: from period and horizon.")
    stride: int = Field(1, ge=1, description="Rows from one window's start to the next.")
    tuning: Tuning = Field(Tuning(), description="How the parameters of models are searched for.")
    training: Training = Field(Training(), description="Which models are fitted beside the linear one, and how.")
    promotion: Promotion = Field(Promotion(), description="When a model takes the place of the champion.")
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
    merged: dict[str, Any] = {}
    for layer in (PRESETS.get(preset, {}), *layers):
        _lay_over(merged, layer)
    try:
        parameters = RunParameters(**merged)
    except ValidationError as error:
        raise InputError(explained(RunParameters, error)) from error
    check_parameters(parameters)
    return parameters


def _lay_over(merged: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """Lay parameters over others; of a section only the settings given, as `handling.alpha` or in a mapping."""
    for name, value in layer.items():
        section, _, setting = name.partition(".")
        given = {setting: value} if setting else value
        if value is None:
            continue
        if isinstance(given, Mapping) and isinstance(merged.get(section, {}), Mapping):
            merged[section] = {**merged.get(section, {}), **given}
        else:
            merged[section] = given


TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Plain(yaml.SafeLoader):
    """Reads YAML, and leaves dates and times the text that they are: that is what parameters take."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the loader's own way of saying what a plain word means
        sign: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(text: str) -> Any:
    """Read YAML; a date or a time such as 2024-01-05 stays text.

    Raises:
        yaml.YAMLError: The text is no YAML.

    Example:
        >>> read_yaml("{start: 2024-01-05, horizon: 3}")
        {'start': '2024-01-05', 'horizon': 3}
    """
    return yaml.load(text, Loader=_Plain)  # noqa: S506 - a safe loader


def load_parameters(file: Path) -> dict[str, Any]:
    """Read run parameters from a YAML file.

    Raises:
        InputError: The file is not there, is no YAML, or holds no mapping of names to values.
    """
    return read_mapping(file, kind="parameter", example="horizon: 24")


def read_mapping(file: Path, *, kind: str, example: str, empty: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read a YAML file that maps names to values.

    Args:
        file: The file.
        kind: What it is, for messages.
        example: A line of such a file, for messages.
        empty: What an empty file stands for; None: it is refused.

    Raises:
        InputError: The file is not there, is no YAML, or holds no mapping of names to values.
    """
    try:
        content = read_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{kind} file '{file}' cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{kind} file '{file}' is no YAML: {error}") from error
    if content is None and empty is not None:
        return dict(empty)
    if not isinstance(content, dict):
        raise InputError(f"{kind} file '{file}' must map names to values, such as `{example}`.")
    return content
