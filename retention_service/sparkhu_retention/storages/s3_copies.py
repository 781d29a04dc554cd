"""Burying by copies, for objects that have no version of their own."""

from sparkhu.errors import SparkhuError
from sparkhu_retention.storages.s3_objects import Objects
from sparkhu_retention.storages.s3_tombstones import Tomb, tomb_path
from sparkhu_retention.storages.tombstones import changed, occupied, purged


class Copies:
    """Tombstones that are copies.

    An endpoint has no way to remove an object only if it is still the same, so one that is overwritten between the last
    look and the removal, a few milliseconds, is lost as it then is. Buckets that keep versions lose nothing.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def is_of(self, item: str, content: str, tomb: Tomb) -> bool:  # noqa: ARG002 - the copy is known by its content
        """Tell whether a tombstone stands for a content of the object."""
        return tomb.what == content

    def prepare(self, item: str, content: str, mark: str) -> None:
        """Copy the object below `_tombstones`."""
        live = self._objects.find(item)
        if live is None:
            raise changed(item, self._objects.uri)
        target = tomb_path(item, mark, content, live.bytes, is_marked=False)
        if not self._objects.copy(item, target, content):
            raise changed(item, self._objects.uri)

    def hide(self, item: str, content: str, tomb: Tomb) -> None:  # noqa: ARG002 - the copy is known by its content
        """Remove the object, if it still is what was copied."""
        live = self._objects.find(item)
        if live is None or live.content != content:
            raise changed(item, self._objects.uri)
        self._objects.remove(item)

    def unbury(self, item: str, tomb: Tomb) -> None:
        """Copy the object back and remove the copy; it is dated by that."""
        live = self._objects.find(item)
        if live is None:
            is_there = self._objects.copy_over_nothing(tomb.found.path, item)
            live = self._objects.find(item)
            if live is None:
                raise purged(item, self._objects.uri) if not is_there else unseen(self._objects.place(item))
        if live.content not in (tomb.what, tomb.found.content):
            raise occupied(self._objects.place(item))
        self._objects.erase(tomb.found.path)

    def purge(self, item: str, tomb: Tomb) -> int:  # noqa: ARG002 - the copy is all that there is
        """Remove the copy."""
        self._objects.erase(tomb.found.path)
        return tomb.bytes


def unseen(place: str) -> SparkhuError:
    """Say that what was put back is hidden all the same."""
    return SparkhuError(
        f"'{place}' was put back, and the endpoint shows it to nobody: a delete marker from when the bucket kept no "
        "versions hides it. Its tombstone stays; remove that marker, then put it back."
    )
