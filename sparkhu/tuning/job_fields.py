"""What Kubernetes does not read in a Job of `batch/v1`: fields that it does not have, and values of another type.

Katib's webhook refuses both (`validateTrialJob` in `webhook/v1beta1/experiment/validator/validator.go`). What a Job has
is told by the models of the installed `kubernetes` client.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final

JOB: Final = ("batch/v1", "Job")
_LIST: Final = re.compile(r"list\[(.+)\]")
_MAPPING: Final = re.compile(r"dict\(str, (.+)\)")
_QUANTITIES: Final = {"limits", "requests", "overhead", "size_limit", "divisor"}
"""Amounts such as 500m or 2; the models call them texts, and a plain number has one clear meaning there."""
_PLAIN: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "str": ((str,), "a text"),
    "label": ((str, date), "a text"),  # what YAML of Python takes for a date is a text to Kubernetes
    "quantity": ((str, int, float), "a quantity such as 500m or 2"),
    "int": ((int,), "a whole number"),
    "bool": ((bool,), "true or false"),
    "datetime": ((str, datetime), "a time"),
}


def job_problems(job: Mapping[str, Any], path: str) -> Iterator[str]:
    """Find what Kubernetes does not read in a Job.

    Args:
        job: The Job, placeholders included, which are texts.
        path: Where it stands.
    """
    yield from _problems(job, "V1Job", path)


def _problems(value: object, kind: str, path: str) -> Iterator[str]:
    """Find what is wrong with a value, whose kind is written as the models write it; nothing is as good as left out."""
    if value is None or kind == "object":
        return
    if listed := _LIST.fullmatch(kind):
        yield from _list_problems(value, listed.group(1), path)
    elif kind in _PLAIN:
        yield from _plain_problems(value, kind, path)
    elif not isinstance(value, dict):
        yield f"{path}: got {value!r}, must be a mapping."
    elif mapped := _MAPPING.fullmatch(kind):
        inner = "label" if mapped.group(1) == "str" else mapped.group(1)
        for name, one in value.items():
            yield from _problems(one, inner, f"{path}.{name}")
    else:
        yield from _field_problems(value, kind, path)


def _field_problems(document: Mapping[str, Any], kind: str, path: str) -> Iterator[str]:
    from kubernetes.client import models

    model = getattr(models, kind)
    fields = {written: name for name, written in model.attribute_map.items()}
    for written, value in document.items():
        place = f"{path}.{written}"
        if written not in fields:
            near = get_close_matches(str(written), fields, n=1)
            way_out = f"Write {near[0]}" if near else "Leave it out"
            yield f"{place}: Kubernetes knows no such field. {way_out}."
            continue
        yield from _problems(value, _kind_of(model, fields[written]), place)


def _kind_of(model: Any, name: str) -> str:
    kind: str = model.openapi_types[name]
    if name not in _QUANTITIES:
        return kind
    return "quantity" if kind == "str" else "dict(str, quantity)"


def _list_problems(values: object, kind: str, path: str) -> Iterator[str]:
    if not isinstance(values, list):
        yield f"{path}: got {values!r}, must be a list."
        return
    for index, value in enumerate(values):
        name = value.get("name") if isinstance(value, dict) else None
        place = f"{path}[{index if name is None else name}]"
        if value is None:
            yield f"{place}: there is nothing. Give a value, or leave it out."
        yield from _problems(value, kind, place)


def _plain_problems(value: object, kind: str, path: str) -> Iterator[str]:
    types, told = _PLAIN[kind]
    is_whole = kind == "int" and isinstance(value, float) and value.is_integer()
    if is_whole or (isinstance(value, types) and (kind == "bool" or not isinstance(value, bool))):
        return
    if kind in {"str", "label"} and not isinstance(value, list | dict):
        yield f"{path}: got {value!r}; Kubernetes takes texts. Write it in quotes."
    else:
        yield f"{path}: got {value!r}, must be {told}."
