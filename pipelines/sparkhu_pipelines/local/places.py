"""What a run reaches beside its own folder: files and folders of this machine, and whether there is more than that."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError
from sparkhu.settings import Settings

READ, WRITTEN = ("source", "metadata", "past"), ("lake",)
"""Arguments of a pipeline that say where something is."""
WILDCARDS = "*?["
BESIDE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Places:
    """What a run reaches.

    Attributes:
        read: Files and folders of this machine that it reads.
        written: Folders of this machine that it writes, all there.
        is_local: Nothing lies elsewhere.
    """

    read: frozenset[Path]
    written: frozenset[Path]
    is_local: bool


def places_of(arguments: Mapping[str, Any], settings: Settings, also: Path) -> Places:
    """Find what a run with these arguments reaches.

    Args:
        arguments: The pipeline's arguments.
        settings: Where the state of this machine is kept; its folders are made where they are not there yet.
        also: A further folder that is written.
    """
    read = [_place(arguments[name]) for name in READ if arguments.get(name)]
    written = [_place(arguments[name]) for name in WRITTEN if arguments.get(name)]
    stores = [_store(uri) for uri in (settings.tracking_uri, settings.catalogue) if uri]
    folders = {also.absolute(), settings.home.absolute(), *filter(None, written), *filter(None, stores)}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    there = {place for place in read if place and place.exists()}
    # What SQLite has not yet brought into a database lies beside it.
    there |= {beside for place in there for end in BESIDE if (beside := Path(f"{place}{end}")).is_file()}
    return Places(frozenset(there), frozenset(folders), None not in (*read, *written, *stores))


def _store(uri: str) -> Path | None:
    """Give the folder of a store of the settings: that of the database where it is one, else its own."""
    if uri.startswith("sqlite") and uri.partition("://")[2].removeprefix("/") in ("", ":memory:"):
        raise InputError(f"the store '{uri}' is in memory, which containers do not share. Name a file.")
    place = _place(uri)
    return place.parent if place and (uri.startswith("sqlite") or place.is_file()) else place


def _place(uri: str) -> Path | None:
    """Give the place that a URI means on this machine; None where it means one elsewhere.

    Of a pattern, the folder that it begins in; of a chained URI, such as `zip://day.csv::/data/days.zip`, the last.
    """
    whole = uri.rpartition("::")[2]
    scheme, sign, rest = whole.partition("://")
    if sign and scheme.partition("+")[0] == "sqlite":
        rest = rest.removeprefix("/").partition("?")[0]
    elif sign and scheme not in ("file", "local"):
        return None
    path = Path(os.path.abspath(os.path.expanduser(rest if sign else whole)))  # noqa: PTH100, PTH111 - a link stays what it is called
    wild = [index for index, name in enumerate(path.parts) if any(mark in name for mark in WILDCARDS)]
    return Path(*path.parts[: wild[0]]) if wild and not path.exists() else path
