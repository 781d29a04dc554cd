"""Every parameter of a run: its name, what it takes, its default, what it means, and the option that sets it."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args, get_origin

from sparkhu_cli.given_parameters import parameter_of

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

KINDS: Final = {str: "text", bool: "true or false", int: "whole number", float: "number"}
PARTS: Final = (
    ("source", "Where the observations are, and what is known of them. Empty: found from the data, and said."),
    ("preparation", "How observations are prepared."),
    ("forecasting", "How series are split, scaled and forecast."),
)
BOUNDS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


class Parameter(NamedTuple):
    """A parameter of a run.

    Attributes:
        name: As in `--set NAME=VALUE`; a setting of a section is `section.setting`.
        takes: What values it takes.
        default: Its default as YAML writes it; empty where a value must be given.
        meaning: What it is.
        option: The option of `sparkhu run` that sets it; empty where it has none and --set does.
    """

    name: str
    takes: str
    default: str
    meaning: str
    option: str


class Chapter(NamedTuple):
    """Parameters that belong together: those of a run itself, or the settings of one section."""

    title: str
    about: str
    parameters: tuple[Parameter, ...]


def chapters() -> list[Chapter]:
    """List all parameters of `sparkhu run`, first its own, then every section's settings.

    Example:
        >>> chapters()[-1].parameters[0].name
        'guard.mode'
    """
    from pydantic import BaseModel

    from sparkhu_pipelines.parameters import PreparationParameters, RunParameters, SourceParameters

    options = _options()
    found, sections, seen = list[Chapter](), list[Chapter](), set[str]()
    for (title, about), model in zip(PARTS, (SourceParameters, PreparationParameters, RunParameters), strict=True):
        plain: list[Parameter] = []
        for name, field in model.model_fields.items():
            kind = field.annotation
            if name not in seen and isinstance(kind, type) and issubclass(kind, BaseModel):
                inner = _listed(kind, options, f"{name}.")
                sections.append(Chapter(name, (kind.__doc__ or "").strip(), tuple(inner)))
            elif name not in seen:
                plain.append(_parameter(name, field, options))
            seen.add(name)
        found.append(Chapter(title, about, tuple(plain)))
    return [*found, *sections]


def described() -> str:
    """Write all parameters for a terminal."""
    lines: list[str] = []
    for chapter in chapters():
        lines += [f"{chapter.title}: {chapter.about}", ""]
        for each in chapter.parameters:
            way = f"  ({each.option})" if each.option else ""
            lines += [f"  {each.name}={each.default}{way}", f"      {each.meaning}  [{each.takes}]"]
        lines.append("")
    lines.append("Set any of them with --set NAME=VALUE, or in a YAML file with --params FILE.")
    return "\n".join(lines)


def _options() -> dict[str, str]:
    """Give the option of `sparkhu run` for each parameter that has one."""
    from sparkhu_cli.run import command

    named = {parameter_of(str(each.name)): each.opts[0] for each in command.params}
    return {name: option for name, option in named.items() if option.startswith("--")}


def _listed(model: "type[BaseModel]", options: dict[str, str], prefix: str) -> Iterator[Parameter]:
    for name, field in model.model_fields.items():
        yield _parameter(f"{prefix}{name}", field, options)


def _parameter(name: str, field: "FieldInfo", options: dict[str, str]) -> Parameter:
    bounds = [f"{BOUNDS[key]} {value:g}" for each in field.metadata for key, value in _limits(each)]
    required = ["required"] if field.is_required() else []
    takes = ", ".join([_takes(field.annotation), *bounds, *required])
    default = "" if field.is_required() else _yaml(field.default)
    return Parameter(name, takes, default, str(field.description), options.get(name, ""))


def _limits(constraint: object) -> list[tuple[str, float]]:
    return [(key, getattr(constraint, key)) for key in BOUNDS if getattr(constraint, key, None) is not None]


def _takes(kind: Any) -> str:
    """Say in words what values a type takes."""
    inner = get_args(kind)
    if get_origin(kind) is Literal:
        return f"one of: {', '.join(_choice(str(each)) for each in inner)}"
    if get_origin(kind) is tuple:
        return f"list of {_takes(inner[0]).removeprefix('one of: ')}"
    if isinstance(kind, UnionType):
        return " or ".join([*(_takes(each) for each in inner if each is not NoneType), "not given"])
    return KINDS[kind]


def _choice(text: str) -> str:
    return text if text.isidentifier() else f"'{text}'"


def _yaml(value: object) -> str:
    """Write a default as a YAML file would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return "''" if value == "" else "" if value is None else str(value)
