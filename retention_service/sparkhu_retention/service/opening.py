"""Storages as the file of the storages has them: passwords come from the environment, and only when one is opened."""

import time
from collections.abc import Callable, Iterable, Sequence
from math import inf
from threading import Lock
from typing import Final

from sparkhu.errors import InputError, SparkhuError
from sparkhu.sources.secrets import redacted, with_environment
from sparkhu_retention.needs.need import Need
from sparkhu_retention.places import Place
from sparkhu_retention.storages.opening import kind_of, open_retained
from sparkhu_retention.storages.protocol import RetainedStorage

LAKE: Final = "lake"
FOLDER, DATABASE = "folder", "database"
LAKE_ARCHIVE: Final = "archive"
ASKED_AGAIN: Final = 300
"""Seconds after which a storage is asked again what it is."""


def check_no_password(places: Iterable[Place]) -> None:
    """See that no address has a password in it: plans, holds and the audit log name a storage by its address.

    Raises:
        InputError: One has; the message names the storage and the field, and not the password.
    """
    for place in places:
        for field in ("uri", "archive"):
            given = getattr(place, field)
            if given is not None and redacted(given) != given:
                raise InputError(
                    f"field '{field}' of the storage '{place.name}' must not have a password in it, got "
                    f"'{redacted(given)}'. Write ${{NAME}} in its place, and set the environment variable NAME."
                )


def opened_place(place: Place) -> RetainedStorage:
    """Open a storage; a lake is told where its files are archived, for the readers of its older versions.

    Raises:
        InputError: There is none, or a variable that its address names is not set.
        SparkhuError: It fails.
    """
    if _likely_kind(place.uri) == DATABASE:
        opened = open_retained(with_environment(place.uri), place.kind, place.options)
        opened.uri = place.uri  # as plans and the journal name it
        return opened
    opened = open_retained(place.uri, place.kind, place.options)
    if opened.kind != LAKE or place.archive is None or LAKE_ARCHIVE in place.options:
        return opened
    return open_retained(place.uri, LAKE, {**place.options, LAKE_ARCHIVE: place.archive})


class FoundKinds:
    """The kinds of storages that their file leaves out: asked once in a while, for one that is away answers late.

    Args:
        clock: Seconds from any beginning on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._asking = clock, Lock()
        self._found: dict[str, tuple[str | None, float]] = {}

    def of(self, place: Place) -> str | None:
        """Tell the kind of a storage; null where it fails."""
        if place.kind is not None:
            return place.kind
        with self._asking:
            kind, until = self._found.get(place.uri, (None, -inf))
            if self._clock() >= until:
                kind = _asked_kind(place.uri)
                self._found[place.uri] = (kind, self._clock() + ASKED_AGAIN)
            return kind


def _asked_kind(uri: str) -> str | None:
    try:
        return kind_of(uri)
    except SparkhuError:
        return None


def needs_of(places: Iterable[Place]) -> Sequence[Need]:
    """Ask what still needs data, of any storage: what one of them holds may be named from the root of another."""
    from sparkhu_retention.needs.gathering import gathered_needs

    return gathered_needs([(each.uri, each.kind or _likely_kind(each.uri)) for each in places])


def _likely_kind(uri: str) -> str:
    """Tell places that may be a lake, which is then found out, from databases."""
    scheme, separator, _ = uri.partition("://")
    return FOLDER if not separator or scheme in ("file", "s3") else DATABASE
