"""What is wrong with what a model refused, in words: the parameter's name, its value, and the way out."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PARAMETER: Final = "parameter"
MOST_NAMES: Final = 10
SEE_HELP: Final = "see sparkhu run --list-parameters."
LONGEST_SHOWN: Final = 80


def explained(
    model: type[BaseModel],
    error: ValidationError,
    inside: tuple[str, ...] = (),
    noun: str = PARAMETER,
    shown: Callable[[Any], str] = repr,
) -> str:
    """Say what is wrong with the first parameter that was refused, and the way out.

    Args:
        model: The model that refused it.
        error: How.
        inside: Sections that the model's own parameters stand in.
        noun: What the model's fields are called.
        shown: Writes the value that was refused.
    """
    return _explained(model, error.errors()[0], inside, noun, shown)


def all_explained(model: type[BaseModel], error: ValidationError, noun: str = "field") -> str:
    """Say what is wrong with every field of a document that was refused, as `explained` does with the first."""
    every = [_explained(model, each, (), noun, shown) for each in error.errors()]
    return "; ".join([*(each.rstrip(".") for each in every[:-1]), every[-1]])


def shown(value: object) -> str:
    """Write a value that was refused for a message, without passwords; of what is long or nested, what it is."""
    from sparkhu.sources.secrets import redacted

    if isinstance(value, Mapping | list):
        return f"a {'mapping' if isinstance(value, Mapping) else 'list'}"
    text = repr(redacted(value) if isinstance(value, str) else value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _explained(
    model: type[BaseModel], first: "ErrorDetails", inside: tuple[str, ...], noun: str, shown: Callable[[Any], str]
) -> str:
    path = [str(part) for part in first["loc"]]
    name = ".".join((*inside, *path))
    if not name:
        return first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = _fields(model, path[:-1])
        close = get_close_matches(path[-1], known, n=1)
        few = len(known) <= MOST_NAMES or noun != PARAMETER
        hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(known)}." if few else SEE_HELP
        return f"{noun} '{name}' is unknown; {hint}"
    if first["type"] == "missing":
        return f"{noun} '{name}' is missing; give it a value."
    message = first["msg"].removeprefix("Value error, ")
    return f"{noun} '{name}' cannot be {shown(first['input'])}: {message[0].lower()}{message[1:].rstrip('.')}."


def _fields(model: type[BaseModel], path: list[str]) -> tuple[str, ...]:
    """List the names that the model, or its section at the end of a path of names, keys and places, knows."""
    kind: Any = model
    for part in path:
        kind = get_args(kind)[-1] if get_origin(kind) in (dict, list) else kind.model_fields[part].annotation
        kind = next((each for each in get_args(kind) if NoneType in get_args(kind) and each is not NoneType), kind)
    return tuple(kind.model_fields)
