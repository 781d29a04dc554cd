"""Burying objects of a bucket, each in the way that suits it, in steps: none is hidden before all are prepared.

The bucket as it is now decides how an object is buried, the tombstone how it comes back or is purged: its owner may
have turned versions on or off meanwhile.
"""

from datetime import UTC, datetime
from typing import Protocol

from sparkhu_retention.storages.protocol import Changed
from sparkhu_retention.storages.s3_copies import Copies
from sparkhu_retention.storages.s3_markers import NULL, Markers
from sparkhu_retention.storages.s3_objects import Objects
from sparkhu_retention.storages.s3_tombstones import Tomb, tombs
from sparkhu_retention.storages.tombstones import changed, purged


class Way(Protocol):
    """How a tombstone is made, and what becomes of it."""

    def is_of(self, item: str, content: str, tomb: Tomb) -> bool:
        """Tell whether a tombstone stands for a content of the object."""

    def prepare(self, item: str, content: str, mark: str) -> None:
        """Make a tombstone, which readers do not see.

        Raises:
            Changed: The object is no longer `content`.
        """

    def hide(self, item: str, content: str, tomb: Tomb) -> None:
        """Hide the object from readers.

        Raises:
            Changed: It was overwritten in the last moment; readers see what it is now.
        """

    def unbury(self, item: str, tomb: Tomb) -> None:
        """Put the object back where it was."""

    def purge(self, item: str, tomb: Tomb) -> int:
        """Remove it for good, and give the bytes that this freed."""


class Burials:
    """The tombstones of a bucket."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._copies, self._markers = Copies(objects), Markers(objects)

    def is_due(self, item: str, content: str, mark: str, *, can_lock: bool) -> bool:
        """Tell whether an object is still to be buried; false: it was.

        Raises:
            Changed: It is no longer `content`, or the bucket holds it back.
        """
        live, tomb = self._objects.find(item), self._find(item, mark)
        if live is not None and live.content == content:
            if can_lock:
                self._check_free(item)
            return True
        if tomb is None or not self._way(tomb).is_of(item, content, tomb):
            raise changed(item, self._objects.uri)
        return False

    def prepare(self, item: str, content: str, mark: str) -> None:
        """Make a tombstone, and remove those that a run which was killed has left."""
        self.drop(item, mark)
        way = self._markers if self._has_version(item) else self._copies
        way.prepare(item, content, mark)

    def hide(self, item: str, content: str, mark: str) -> None:
        """Hide the object from readers."""
        tomb = self._find(item, mark)
        if tomb is None:
            raise changed(item, self._objects.uri)
        self._way(tomb).hide(item, content, tomb)

    def drop(self, item: str, mark: str) -> None:
        """Remove the tombstones of an object that is not hidden."""
        for tomb in tombs(self._objects, item, mark):
            self._objects.erase(tomb.found.path)

    def unbury(self, item: str, mark: str) -> None:
        """Put the object back where it was."""
        found = list(tombs(self._objects, item, mark))
        for tomb in found:
            self._way(tomb).unbury(item, tomb)
        if not found and self._objects.find(item) is None:
            raise purged(item, self._objects.uri)

    def check_free(self, item: str, mark: str) -> None:
        """See that nothing in the bucket forbids to purge an object.

        Raises:
            Changed: Something does.
        """
        tomb = self._find(item, mark)
        if tomb is not None and tomb.is_marked:
            self._check_free(item, tomb.what)

    def purge(self, item: str, mark: str) -> int:
        """Remove the object for good, and its delete markers where nothing is below them any more."""
        found = list(tombs(self._objects, item, mark))
        freed = sum(self._way(tomb).purge(item, tomb) for tomb in found)
        left = self._objects.versions(item) if found and self._objects.has_versions else []
        if all(each.is_marker for each in left):
            for marker in left:
                self._objects.remove(item, marker.version)
        return freed

    def _has_version(self, item: str) -> bool:
        """Tell whether an object has a version that outlasts a delete marker."""
        if not self._objects.has_versions:
            return False
        newest = self._markers.newest(item)
        return newest is not None and (newest.version != NULL or self._objects.keeps_versions())

    def _check_free(self, item: str, version: str = "") -> None:
        held = self._objects.holds(item, datetime.now(UTC), version)
        if held:
            raise Changed(f"'{self._objects.place(item)}' must stay now: {', '.join(held)}. It is left as it is.")

    def _find(self, item: str, mark: str) -> Tomb | None:
        return next(tombs(self._objects, item, mark), None)

    def _way(self, tomb: Tomb) -> Way:
        return self._markers if tomb.is_marked else self._copies
