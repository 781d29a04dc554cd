"""Where a page begins."""

from typing import Final

from sparkhu.errors import InputError

LONGEST_CURSOR: Final = 15


def cursor(after: str | None) -> int:
    """Read where a page begins.

    Raises:
        InputError: It is none that an answer gave.
    """
    if after is None:
        return 0
    if not after.isascii() or not after.isdigit() or len(after) > LONGEST_CURSOR:
        raise InputError(f"parameter 'after' must be what 'next' of the page before says, got '{after}'")
    return int(after)
