"""Options of `sparkhu retention` as requests, whose mistakes are told in terms of the options."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zoneinfo import ZoneInfo

from sparkhu.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T", bound="BaseModel")
MOMENTS: Final = ("start", "end")
NAMED: Final = re.compile(r"\b(?:field|option) '(\w+)'")


def request_of(kind: type[T], wanted: Mapping[str, Any]) -> T:
    """Make a request of what options and arguments say; what was not given is left out.

    Args:
        kind: The request.
        wanted: Values by name; of `start` and `end` the texts, and the `zone` of those without an offset.

    Raises:
        InputError: A value cannot be used; the message names the option.
    """
    from pydantic import ValidationError

    from sparkhu.explaining import all_explained
    from sparkhu.zones import check_zone

    check_zone(wanted["zone"])
    said = {name: value for name, value in wanted.items() if name != "zone" and value not in (None, ())}
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
    moments = {name: instant(name, str(given[name]), wanted["zone"]) for name in MOMENTS if name in given}
    try:
        return kind.model_validate(given | moments)
    except ValidationError as error:
        with in_terms_of_options():
            raise InputError(all_explained(kind, error, noun="option")) from error


@contextmanager
def in_terms_of_options() -> Iterator[None]:
    """Name options where a refusal names fields."""
    try:
        yield
    except InputError as error:
        raise InputError(NAMED.sub(_option, str(error))) from error


def instant(name: str, text: str, zone: str) -> str:
    """Read a time as ISO 8601 has it; one without an offset is of a zone.

    Raises:
        InputError: It is none.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--{name} must be a time such as 2024-05-01 or 2024-05-01T12:00Z, got '{text}'") from None
    return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone))).isoformat()


def _option(found: re.Match[str]) -> str:
    return "ITEMS" if found[1] == "items" else f"--{found[1]}"
