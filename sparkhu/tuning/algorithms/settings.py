"""The settings of an algorithm: names and values as texts, as an experiment gives them, checked as Katib does."""

import math
import secrets
from collections.abc import Callable, Mapping

from sparkhu.errors import InputError

Reader = Callable[[str], object]


def read_settings(algorithm: str, given: Mapping[str, str], known: Mapping[str, Reader]) -> dict[str, object]:
    """Read the settings that are given.

    Args:
        algorithm: Whose they are, for messages.
        given: Values by name.
        known: For each name, what reads its value; a ValueError of it says what is wanted.

    Raises:
        InputError: A name that is not known, or a value that cannot be read.
    """
    read = {}
    for name, value in given.items():
        if name not in known:
            wanted = ", ".join(sorted(known)) or "none"
            raise InputError(f"unknown setting {name} for algorithm {algorithm}; it has: {wanted}")
        try:
            read[name] = known[name](value)
        except ValueError as problem:
            raise InputError(f"setting {name} of algorithm {algorithm} must be {problem}, got {value!r}") from None
    return read


def whole(*, at_least: int) -> Callable[[str], int]:
    """Read a whole number that is not too small."""

    def reader(text: str) -> int:
        if not text.strip().removeprefix("+").isdecimal() or int(text) < at_least:
            raise ValueError(f"a whole number from {at_least} on")
        return int(text)

    return reader


def number(wanted: str, holds: Callable[[float], bool]) -> Callable[[str], float]:
    """Read a number of which a condition holds; `wanted` says it in words."""

    def reader(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and holds(value)):
            raise ValueError(wanted)
        return value

    return reader


def one_of(*names: str) -> Callable[[str], str]:
    """Read one of several names."""

    def reader(text: str) -> str:
        if text not in names:
            raise ValueError("one of " + ", ".join(names))
        return text

    return reader


RANDOM_STATE: Mapping[str, Callable[[str], int]] = {"random_state": whole(at_least=0)}
"""The setting that most of them have."""


def seed_of(settings: Mapping[str, object]) -> int:
    """Give the seed that is set, or a fresh one."""
    given = settings.get("random_state")
    return given if isinstance(given, int) else secrets.randbits(63)
