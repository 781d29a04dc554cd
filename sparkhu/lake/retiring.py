"""Retention in a table: files leave it, may come back, and are forgotten; each is a commit like any other.

What is buried has left the newest version, and stands in its manifest beside the files. Versions of before refer to it,
so that it is no orphan, and can be read until it is purged (`sparkhu.lake.purging`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from sparkhu.errors import SparkhuError
from sparkhu.lake.layout import Days
from sparkhu.lake.records import BuriedFile, DataFile, Manifest

ONE_DAY: Final = timedelta(days=1)


class NotInTable(SparkhuError):  # noqa: N818 - says what is the matter
    """A file is no longer what it was to its table: a commit has replaced it, or it was buried by another run."""


class Occupied(SparkhuError):  # noqa: N818 - says what is the matter
    """A file cannot come back: its interval has been published anew since."""


@dataclass(frozen=True)
class Bury:
    """Take files out of a table; what the same run has buried already is no matter.

    Args:
        files: Files that the table has.
        superseded: Files that older versions alone have.
        mark: Of the run that buries.
        at: When, UTC.
    """

    files: tuple[DataFile, ...]
    superseded: tuple[DataFile, ...]
    mark: str
    at: datetime

    def against(self, table: str, before: Manifest) -> Manifest | None:
        """Give what becomes of a manifest; null: nothing.

        Raises:
            NotInTable: A file of `files` is in the table no more, or one of `superseded` is.
        """
        there = {file.path for file in before.files}
        known = {each.file.path: each.mark for each in before.buried}
        new = []
        for files, is_superseded in ((self.files, False), (self.superseded, True)):
            for file in files:
                if known.get(file.path) == self.mark:
                    continue
                if file.path in known or (file.path in there) == is_superseded:
                    raise NotInTable(f"the file '{file.path}' of the table '{table}' is not what it was. Look again.")
                new.append(BuriedFile(file, self.mark, self.at, is_superseded))
        if not new:
            return None
        gone = {each.file.path for each in new}
        kept = tuple(file for file in before.files if file.path not in gone)
        return replace(before, files=kept, buried=(*before.buried, *new))


@dataclass(frozen=True)
class Unbury:
    """Put buried files back into a table; what is not buried under the mark is no matter.

    Args:
        paths: The files.
        mark: Of the run that buried them.
    """

    paths: Collection[str]
    mark: str

    def against(self, table: str, before: Manifest) -> Manifest | None:
        """Give what becomes of a manifest; null: nothing.

        Raises:
            Occupied: The interval of a file was published anew since.
        """
        kept, back = _parted(before.buried, self.paths, self.mark)
        if not back:
            return None
        files = [each.file for each in back if not each.is_superseded]
        _check_free(table, before, files)
        return replace(before, files=(*before.files, *files), buried=tuple(kept))


@dataclass(frozen=True)
class Forget:
    """Forget buried files: they were purged.

    Args:
        paths: The files.
        mark: Of the run that buried them.
    """

    paths: Collection[str]
    mark: str

    def against(self, table: str, before: Manifest) -> Manifest | None:  # noqa: ARG002 - as the others are asked
        """Give what becomes of a manifest; null: nothing."""
        kept, gone = _parted(before.buried, self.paths, self.mark)
        if not gone:
            return None
        days = (each for one in gone if not one.is_superseded for each in one.file.days)
        return replace(before, buried=tuple(kept), purged=_joined((*before.purged, *days)))


@dataclass(frozen=True)
class PutBack:
    """Put files into a table that were purged from it and have been written anew; what is there is no matter.

    Args:
        files: The files.
    """

    files: tuple[DataFile, ...]

    def against(self, table: str, before: Manifest) -> Manifest | None:
        """Give what becomes of a manifest; null: nothing.

        Raises:
            Occupied: The interval of a file was published anew since.
        """
        there = {file.path for file in before.files}
        new = [file for file in self.files if file.path not in there]
        if not new:
            return None
        _check_free(table, before, new)
        return replace(before, files=(*before.files, *new))


Retirement = Bury | Unbury | Forget | PutBack


def _parted(
    buried: Iterable[BuriedFile], paths: Collection[str], mark: str
) -> tuple[list[BuriedFile], list[BuriedFile]]:
    """Part what is buried into that which a change does not touch and that which it does."""
    wanted = set(paths)
    rest: list[BuriedFile] = []
    hit: list[BuriedFile] = []
    for each in buried:
        (hit if each.mark == mark and each.file.path in wanted else rest).append(each)
    return rest, hit


def _joined(ranges: Iterable[tuple[date, date]]) -> Days:
    """Join ranges of days that overlap or follow one another."""
    joined: list[tuple[date, date]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + ONE_DAY:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def _check_free(table: str, before: Manifest, files: Iterable[DataFile]) -> None:
    """Refuse files whose rows a published table has again: they would stand there twice."""
    if not before.intervals:
        return  # rows are only ever added to such a table
    cells: dict[tuple[str, int], list[DataFile]] = {}
    for there in before.files:
        cells.setdefault((there.partition, there.bucket), []).append(there)
    for file in files:
        for there in cells.get((file.partition, file.bucket), ()):
            if _share_time(there, file):
                raise Occupied(
                    f"'{file.path}' of the table '{table}' is there again, as '{there.path}': run '{there.run}' "
                    "published that interval anew. Read an older version for the rows of before."
                )


def _share_time(one: DataFile, other: DataFile) -> bool:
    if one.first is None or one.last is None or other.first is None or other.last is None:
        return False
    return one.first <= other.last and other.first <= one.last
