"""Names, lines and ids of items as people give them: what they may consist of, said in words where they do not."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, StringConstraints

from sparkhu.errors import InputError

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f]*$"
LONGEST_LINE: Final = 1_000
LONGEST_ID: Final = 4_000


def _said(pattern: str, words: str, *, most: int) -> BeforeValidator:
    """Refuse in words what does not fit a pattern, before the pattern itself does."""
    form = re.compile(pattern.removesuffix("$"))

    def checked(given: Any) -> Any:
        if isinstance(given, str) and not (0 < len(given) <= most and form.fullmatch(given)):
            raise InputError(f"it must be {words}")
        return given

    return BeforeValidator(checked)


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
