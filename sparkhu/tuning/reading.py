"""Experiments as Katib's users write them: a YAML file becomes a checked model, and a model says what is searched."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from sparkhu.errors import InputError
from sparkhu.tuning.space import Direction, Parameter, Space
from sparkhu.tuning.strategies import Strategy

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment, V1beta1ParameterSpec
    from pydantic import BaseModel

API_VERSION: Final = "kubeflow.org/v1beta1"
_NUMBERS_AS_TEXTS: Final = {"min", "max", "step", "list"}
"""Fields of a feasible space that Katib wants as strings; a plain number has one clear meaning there."""


def read_experiment(path: Path) -> "V1beta1Experiment":
    """Read an experiment from a YAML file.

    Returns:
        The experiment with Katib's defaults, checked by its rules; a status that the file holds is left out.

    Raises:
        InputError: The file cannot be read or holds no experiment, or a field cannot be used; the message names it.
    """
    import yaml

    try:
        documents = [found for found in yaml.safe_load_all(path.read_text("utf-8")) if found is not None]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read '{path}': {getattr(error, 'strerror', None) or error}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"'{path}' is no YAML: {' '.join(str(error).split())}") from error
    if len(documents) != 1:
        raise InputError(f"'{path}' holds {len(documents)} documents. Give a file with one Experiment.")
    try:
        return prepared(experiment_of(documents[0]))
    except InputError as error:
        raise InputError(f"'{path}': {error}") from None


def experiment_of(document: object) -> "V1beta1Experiment":
    """Make the model of an experiment.

    Args:
        document: What a YAML or JSON file holds.

    Raises:
        InputError: It is no experiment, or has a field that Katib does not know; the message gives its path.
    """
    from kubeflow_katib_api.models import V1beta1Experiment
    from pydantic import ValidationError

    if not isinstance(document, dict):
        raise InputError(f"this is no Experiment but {_kind_of(document)}. Give a mapping with apiVersion and kind.")
    for name, expected in (("apiVersion", API_VERSION), ("kind", "Experiment")):
        if document.get(name) != expected:
            raise InputError(f"{name}: got {document.get(name)!r}, must be '{expected}'.")
    declared = {name: value for name, value in document.items() if name != "status"}
    _check_known(declared, V1beta1Experiment, "")
    declared = _with_texts(declared)
    try:
        return cast("V1beta1Experiment", V1beta1Experiment.from_dict(declared))
    except ValidationError:
        raise InputError(_first_refusal(declared)) from None


def prepared(experiment: "V1beta1Experiment", *, template: bool = True) -> "V1beta1Experiment":
    """Give a copy of an experiment with Katib's defaults, checked by its rules.

    Args:
        experiment: The experiment.
        template: Whether it must have a trial template; one whose trials are calls of a function needs none.

    Raises:
        InputError: A field cannot be used; the message names every such field.
    """
    from sparkhu.tuning.defaults import with_defaults
    from sparkhu.tuning.validation import check_experiment

    filled = with_defaults(experiment)
    check_experiment(filled, template=template)
    return filled


def space_of(experiment: "V1beta1Experiment") -> Space:
    """Read the search space of a checked experiment."""
    return tuple(_parameter(spec) for spec in experiment.spec.parameters or [])


def direction_of(experiment: "V1beta1Experiment") -> Direction:
    """Say whether a small or a large objective is good."""
    return cast("Direction", experiment.spec.objective.type)


def metric_of(experiment: "V1beta1Experiment") -> str:
    """Name the metric that is the objective."""
    return cast("str", experiment.spec.objective.objective_metric_name)


def strategies_of(experiment: "V1beta1Experiment") -> dict[str, Strategy]:
    """Give the strategy of each metric, the objective first."""
    objective = experiment.spec.objective
    found = {strategy.name: strategy.value for strategy in objective.metric_strategies}
    names = (objective.objective_metric_name, *(objective.additional_metric_names or ()))
    return {name: found[name] for name in dict.fromkeys(names)}


def settings_of(settings: "list[Any] | None") -> dict[str, str]:
    """Give the settings of an algorithm by their names."""
    return {setting.name: setting.value for setting in settings or []}


def _parameter(spec: "V1beta1ParameterSpec") -> Parameter:
    space = spec.feasible_space
    if spec.parameter_type in {"discrete", "categorical"}:
        return Parameter(spec.name, spec.parameter_type, choices=tuple(space.list))
    low, high = float(space.min), float(space.max)
    step = float(space.step) if space.step else None
    return Parameter(spec.name, spec.parameter_type, low, high, step, space.distribution)


def _check_known(document: Mapping[str, Any], model: "type[BaseModel]", path: str) -> None:
    """Refuse fields that a model does not have; the generated models would drop them in silence."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, value in document.items():
        place = f"{path}.{name}" if path else str(name)
        if name not in fields:
            likely = f"has {', '.join(sorted(fields))}" if len(fields) <= 15 else "has no such field"
            raise InputError(f"{place}: Katib knows no such field; '{path or 'an Experiment'}' {likely}.")
        inner = _model_in(fields[name].annotation)
        if inner is None or value is None:
            continue
        if _is_list(fields[name].annotation):
            _check_list(value, inner, place)
        elif isinstance(value, dict):
            _check_known(value, inner, place)
        elif "actual_instance" not in inner.model_fields:  # one of several plain values, such as a port
            raise InputError(f"{place}: must be a mapping, got {_kind_of(value)}.")


def _check_list(values: object, model: "type[BaseModel]", path: str) -> None:
    if not isinstance(values, list):
        raise InputError(f"{path}: must be a list, got {_kind_of(values)}.")
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            raise InputError(f"{path}[{index}]: must be a mapping, got {_kind_of(value)}.")
        _check_known(value, model, f"{path}[{index}]")


def _model_in(annotation: Any) -> "type[BaseModel] | None":
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


def _is_list(annotation: Any) -> bool:
    import typing

    origin = typing.get_origin(annotation)
    return origin is list or any(_is_list(part) for part in get_args(annotation))


def _with_texts(document: Any, name: str = "") -> Any:
    """Write plain numbers as texts where Katib wants texts: in feasible spaces and in settings of algorithms."""
    if isinstance(document, dict):
        if name == "trialSpec":
            return document
        texts = _NUMBERS_AS_TEXTS if name == "feasibleSpace" else {"value"} if name == "algorithmSettings" else set()
        return {key: _text(value) if key in texts else _with_texts(value, key) for key, value in document.items()}
    if isinstance(document, list):
        return [_with_texts(value, name) for value in document]
    return document


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(one) for one in value]
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _first_refusal(document: Mapping[str, Any]) -> str:
    """Say which field the models refuse, and why; read whole, they tell its path."""
    from kubeflow_katib_api.models import V1beta1Experiment
    from pydantic import ValidationError

    try:
        V1beta1Experiment.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        parts = [part for part in first["loc"] if part not in {"float", "int"}]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
        quoted = ". Write it in quotes" if first["type"] == "string_type" else ""
        return f"{place}: got {first['input']!r}; {first['msg'].lower()}{quoted}."
    return "a field of it cannot be used."


def _kind_of(value: object) -> str:
    names = {"dict": "a mapping", "list": "a list", "str": "a text", "NoneType": "nothing"}
    return names.get(type(value).__name__, f"{value!r}")
