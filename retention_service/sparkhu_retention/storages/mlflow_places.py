"""Where files of MLflow lie, and whose they are: several may have the same ones, or some that lie within others'."""

import os
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import normpath
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, and_, or_, select

from sparkhu_retention.storages.mlflow_marks import TAG, may_come_back
from sparkhu_retention.storages.mlflow_rows import DELETED, Database

_BY_RUN = re.compile(r"runs:/+(?P<run>[0-9a-f]{32})(?P<rest>/.*)?")


@dataclass(frozen=True)
class Owner:
    """A run or a version that is there, or that is buried and may come back.

    Attributes:
        item: Its id.
        is_live: Whether MLflow's client finds it.
    """

    item: str
    is_live: bool


class Places:
    """The places of owners, to be asked who has files in common with another.

    Args:
        owners: Each with the URI of its files; one that has several is there as often.
        written: How URIs are written in one way.
    """

    def __init__(self, owners: Iterable[tuple[str, Owner]], written: Callable[[str], str]) -> None:
        self._owners: defaultdict[str, list[Owner]] = defaultdict(list)
        for place, owner in owners:
            self._owners[written(place)].append(owner)
        self._sorted = sorted(self._owners)

    def sharing(self, place: str, item: str) -> dict[Owner, str]:
        """Find whose place is this one, contains it or lies in it; with what is theirs of it, as a path.

        Args:
            place: URI of files.
            item: Whose they are; it is not among what is found.
        """
        mine = written_once(place)
        around = [mine, *map(str, PurePosixPath(mine).parents)]
        found = {owner: "" for each in around for owner in self._owners.get(each, ())}
        for inner in self._within(mine):
            found |= {owner: inner.removeprefix(f"{mine}/") for owner in self._owners[inner] if owner not in found}
        return {owner: found[owner] for owner in sorted(found, key=lambda each: each.item) if owner.item != item}

    def _within(self, place: str) -> Iterator[str]:
        """Give the places that lie in one, each as it is written."""
        first = bisect_left(self._sorted, f"{place}/")
        for k in range(first, len(self._sorted)):
            if not self._sorted[k].startswith(f"{place}/"):
                return
            yield self._sorted[k]


def written_once(place: str) -> str:
    """Write the URI of a place in one way: folders of this machine without links, nothing with a `/` at its end.

    Example:
        >>> written_once("s3://plant/models//m-1/")
        's3:/plant/models/m-1'
    """
    parts = urlsplit(place)
    if parts.scheme in ("", "file"):
        return os.path.realpath(unquote(parts.path) if parts.scheme else place)
    return f"{parts.scheme}:{normpath(f'/{parts.netloc}/{parts.path}')}".rstrip("/")


def places_of_runs(database: Database, connection: Connection, written: Callable[[str], str] = written_once) -> Places:
    """Read where the files of runs lie."""
    runs, tags = database.table("runs"), database.table("tags")
    tagged = and_(tags.c.run_uuid == runs.c.run_uuid, tags.c.key == TAG)
    asked = (
        select(runs.c.experiment_id, runs.c.run_uuid, runs.c.artifact_uri, runs.c.lifecycle_stage, tags.c.value)
        .select_from(runs.outerjoin(tags, tagged))
        .where(or_(runs.c.lifecycle_stage == "active", tags.c.value.is_not(None)))
    )
    owners = (
        (place, Owner(f"runs/{experiment}/{run}", stage == "active"))
        for experiment, run, place, stage, tag in connection.execute(asked)
        if stage == "active" or may_come_back(tag)
    )
    return Places(owners, written)


def places_of_versions(
    database: Database, connection: Connection, written: Callable[[str], str] = written_once
) -> Places:
    """Read where the files of versions lie, those of all workspaces."""
    versions, tags = database.table("model_versions"), database.table("model_version_tags")
    keys = [name for name in ("workspace", "name", "version") if name in versions.c]
    tagged = and_(tags.c.key == TAG, *(tags.c[name] == versions.c[name] for name in keys))
    columns = (versions.c[name] for name in ("name", "version", "source", "storage_location", "current_stage"))
    asked = (
        select(*columns, tags.c.value)
        .select_from(versions.outerjoin(tags, tagged))
        .where(or_(versions.c.current_stage != DELETED, tags.c.value.is_not(None)))
    )
    found = connection.execute(asked).all()
    named = (place for row in found for place in (row.source, row.storage_location))
    runs = _places_by_run(database, connection, named)
    owners = (
        (_resolved(place, runs), Owner(f"versions/{row.name}/{row.version}", is_live))
        for row in found
        if (is_live := row.current_stage != DELETED) or may_come_back(row.value)
        for place in {row.source, row.storage_location} - {None, ""}
    )
    return Places(owners, written)


def _places_by_run(database: Database, connection: Connection, places: Iterable[str | None]) -> dict[str, str]:
    """Give where the files of the runs lie that places name."""
    runs = database.table("runs").c
    named = {said["run"] for place in places if (said := _BY_RUN.fullmatch(place or ""))}
    asked = select(runs.run_uuid, runs.artifact_uri).where(runs.run_uuid.in_(sorted(named)))
    return {row.run_uuid: row.artifact_uri for row in connection.execute(asked)}


def _resolved(place: str, runs: Mapping[str, str]) -> str:
    said = _BY_RUN.fullmatch(place)
    return f"{runs[said['run']]}{said['rest'] or ''}" if said and said["run"] in runs else place
