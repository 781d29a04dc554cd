"""Read again what the archive has before the last other copy goes: files of items, and their downsamples."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sparkhu.errors import SparkhuError
from sparkhu_retention.applying.archive import Damaged, Kept
from sparkhu_retention.applying.failures import EVERYWHERE, MOST_REFUSED, alert, because, kind_of
from sparkhu_retention.applying.running import Running
from sparkhu_retention.database import downsampled, policy_versions
from sparkhu_retention.database.downsampled import Downsampled
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.policies.policy import Policy

Failing = dict[str, SparkhuError]
"""Archives that could not be read in this run, and why."""


def unreadable(running: Running, uri: str, files: Sequence[Kept], failing: Failing) -> dict[str, SparkhuError]:
    """Read files of an archive; of each path that is not whole there, the reason.

    An archive that cannot be reached, or refuses one file after the other, is not asked again in this run.
    """
    broken: dict[str, SparkhuError] = {}
    refused = 0
    try:
        for file, error in running.archive_at(uri).tried(files) if uri not in failing else ():
            if error is None or isinstance(error, Damaged):
                refused = 0
            elif (refused := refused + 1) == MOST_REFUSED or kind_of(error) in EVERYWHERE:
                failing[uri] = error
                break
            if error is not None:
                broken[file.path] = error
    except SparkhuError as error:
        failing[uri] = error
    return broken | dict.fromkeys((file.path for file in files), failing[uri]) if uri in failing else broken


def lost_downsamples(running: Running, entries: Sequence[Entered], failing: Failing) -> dict[int, SparkhuError]:
    """Find entries whose downsample was written, and is not whole now: number of the entry, and the reason.

    Only that which the policy in force wants is looked at; what was never written is for `held_back` to tell.
    """
    with running.work.database.reading() as connection:
        found = [Policy.model_validate(each.document) for each in policy_versions.in_force(connection)]
        wanted = {policy.name: (one.to, one.by) for policy in found if (one := policy.downsample) is not None}
        asked = {entry.entry: wanted[entry.policy] for entry in entries if entry.policy in wanted}
        rows = downsampled.of_entries(connection, list(asked))
    return not_whole(running, [(number, row) for number, row in rows if (row.to, row.by) == asked[number]], failing)


def not_whole(running: Running, rows: Iterable[tuple[int, Downsampled]], failing: Failing) -> dict[int, SparkhuError]:
    """Read the files of downsamples, each once; of each entry none of whose files is whole, the reason."""
    of_entry: dict[int, list[Downsampled]] = defaultdict(list)
    by_archive: dict[str, dict[str, Downsampled]] = defaultdict(dict)
    for number, row in rows:
        of_entry[number].append(row)
        by_archive[row.archive].setdefault(row.path, row)
    broken = {
        (uri, path): error
        for uri, some in by_archive.items()
        for path, error in unreadable(running, uri, list(some.values()), failing).items()
    }
    return {
        number: broken[some[0].archive, some[0].path]
        for number, some in of_entry.items()
        if all((row.archive, row.path) in broken for row in some)
    }


def warn_of_kept(running: Running, broken: Mapping[int, SparkhuError], what: str, way_out: str) -> dict[int, str]:
    """Raise one alert for entries that are kept because a copy is not whole; give what each of them is told."""
    first = next(iter(broken.values()))
    number = f"{len(broken)} items cannot be {what}. The first: " if len(broken) > 1 else ""
    alert(because(f"{number}{first} {way_out}", first), storage=running.storage.uri, run=running.run)
    return {entry: f"{error} {way_out}" for entry, error in broken.items()}
