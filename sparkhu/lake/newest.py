"""The newest version of a lake: the file that every commit swaps, read however its writing ended."""

import time

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake.records import CURRENT, NEXT, VERSIONS, Commit, read_commit
from sparkhu.lake.storage import NoSuchFile, Storage
from sparkhu.lake.tables import Version

READ_ATTEMPTS = 5


def newest_version(storage: Storage) -> Version:
    """Read the newest version of the lake in a storage.

    An endpoint without conditional writes may overwrite it bit by bit, or lose it when a publisher dies meanwhile: so
    half a file is read again, and if it stays so, what was to take its place has been written beside it.
    """
    tag = None
    for attempt in range(READ_ATTEMPTS):
        try:
            data, tag = storage.read_tagged(CURRENT)
        except NoSuchFile as error:
            return Version(_spare(storage, error), storage, None)
        try:
            return Version(read_commit(data, f"'{storage.place(CURRENT)}'"), storage, tag)
        except InputError:
            raise
        except SparkhuError as error:
            damage = error
        time.sleep(0.02 * 2**attempt)
    hint = f" Or copy the newest of the versions in '{storage.place(VERSIONS)}' over it."
    return Version(_spare(storage, SparkhuError(f"{damage}{hint}")), storage, tag)


def _spare(storage: Storage, failure: SparkhuError) -> Commit:
    """Read what was to become the newest version; raise `failure` where nothing was."""
    try:
        return read_commit(storage.read(NEXT), f"'{storage.place(NEXT)}'")
    except NoSuchFile:
        raise failure from None
