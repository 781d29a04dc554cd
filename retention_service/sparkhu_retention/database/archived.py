"""What lies in archives: folders that runs write to, and the files of items in them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from sparkhu_retention.applying.step import State
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.database.slices import slices
from sparkhu_retention.database.tables import ArchivedFile, Attempt, Entry, Run

SWEPT_FOR = timedelta(days=7)
"""How long a folder that was abandoned is looked at again: the run that wrote to it may have been held up."""


class File(NamedTuple):
    """A file in an archive, `path` from its root; `entry` is its item's in the journal."""

    archive: str
    path: str
    folder: str
    entry: int
    storage: str
    id: str
    rows: int | None
    bytes: int
    sha256: str
    archived_at: datetime
    buried_by: str | None = None
    buried_at: datetime | None = None
    gone_at: datetime | None = None

    @property
    def holds(self) -> str:
        """What it holds, in words."""
        return f"'{self.id}'"


def open_attempt(connection: Connection, folder: str, *, archive: str, run: str, batch: int, at: datetime) -> None:
    """Write down that a run is about to write a batch to a folder of an archive."""
    values = {"folder": folder, "archive": archive, "run": run, "batch": batch, "state": "open", "made_at": at}
    connection.execute(insert(Attempt).values(**values))


def keep_attempts(connection: Connection, run: str, batch: int) -> None:
    """Write down that what a run has written of a batch is to stay."""
    mine = (Attempt.run == run) & (Attempt.batch == batch)
    connection.execute(update(Attempt).where(mine).values(state="kept"))


def abandon_attempts(connection: Connection, run: str, batches: Iterable[int], *, at: datetime) -> None:
    """Write down that what a run has written of batches is to be swept away."""
    for some in slices(sorted(set(batches))):
        mine = (Attempt.run == run) & Attempt.batch.in_(some) & (Attempt.state == "open")
        folders = list(connection.scalars(select(Attempt.folder).where(mine)))
        connection.execute(update(Attempt).where(mine).values(state="abandoned"))
        for named in slices(folders):
            connection.execute(update(ArchivedFile).where(ArchivedFile.folder.in_(named)).values(gone_at=at))


def abandoned(connection: Connection, archive: str, *, at: datetime) -> list[str]:
    """Give the folders of an archive that are to be swept; those of long ago are looked at for the last time."""
    mine = (Attempt.archive == archive) & (Attempt.state == "abandoned")
    folders = list(connection.scalars(select(Attempt.folder).where(mine).order_by(Attempt.folder)))
    connection.execute(update(Attempt).where(mine, Attempt.made_at < at - SWEPT_FOR).values(state="swept"))
    return folders


def open_batches(connection: Connection, storage: str, run: str) -> list[tuple[str, int]]:
    """Give run and batch of attempts of other runs of a storage that were neither kept nor abandoned."""
    of_storage = select(Run.id).where(Run.storage == storage)
    asked = select(Attempt.run, Attempt.batch).where(
        Attempt.state == "open", Attempt.run != run, Attempt.run.in_(of_storage)
    )
    return [(row.run, row.batch) for row in connection.execute(asked)]


def keep_files(connection: Connection, files: Sequence[File]) -> None:
    """Write down files of an archive."""
    if files:
        connection.execute(insert(ArchivedFile), [file._asdict() for file in files])


def of_entries(connection: Connection, entries: Iterable[Entered]) -> list[File]:
    """Give the files of entries that lie in an archive still, in order of path."""
    asked = select(ArchivedFile.__table__).where(ArchivedFile.gone_at.is_(None))
    found: list[File] = []
    for numbers in slices([entry.entry for entry in entries]):
        found += [File(*row) for row in connection.execute(asked.where(ArchivedFile.entry.in_(numbers)))]
    return sorted(found, key=lambda file: file.path)


def holding(connection: Connection, entries: Iterable[int]) -> set[int]:
    """Tell of entries, by their numbers, which have files in an archive still."""
    asked = select(ArchivedFile.entry).where(ArchivedFile.gone_at.is_(None)).distinct()
    found: set[int] = set()
    for numbers in slices(list(entries)):
        found.update(connection.scalars(asked.where(ArchivedFile.entry.in_(numbers))))
    return found


def left_at(connection: Connection, entry: int) -> datetime | None:
    """Tell when the last file of an entry left the archive; null: it had none."""
    at: datetime | None = connection.scalar(select(func.max(ArchivedFile.gone_at)).where(ArchivedFile.entry == entry))
    return at


def in_vain(connection: Connection, storage: str, archive: str) -> list[Entered]:
    """Give the entries with files in an archive of items that never left their place, though others of a batch did."""
    stayed = (Entry.storage == storage) & (Entry.state == State.FAILED) & Entry.purge_at.is_(None)
    lying = (ArchivedFile.entry == Entry.entry) & (ArchivedFile.archive == archive) & ArchivedFile.gone_at.is_(None)
    asked = select(Entry.__table__).where(stayed, select(ArchivedFile.path).where(lying).exists())
    return [Entered(*row) for row in connection.execute(asked.order_by(Entry.entry))]


def emptied(connection: Connection, files: Sequence[File]) -> list[tuple[str, str]]:
    """Give archive and folder of those in which nothing but files that go lies still, and the manifest."""
    going = Counter((file.archive, file.folder) for file in files)
    asked = select(ArchivedFile.folder, func.count()).where(ArchivedFile.gone_at.is_(None))
    lying: dict[str, int] = {}
    for folders in slices(sorted({folder for _, folder in going})):
        some = asked.where(ArchivedFile.folder.in_(folders)).group_by(ArchivedFile.folder)
        lying.update((folder, count) for folder, count in connection.execute(some))
    return sorted(place for place, count in going.items() if lying[place[1]] == count)


def forget(connection: Connection, entries: Iterable[int], *, at: datetime) -> None:
    """Write down that the files of entries, by their numbers, were removed from the archive."""
    for some in slices(sorted(set(entries))):
        mine = ArchivedFile.entry.in_(some) & ArchivedFile.gone_at.is_(None)
        connection.execute(update(ArchivedFile).where(mine).values(gone_at=at))


def listed(connection: Connection, *, storage: str | None = None, archive: str | None = None) -> list[File]:
    """List the files that lie in archives still, in order of path."""
    asked = select(ArchivedFile.__table__).where(ArchivedFile.gone_at.is_(None)).order_by(ArchivedFile.path)
    for column, wanted in ((ArchivedFile.storage, storage), (ArchivedFile.archive, archive)):
        if wanted is not None:
            asked = asked.where(column == wanted)
    return [File(*row) for row in connection.execute(asked)]
