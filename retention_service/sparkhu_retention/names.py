"""Names, lines and ids of items as people give them: what they may consist of, said in words where they do not."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from sparkhu.errors import InputError

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f]*$"
LONGEST_LINE: Final = 1_000
LONGEST_ID: Final = 4_000
PATTERN_SIGNS: Final = "*?"


def _said(pattern: str, words: str, *, most: int) -> BeforeValidator:
    """Refuse in words what does not fit a pattern, before the pattern itself does."""
    form = re.compile(pattern.removesuffix("$"))

    def checked(given: Any) -> Any:
        if isinstance(given, str) and not (0 < len(given) <= most and form.fullmatch(given)):
            raise InputError(f"it must be {words}")
        return given

    return BeforeValidator(checked)


def _no_pattern(item: str) -> str:
    """Refuse a pattern where items are compared by their ids: it would stand for none, and nobody would be told."""
    if any(sign in item for sign in PATTERN_SIGNS):
        raise InputError(
            "it must be the id of one item, not a pattern; name the items one by one, or hold a dataset, whose "
            "patterns count for what comes later as well, and for items with '*' or '?' in their ids"
        )
    return item


Name = Annotated[
    str,
    StringConstraints(pattern=NAME),
    _said(NAME, "1 to 100 letters, digits, '.', '_' and '-', the first a letter or a digit", most=100),
]
Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_LINE, pattern=NO_CONTROLS),
    _said(NO_CONTROLS, f"a line of 1 to {LONGEST_LINE:,} signs", most=LONGEST_LINE),
]
ItemId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=NO_CONTROLS),
    _said(NO_CONTROLS, f"a line of 1 to {LONGEST_ID:,} signs", most=LONGEST_ID),
]
OneItemId = Annotated[ItemId, AfterValidator(_no_pattern)]
