"""Where exported items lie: as they do in their storage, where a folder can hold them so."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

NUMBERED: Final = "_numbered"
LONGEST_PART: Final = 255
"""Bytes of a name in a file system."""
LONGEST_PATH: Final = 700
"""Bytes; keys of S3 may have 1,024, and an archive puts its own in front."""


def export_paths(ids: Iterable[str]) -> dict[str, str]:
    """Give a path for each item of a call, from the folder that is exported to.

    Keys of objects may be what paths of files cannot: `x` beside `x/y`, or longer. Such get a number and keep the
    ending that says that they are tables.
    """
    items = list(ids)
    above = {str(folder) for item in items for folder in PurePosixPath(item).parents}
    paths = {}
    for number, item in enumerate(items, start=1):
        is_plain = item not in above and not item.startswith(NUMBERED) and _fits(item)
        ending = ".parquet" if item.endswith(".parquet") else ""
        paths[item] = item if is_plain else f"{NUMBERED}/{number:06d}{ending}"
    return paths


def _fits(item: str) -> bool:
    sizes = [len(part.encode()) for part in item.split("/")]
    return max(sizes) <= LONGEST_PART and sum(sizes) + len(sizes) <= LONGEST_PATH
