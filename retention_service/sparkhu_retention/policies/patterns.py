"""Patterns of datasets and storages, and what they stand for.

`*` stands for any signs but `/`, `?` for one of them, and a part `**` for any number of parts.
"""

import re
from functools import lru_cache
from itertools import takewhile
from typing import Final

import polars as pl

SIGNS: Final = re.compile(r"^\*\*/|/\*\*(?=/|\Z)|\*\*|.", re.DOTALL)
MEANT: Final = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
EVERYTHING: Final = "**"


def fits(pattern: str, text: str) -> bool:
    """Tell whether a text fits a pattern, in a time that no pattern can blow up."""
    return text.startswith(beginning(pattern)) and bool(pl.Series([text]).str.contains(expression(pattern))[0])


@lru_cache(maxsize=4_096)
def expression(pattern: str) -> str:
    """Write a pattern as a regular expression of whole texts, in the dialect of Polars.

    Example:
        >>> fits("logs/**", "logs"), fits("logs/*", "logs/a/b")
        (True, False)
    """
    found = "".join(MEANT.get(sign) or re.escape(sign) for sign in signs_of(pattern))
    return f"(?s)^{found}$"


def signs_of(pattern: str) -> tuple[str, ...]:
    """Split a pattern into signs, each of them a key of `MEANT` or a sign that stands for itself."""
    return tuple(SIGNS.findall(pattern))


@lru_cache(maxsize=16_384)
def beginning(pattern: str) -> str:
    """Give what all texts that fit a pattern begin with.

    Example:
        >>> beginning("logs/*.csv"), beginning("logs/**")
        ('logs/', 'logs')
    """
    return "".join(takewhile(lambda sign: sign not in MEANT, signs_of(pattern)))


@lru_cache(maxsize=16_384)
def ending(pattern: str) -> str:
    """Give what all texts that fit a pattern end with."""
    return "".join(takewhile(lambda sign: sign not in MEANT, reversed(signs_of(pattern))))[::-1]
