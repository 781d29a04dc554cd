"""Components as the command sees them: names, inputs, parameters and help come from their KFP specifications."""

import json
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from textwrap import wrap
from typing import Any, Final, get_args, get_type_hints

from sparkhu.errors import InputError
from sparkhu_cli.staging import staged

ARTIFACT: Final = "system."


def names() -> tuple[str, ...]:
    """Name the components, in the order of the pipeline."""
    from sparkhu_components import COMPONENTS

    return tuple(COMPONENTS)


def load_component(name: str) -> Any:
    """Import a component by its name.

    Raises:
        InputError: There is none of that name; the message has the closest one.
    """
    if name not in names():
        raise InputError(f"step '{name}' is unknown. {_meant(name, names())} `sparkhu step --list` shows all.")
    return getattr(import_module(f"sparkhu_components.{name}"), name)


def first_line(component: Any) -> str:
    """Give the first line of a component's help."""
    return str(component.description or component.component_spec.description or "").strip().split("\n")[0]


def describe_component(component: Any) -> str:
    """Write what a component takes and gives: inputs, parameters with type and default, outputs."""
    spec = component.component_spec
    datasets, params = _artifacts(component), _parameters(component)
    lines = [f"{component.python_func.__name__}: {first_line(component)}"]
    lines += _section("Inputs (--in NAME=DIR)", {name: _text(spec.inputs[name]) for name in datasets})
    described = {f"{name} ({item.type.lower()})": f"{_text(item)}{_default(item)}" for name, item in params.items()}
    lines += _section("Parameters (--set NAME=VALUE)", described)
    said = _docstring(component)
    lines += _section("Outputs (folders in --out)", {name: said.get(name, "") for name in written_by(component)})
    return "\n".join(lines)


def arguments_of(component: Any, inputs: Sequence[str], params: Sequence[str]) -> dict[str, Any]:
    """Turn `NAME=DIR` and `NAME=VALUE` into the arguments of a component.

    Raises:
        InputError: A name is unknown, given twice or missing, a folder is not there, or a value has another type.
    """
    spec, folders = component.component_spec, _artifacts(component)
    found: dict[str, Any] = {}
    several = {name for name, item in folders.items() if item.is_artifact_list}
    for name, given in _pairs("--in", inputs, folders, several).items():
        for folder in given:
            if not Path(folder).exists():
                raise InputError(f"--in {name}: '{folder}' does not exist. Give the folder that a step wrote.")
        artifacts = [_artifact_class(component, name)(uri=str(Path(folder).resolve())) for folder in given]
        found[name] = artifacts if name in several else artifacts[0]
    known = _parameters(component)
    for name, (text,) in _pairs("--set", params, known).items():
        found[name] = parse_value(name, known[name].type, text)
    missing = [name for name, item in (spec.inputs or {}).items() if name not in found and not item.optional]
    if missing:
        flags = " ".join(f"--in {name}=DIR" if name in folders else f"--set {name}=VALUE" for name in missing)
        raise InputError(f"step '{component.python_func.__name__}' needs more: {flags}.")
    return found


def parse_value(name: str, kind: str, text: str) -> Any:
    """Read the text of a parameter by its declared type.

    Raises:
        InputError: The text is no value of that type.
    """
    readers: dict[str, Callable[[str], Any]] = {
        "String": str,
        "Integer": int,
        "Float": float,
        "Boolean": _boolean,
        "List": json.loads,
        "Dict": json.loads,
    }
    try:
        return readers[kind](text)
    except ValueError as error:
        expected = {"Boolean": "true or false", "List": "a JSON list", "Dict": "a JSON object"}
        raise InputError(
            f"--set {name}: '{text}' is no {kind.lower()}. Give {expected.get(kind, 'a number')}."
        ) from error


def written_by(component: Any) -> tuple[str, ...]:
    """Name the outputs of a component that are folders; values that it returns are for the steps behind it."""
    outputs = component.component_spec.outputs or {}
    return tuple(name for name, item in outputs.items() if str(item.type).startswith(ARTIFACT))


def run_component(component: Any, arguments: dict[str, Any], out: Path) -> dict[str, Any]:
    """Run a component in this process, its outputs as folders in `out`, all of them or none.

    Returns:
        What the first output's metadata say: seconds, rows in and out, counts.
    """
    outputs = written_by(component)
    with staged(out, last=outputs[-1], owned=outputs) as stage:
        artifacts = {
            name: _artifact_class(component, name)(name=name, uri=str(stage.results / name)) for name in outputs
        }
        component.python_func(**arguments, **artifacts)
    described = [artifact.metadata for artifact in artifacts.values() if artifact.metadata]
    return described[0] if described else {}


def _boolean(text: str) -> bool:
    values = {"true": True, "false": False}
    if text.lower() not in values:
        raise ValueError(text)
    return values[text.lower()]


def _artifacts(component: Any) -> dict[str, Any]:
    inputs = component.component_spec.inputs or {}
    return {name: item for name, item in inputs.items() if str(item.type).startswith(ARTIFACT)}


def _parameters(component: Any) -> dict[str, Any]:
    inputs = component.component_spec.inputs or {}
    return {name: item for name, item in inputs.items() if not str(item.type).startswith(ARTIFACT)}


def _artifact_class(component: Any, name: str) -> Any:
    """Give the class of an artifact; of an input that takes a list, that of its items."""
    kind = get_args(get_type_hints(component.python_func, include_extras=True)[name])[0]
    return next(iter(get_args(kind)), kind)


def _pairs(
    flag: str, texts: Sequence[str], known: dict[str, Any], several: Collection[str] = ()
) -> dict[str, list[str]]:
    """Read what was given under each name: once, or often where `several` has the name."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{flag} '{text}' has no '='. Write {flag} NAME=VALUE.")
        if name not in known:
            raise InputError(f"{flag} '{name}' is unknown. {_meant(name, tuple(known))}")
        if name in found and name not in several:
            raise InputError(f"{flag} '{name}' is given twice. Give it once.")
        found.setdefault(name, []).append(value)
    return found


def _meant(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"There is: {', '.join(known) or 'none'}."


def _section(title: str, rows: dict[str, str]) -> list[str]:
    if not rows:
        return []
    lines = ["", f"{title}:"]
    width = max(map(len, rows))
    for name, text in rows.items():
        first, *rest = wrap(text, 100 - width) or [""]
        lines += [f"  {name:<{width}}  {first}".rstrip(), *[f"  {'':<{width}}  {line}" for line in rest]]
    return lines


def _text(item: Any) -> str:
    return " ".join(str(item.description or "").split())


def _docstring(component: Any) -> dict[str, str]:
    """Give what a component's docstring says of its arguments: a specification says nothing of outputs."""
    from docstring_parser import parse

    arguments = parse(component.python_func.__doc__ or "").params
    return {each.arg_name: " ".join((each.description or "").split()) for each in arguments}


def _default(item: Any) -> str:
    """Write the default; an empty text says nothing, its meaning stands in the description."""
    if not item.optional:
        return "  [required]"
    return "" if item.default in ("", None) else f"  [{json.dumps(item.default)}]"
