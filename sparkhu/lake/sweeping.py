"""Finding what no version refers to: the leavings of publishers that were killed or came second."""

from collections.abc import Callable
from datetime import timedelta
from itertools import islice

from sparkhu.errors import SparkhuError
from sparkhu.lake.records import TABLES, VERSIONS, Commit, read_commit
from sparkhu.lake.storage import Storage, each
from sparkhu.lake.tables import Version

SWEPT = (TABLES, VERSIONS, ".drafts/", "leases/")
AT_ONCE = 32


def orphans(storage: Storage, newest: Callable[[], Version], older_than: timedelta) -> list[str]:
    """List the files that no version refers to and that are older than `older_than`.

    What is there is listed first and the versions are read after that, so a file that is committed meanwhile is known.
    Newer versions know most files, so their manifests are read first, and no further than to the last file's.

    Raises:
        SparkhuError: A version or a manifest is missing or damaged: then nothing can be told.
    """
    limit = storage.now() - older_than
    found = [file.path for prefix in SWEPT for file in storage.listed(prefix) if file.modified <= limit]
    left = set(found)
    if not left:
        return []
    first = newest()
    versions = [first, *(Version(commit, storage, "") for commit in ancestors(storage, first.commit))]
    left -= {version.commit.path for version in versions}
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
