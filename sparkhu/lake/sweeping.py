"""Finding what no version refers to: the leavings of publishers that were killed or came second.

A sweep must not take what a publisher who is at work refers to a moment later, however long either of them is held up.
So no clock decides about that, but the swap of the newest version:

1. The sweep lists the files that look left behind, and then reads all versions.
2. It commits a version that announces it. Who began before has lost its swap by that, and whatever it commits later is
   based on a version that tells of one more sweep: then it writes all its files anew (`sparkhu.lake.drafting`).
3. It reads the versions that came before its own and after those of the first step, and removes what is left.

What was listed may therefore be referred to by versions before the announcement, all of which were read, and by none
behind it. The age from which on a file looks left behind only saves publishers from writing twice.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import islice

from sparkhu.errors import SparkhuError
from sparkhu.lake.readers import READERS
from sparkhu.lake.records import TABLES, VERSIONS, Commit, read_commit
from sparkhu.lake.storage import Storage, each
from sparkhu.lake.tables import Version

SWEPT = (TABLES, VERSIONS, ".drafts/", "leases/")
READERS_SWEPT_AFTER = timedelta(days=1)
"""Announcements count for an hour, and readers who were held up renew theirs: these are given a day, whoever sweeps."""
SWEEP = "sweep"
"""The run that a version names which announces a sweep."""
SWEPT_EVERY = 16
AT_ONCE = 32


def is_due(number: int) -> bool:
    """Tell whether the publisher of a version sweeps: after every 16th, later after an eighth to a quarter of them.

    A sweep reads all versions there are, so it is done the more rarely the more there are: four to eight reads a
    commit, however long the history grows.
    """
    return number % max(SWEPT_EVERY, 1 << max(number.bit_length() - 3, 0)) == 0


def orphans(storage: Storage, newest: Callable[[], Version], older_than: timedelta) -> tuple[list[str], Version]:
    """List the files that no version refers to and that are older than `older_than`.

    What is there is listed first and the versions are read after that, so a file that is committed meanwhile is known.
    Newer versions know most files, so their manifests are read first, and no further than to the last file's.

    Returns:
        Their paths, and the newest version that was read.

    Raises:
        SparkhuError: A version or a manifest is missing or damaged: then nothing can be told.
    """
    now, ages = storage.now(), dict.fromkeys(SWEPT, older_than)
    ages[READERS] = max(older_than, READERS_SWEPT_AFTER)
    found = [file.path for prefix, age in ages.items() for file in storage.listed(prefix) if file.modified <= now - age]
    first = newest()
    if not found:
        return [], first
    versions = [first, *(Version(commit, storage, "") for commit in ancestors(storage, first.commit))]
    return _unknown(found, versions), first


def still_orphans(storage: Storage, found: list[str], announced: Version, seen: Version) -> list[str]:
    """Leave out of `found` what versions refer to that are newer than `seen`, up to the one that announces the sweep.

    Raises:
        SparkhuError: One of them, or a manifest, is missing or damaged.
    """
    versions = [announced]
    while versions[-1].number > seen.number + 1:
        path = versions[-1].commit.parent
        commit = read_commit(storage.read(path), f"'{storage.place(path)}'")
        versions.append(Version(commit, storage, ""))
    return _unknown(found, versions)


def _unknown(found: list[str], versions: list[Version]) -> list[str]:
    """Leave out of `found` what one of `versions` refers to; their manifests are read as far as is needed."""
    left = set(found) - {version.commit.path for version in versions}
    # Many versions share a manifest: each is read once.
    entries: dict[str, tuple[Version, str]] = {}
    for version in versions:
        for name, entry in version.tables.items():
            entries.setdefault(entry.manifest, (version, name))
    left -= entries.keys()
    todo = iter(entries.values())
    while left and (some := list(islice(todo, AT_ONCE))):
        for manifest in each(lambda one: one[0].manifest(one[1]), some):
            left.difference_update(file.path for file in manifest.files)
    return [path for path in found if path in left]


def ancestors(storage: Storage, commit: Commit) -> list[Commit]:
    """Read all versions before `commit`."""
    there = [file.path for file in storage.listed(VERSIONS)]
    readable = dict(zip(there, each(lambda path: _commit(storage, path), there), strict=True))
    chain = []
    while commit.parent:
        before = readable.get(commit.parent)
        if not isinstance(before, Commit):
            said = before or f"'{storage.place(commit.parent)}' is missing."
            raise SparkhuError(f"version {commit.version - 1} cannot be read: {said} Nothing was swept.")
        chain.append(before)
        commit = before
    return chain


def _commit(storage: Storage, path: str) -> Commit | SparkhuError:
    """Read one version; a killed publisher may have left half of one, which matters only if another refers to it."""
    try:
        return read_commit(storage.read(path), f"'{storage.place(path)}'")
    except SparkhuError as error:
        return error
