"""Lakes that lie below plain files or objects: taken apart file by file, one could be read no longer."""

from collections.abc import Callable, Container, Iterable, Iterator

from sparkhu.errors import InputError
from sparkhu.lake.objects import PROBE
from sparkhu.lake.records import CURRENT, VERSIONS
from sparkhu_retention.storages.s3_objects import Found

FIRST = (PROBE, CURRENT)
"""What an endpoint lists before all else of a lake."""


def is_lake_folder(files: Container[str], folders: Container[str]) -> bool:
    """Tell whether a folder is the root of a lake by the names in it."""
    return CURRENT in files and VERSIONS.rstrip("/") in folders


def without_lakes(found: Iterable[Found], has_any: Callable[[str], bool], uri: str) -> Iterator[Found]:
    """Leave out the objects of lakes.

    Args:
        found: Objects, in order of path.
        has_any: Tells whether there are objects whose path begins with a text.
        uri: How messages name what the objects lie in.

    Raises:
        InputError: All of it is a lake.
    """
    lake = None
    for one in found:
        if lake is not None and one.path.startswith(lake):
            continue
        folder, separator, name = one.path.rpartition("/")
        lake = folder + separator
        if name not in FIRST or not has_any(f"{lake}{VERSIONS}"):
            lake = None
            yield one
        elif not lake:
            raise is_a_lake(uri)


def is_a_lake(uri: str) -> InputError:
    """Say that a lake was given as plain files."""
    return InputError(
        f"uri must be plain files for its kind, got '{uri}', which is a lake. Leave out kind, or set it to lake."
    )
