"""Whether two URIs mean places that have something in common: what is needed may be named from another root."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote

EVERYWHERE: Final = ""
"""As the storage of a need: all storages."""
ANYWHERE: Final = "**/"
"""How the storage of a need begins that is known by the end of its path alone, wherever its root is."""


def place_of(uri: str) -> str:
    """Write a URI in one way: folders of this machine absolute and without links, nothing with a `/` at its end.

    Example:
        >>> place_of("s3://plant/lake/")
        's3://plant/lake'
    """
    if uri.startswith(ANYWHERE):
        return uri.rstrip("/")
    scheme, separator, rest = uri.partition("://")
    if separator and scheme.lower() != "file":
        return f"{scheme.lower()}://{rest}".rstrip("/")
    return str(Path(unquote(rest) if separator else uri).resolve()).rstrip("/")


def path_within(place: str, root: str) -> str | None:
    """Give the path of a place below a root, both as `place_of` writes them; null: it does not lie there.

    Example:
        >>> path_within("s3://plant/lake/tables", "s3://plant/lake")
        'tables'
    """
    if place == root:
        return ""
    return place[len(root) + 1 :] if place.startswith(f"{root}/") else None
