"""Tombstones in a bucket: a copy under another name, or, where versions are kept, the store's own delete marker.

PREFIX/_tombstones/<mark>/<id>/<content>@<bytes>             a copy of the object, which is then removed
PREFIX/_tombstones/<mark>/<id>/<version>@<bytes>.version     empty; the object has a delete marker above that version
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sparkhu_retention.storages.ids import TOMBSTONES, checked_mark
from sparkhu_retention.storages.protocol import Buried
from sparkhu_retention.storages.s3_objects import Found, Objects

_NAME = re.compile(r"(?P<what>[^/@]+)@(?P<bytes>\d+)(?P<marked>\.version)?")


@dataclass(frozen=True)
class Tomb:
    """A tombstone.

    Attributes:
        found: The object that it is.
        what: The content that it is a copy of, or the version that a marker hides.
        bytes: The size of that.
        is_marked: Whether it stands for a version below a delete marker.
    """

    found: Found
    what: str
    bytes: int
    is_marked: bool


def tomb_path(item: str, mark: str, what: str, size: int, *, is_marked: bool) -> str:
    """Name a tombstone."""
    return f"{_folder(item, mark)}{what}@{size}{'.version' if is_marked else ''}"


def tombs(objects: Objects, item: str, mark: str) -> Iterator[Tomb]:
    """Find the tombstones of an item; there is one, but where a run was killed."""
    folder = _folder(item, mark)
    for found in objects.listed(folder, deep=False):
        said = _NAME.fullmatch(found.path.removeprefix(folder))
        if said:
            yield Tomb(found, said["what"], int(said["bytes"]), bool(said["marked"]))


def buried(objects: Objects) -> Iterator[Buried]:
    """List all tombstones."""
    for found in objects.listed(f"{TOMBSTONES}/"):
        _, mark, rest = found.path.split("/", 2)
        item, _, name = rest.rpartition("/")
        said = _NAME.fullmatch(name)
        if item and said:
            yield Buried(item, mark, found.at, int(said["bytes"]))


def _folder(item: str, mark: str) -> str:
    return f"{TOMBSTONES}/{checked_mark(mark)}/{item}/"
