"""Ids of items and marks of runs, checked before they become part of a path."""

import re
from urllib.parse import unquote

from sparkhu.errors import InputError

TOMBSTONES = "_tombstones"
"""Below the root of a storage, where buried items lie; never an item itself, nor of a storage above it."""

MARK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_DECODINGS = 4
"""Text that is still encoded after so many times means no good."""


def checked_id(text: str, root: str) -> str:
    """Give an id back that lies within the root of its storage.

    Args:
        text: Parts joined with `/`.
        root: How messages name the storage.

    Raises:
        InputError: It is empty, absolute, leads upward, also where it is percent-encoded once or several times, or lies
            among the tombstones.
    """
    wrong = _wrong(text)
    if wrong:
        raise InputError(f"id must lie below '{root}', got '{_shown(text)}': {wrong}. Take the id that a plan names.")
    return text


def is_id(text: str) -> bool:
    """Tell whether `checked_id` lets a text pass."""
    return not _wrong(text)


def checked_mark(mark: str) -> str:
    """Give a run's mark back that can name a folder.

    Raises:
        InputError: It cannot.
    """
    if not MARK.fullmatch(mark):
        raise InputError(
            f"mark is made of letters, digits and ._- and begins with a letter or digit, got '{_shown(mark)}'"
        )
    return mark


def _wrong(text: str) -> str:
    for _ in range(_DECODINGS):
        if wrong := _leads_out(text):
            return wrong
        decoded = unquote(text)
        if decoded == text:
            return ""
        text = decoded
    return "it is encoded several times"


def _leads_out(text: str) -> str:
    parts = re.split(r"[/\\]", text)
    if text.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:[/\\]", text):
        return "it is absolute"
    if any(part in ("", ".", "..") for part in parts):
        return "it has a part that is empty, '.' or '..'"
    if not text.isprintable():
        return "it has signs that cannot be shown"
    return "it lies among tombstones" if TOMBSTONES in parts else ""


def _shown(text: str) -> str:
    return text.encode("unicode_escape", "backslashreplace").decode("ascii")
