"""Objects in a bucket of S3 or MinIO, with its tags, versions and legal holds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake.storage import each
from sparkhu_retention.storages.export_paths import export_paths
from sparkhu_retention.storages.failures import told as told_of_files
from sparkhu_retention.storages.files import checksum_of, rows_of
from sparkhu_retention.storages.ids import checked_id, checked_mark, is_id
from sparkhu_retention.storages.lakes_below import without_lakes
from sparkhu_retention.storages.listing import frames
from sparkhu_retention.storages.paths import PathRule, instant
from sparkhu_retention.storages.protocol import Buried, Changed, Exported
from sparkhu_retention.storages.s3_burials import Burials
from sparkhu_retention.storages.s3_objects import TAG, Found, Objects
from sparkhu_retention.storages.s3_tombstones import buried
from sparkhu_retention.storages.tombstones import changed, occupied

AT_ONCE = 1000
"""Objects that are asked about at a time."""
LONGEST_KEY = 824
"""Bytes; a key may have 1,024, and that of a tombstone says more than that of its object."""
TOO_LONG = "its key is too long for a tombstone"


class Bucket:
    """The objects below a prefix, each an item.

    An object that has versions is buried by a delete marker of the store's own, any other is copied below
    `_tombstones`. One that the bucket holds back, by a legal hold or until a day, is told with that hold, and is
    neither buried nor purged.

    Args:
        uri: `s3://bucket/prefix`; endpoint and sign-in come from the standard `AWS_*` variables.
        dates: What an object's time is, as `sparkhu_retention.storages.paths.PathRule` says.
        zone: IANA zone of days in paths.
        tags: `yes`: the tags of each object are asked for, a request each; `no`: those of its path are all.

    Raises:
        InputError: There is no such bucket, the sign-in is refused, or an option has a value that it cannot have.
        SparkhuError: The endpoint fails.

    Example:
        >>> Bucket("s3://plant/exports", dates="{year}/{month}/{day}")  # doctest: +SKIP
    """

    kind = "s3"

    def __init__(self, uri: str, *, dates: str = "modified", zone: str = "UTC", tags: str = "yes") -> None:
        if tags not in ("yes", "no"):
            raise InputError(f"tags must be 'yes' or 'no', got '{tags}'")
        self.uri = uri
        self._rule = PathRule(dates, zone)
        self._with_tags = tags == "yes"
        self._objects = Objects(uri)
        self._tombs = Burials(self._objects)

    def items(self) -> Iterator[pl.DataFrame]:
        """List the objects; what is buried is not among them."""
        names = ("id", "dataset", "line", "start", "end", "bytes", "content", "tags", "holds")
        return frames(self._rows(), names)

    def export(self, contents: Mapping[str, str], folder: Path) -> Iterator[Exported]:
        """Copy objects as they are; the copies lie as the objects do, where files can."""
        for item, path in export_paths(map(self._id, contents)).items():
            content, target = contents[item], folder / path
            with told_of_files("export", target):
                target.parent.mkdir(parents=True, exist_ok=True)
                found = self._objects.download(item, target)
            if found is None or found.content != content:
                target.unlink(missing_ok=True)
                raise changed(item, self.uri)
            tags = self._objects.tags(item) if self._with_tags else {}
            kept = {**found.kept, **{f"{TAG}{name}": value for name, value in tags.items()}}
            yield Exported(item, path, rows_of(target), found.bytes, found.sha256, kept)

    def bury(self, contents: Mapping[str, str], mark: str) -> None:
        """Hide objects, by a delete marker or by moving them; all tombstones are made before the first is hidden."""
        checked_mark(mark)
        asked = [(self._id(item), content) for item, content in contents.items()]
        can_lock = self._objects.can_lock()
        due = each(lambda one: self._tombs.is_due(*one, mark, can_lock=can_lock), asked)
        todo = [one for one, is_due in zip(asked, list(due), strict=True) if is_due]
        prepared = self._tried(self._tombs.prepare, todo, mark)
        hidden = [] if any(prepared) else self._tried(self._tombs.hide, todo, mark)
        failures = [error for error in (*prepared, *hidden) if error]
        if failures:
            for (item, _), error in zip(todo, hidden or [failures[0]] * len(todo), strict=True):
                self._take_back(item, mark, was_hidden=error is None)
            raise failures[0]

    def buried(self) -> Iterator[Buried]:
        """List the tombstones."""
        return buried(self._objects)

    def unbury(self, ids: Sequence[str], mark: str) -> None:
        """Let readers see objects again."""
        checked_mark(mark)
        list(each(partial(self._tombs.unbury, mark=mark), [self._id(item) for item in ids]))

    def purge(self, ids: Sequence[str], mark: str) -> int:
        """Remove buried objects for good; none of them where the bucket holds one of them back."""
        checked_mark(mark)
        todo = [self._id(item) for item in ids]
        if self._objects.can_lock():
            list(each(partial(self._tombs.check_free, mark=mark), todo))
        return sum(each(partial(self._tombs.purge, mark=mark), todo))

    def put_back(self, archived: Iterable[Exported], folder: Path) -> None:
        """Write objects anew, with headers, metadata and tags; each appears whole or not at all."""
        for one in archived:
            source, item = folder / one.path, self._id(one.id)
            with told_of_files("read", source):
                given = checksum_of(source)
            if given != one.sha256:
                raise SparkhuError(f"'{source}' is damaged: its checksum is not that of '{item}'. It was not put back.")
            is_new = self._objects.find(item) is None and self._objects.upload(source, item, one.kept)
            if not is_new and self._checksum(item) != one.sha256:
                raise occupied(self._objects.place(item))

    def _rows(self) -> Iterator[tuple[object, ...]]:
        listed = without_lakes(self._objects.listed(), lambda path: any(self._objects.listed(path)), self.uri)
        found = (one for one in listed if is_id(one.path))
        can_lock = self._objects.can_lock()
        while some := list(islice(found, AT_ONCE)):
            yield from each(partial(self._row, can_lock=can_lock), some)

    def _row(self, found: Found, *, can_lock: bool) -> tuple[object, ...]:
        told = self._rule.told(found.path)
        span = instant(found.at) if told.span is None and self._rule.is_by_writing else told.span
        start, end = span or (None, None)
        own = self._objects.tags(found.path) if self._with_tags else {}
        tags = [*told.tags, *sorted(f"{name}={value}" for name, value in own.items())]
        holds = self._objects.holds(found.path, datetime.now(UTC)) if can_lock else []
        if len(self._objects.key(found.path).encode()) > LONGEST_KEY:
            holds.append(TOO_LONG)
        return found.path, told.dataset, told.line, start, end, found.bytes, found.content, tags, holds

    def _tried(
        self, step: Callable[[str, str, str], None], todo: Sequence[tuple[str, str]], mark: str
    ) -> list[Changed | None]:
        """Take a step for every object and give what came of each; null: it is done."""

        def tried(one: tuple[str, str]) -> Changed | None:
            try:
                step(*one, mark)
            except Changed as error:
                return error
            return None

        return list(each(tried, todo))

    def _take_back(self, item: str, mark: str, *, was_hidden: bool) -> None:
        """Undo what a call has done to an object before another of the call turned out to have changed."""
        if was_hidden:
            self._tombs.unbury(item, mark)
        else:
            self._tombs.drop(item, mark)

    def _checksum(self, item: str) -> str:
        with TemporaryDirectory(prefix="sparkhu-retention-") as folder:
            found = self._objects.download(item, Path(folder) / "object")
        return found.sha256 if found else ""

    def _id(self, item: str) -> str:
        return checked_id(item, self.uri)
