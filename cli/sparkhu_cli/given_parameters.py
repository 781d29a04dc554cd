"""From the options of a command to parameters of a run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

READING: Final = ("table", "query", "delimiter", "encoding", "decimal")
TRAINING: Final = ("models", "distribution", "workers")


def parameters_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters that options stand for; one that was not given is None.

    Options that say how a source is read belong to the section `reading`, those that say how models are fitted to
    `training`; `settings` holds texts `name=value`, whose values are read as YAML, times as the text that they are.

    Raises:
        InputError: A setting is no `name=value`, or its value is no YAML.
    """
    given = {parameter_of(name): value for name, value in options.items()}
    return given | _settings(given.pop("settings", ()))


def parameter_of(option: str) -> str:
    """Name the parameter that an option sets.

    Example:
        >>> parameter_of("encoding")
        'reading.encoding'
    """
    sections = {**dict.fromkeys(READING, "reading."), **dict.fromkeys(TRAINING, "training.")}
    return f"{sections.get(option, '')}{option}"


def _settings(texts: Sequence[str]) -> dict[str, Any]:
    import yaml

    from sparkhu.errors import InputError
    from sparkhu_pipelines.parameters import read_yaml

    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise InputError(f"--set takes NAME=VALUE, such as handling.alpha=0.2, got '{text}'.")
        try:
            found[name.strip()] = read_yaml(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {name.strip()} has a value that is no YAML: '{value}'. Quote it.") from error
    return found
