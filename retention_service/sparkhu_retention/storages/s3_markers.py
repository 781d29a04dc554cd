"""Burying by the store's own delete markers, for objects with versions."""

from sparkhu.errors import SparkhuError
from sparkhu_retention.storages.s3_copies import unseen
from sparkhu_retention.storages.s3_objects import Found, Objects
from sparkhu_retention.storages.s3_tombstones import Tomb, tomb_path
from sparkhu_retention.storages.tombstones import changed, occupied, purged

NULL = "null"
"""The version of what was written while the bucket kept none; the next one, or a delete marker, is written over it."""


class Markers:
    """Delete markers: what is buried is the version below one, and while the bucket keeps versions nothing can be lost.

    Older versions of an object are no items: they stay until the bucket's own rules remove them.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def is_of(self, item: str, content: str, tomb: Tomb) -> bool:
        """Tell whether a tombstone stands for a content of the object."""
        return any(each.version == tomb.what and each.content == content for each in self._versions(item))

    def prepare(self, item: str, content: str, mark: str) -> None:
        """Write down which version is to be buried."""
        newest = self.newest(item)
        if newest is None or newest.content != content:
            raise changed(item, self._objects.uri)
        self._objects.write(tomb_path(item, mark, newest.version, newest.bytes, is_marked=True), b"")

    def hide(self, item: str, content: str, tomb: Tomb) -> None:  # noqa: ARG002 - versions never change
        """Set a delete marker; one that hides what was written in the last moment is taken away again."""
        before = {each.version for each in self._versions(item)}
        newest = self.newest(item)
        if newest is None or newest.version != tomb.what:
            raise changed(item, self._objects.uri)
        self._objects.remove(item)
        if {each.version for each in self._versions(item)} - before:
            self._unhide(item, tomb, self._versions(item)[0])
            raise changed(item, self._objects.uri)

    def unbury(self, item: str, tomb: Tomb) -> None:
        """Take the delete marker away, or put the version above it; what is a copy of that already is no matter."""
        buried = next((each for each in self._versions(item) if each.version == tomb.what), None)
        if buried is None:
            raise purged(item, self._objects.uri)
        if self.newest(item) is None:
            self._unhide(item, tomb, buried)
        newest = self.newest(item)
        if newest is None:
            raise unseen(self._objects.place(item))
        if newest.content != buried.content:
            raise occupied(self._objects.place(item))
        if newest.version != buried.version:
            self._objects.remove(item, buried.version)
        self._objects.erase(tomb.found.path)

    def purge(self, item: str, tomb: Tomb) -> int:
        """Remove the version."""
        newest = self.newest(item)
        if newest is not None and newest.version == tomb.what:
            raise SparkhuError(
                f"'{self._objects.place(item)}' is seen by readers: its delete marker was taken away. Put it back, or "
                "bury it again."
            )
        there = {each.version for each in self._versions(item)}
        self._objects.remove(item, tomb.what)
        self._objects.erase(tomb.found.path)
        return tomb.bytes if tomb.what in there else 0

    def newest(self, item: str) -> Found | None:
        """Give the version that readers get; null where they get none."""
        return next((each for each in self._versions(item) if each.is_newest), None)

    def _versions(self, item: str) -> list[Found]:
        return [each for each in self._objects.versions(item) if not each.is_marker]

    def _unhide(self, item: str, tomb: Tomb, hidden: Found) -> None:
        """Let readers see a version again.

        Where the bucket keeps versions no longer its delete markers have none of their own, and some endpoints do not
        remove such a one: the version is copied above it, by way of the tombstones, as none can be copied onto itself.
        """
        while (marker := self._marker(item)) and marker.version != NULL:
            self._objects.remove(item, marker.version)
        if marker is not None:
            folder = tomb.found.path.rpartition("/")[0]
            draft = f"{folder}/{hidden.content}@{hidden.bytes}"
            self._objects.copy(item, draft, version=hidden.version)
            self._objects.copy_over_nothing(draft, item)
            self._objects.erase(draft)

    def _marker(self, item: str) -> Found | None:
        """Give the delete marker that hides an object; null where readers see it."""
        return next((each for each in self._objects.versions(item) if each.is_marker and each.is_newest), None)
