"""Lineage, asked: what a model, a table or a run was made from, and what was made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import DataFile, Lake, Table, Version, open_lake
from sparkhu.registry.ancestry import Ancestry, read_ancestry

INSTANT = timedelta(microseconds=1)
RUNS = ("run-", "ingest-")
NEWEST = 3


@dataclass(frozen=True)
class Part:
    """Something that was read or written: a partition of a table, a file, or a version of a lake.

    Attributes:
        what: What it is, such as `observations 2024-01-03`.
        where: Its place.
        rows: Its rows; null where it is not known.
        sha256: Its checksum.
        run: The run that wrote it.
        note: What else is to be said, such as that it is gone.
    """

    what: str
    where: str
    rows: int | None = None
    sha256: str = ""
    run: str = ""
    note: str = ""


@dataclass(frozen=True)
class Trace:
    """The lineage of one thing.

    Attributes:
        title: What it is.
        facts: What is known of it, by name.
        made_from: What went into it.
        made: What came out of it, or what it holds.
    """

    title: str
    facts: Mapping[str, str]
    made_from: Sequence[Part] = field(default_factory=tuple)
    made: Sequence[Part] = field(default_factory=tuple)


def trace_model(model: str) -> Trace:
    """Trace a version of a model to the partitions that it was trained on.

    Args:
        model: `name` (its champion), `name@alias` or `name/version`.

    Raises:
        InputError: There is no such model, alias or version.
        SparkhuError: The registry cannot be used.
    """
    found = read_ancestry(model)
    facts = {
        "flavour": found.flavor,
        "aliases": ", ".join(found.aliases) or "none",
        "run": found.run,
        "code": found.code,
        "parameters": ", ".join(f"{name}={value!r}" for name, value in found.params.items()),
        "stands on": ", ".join(found.parents),
    }
    parts = [part for source in found.sources for part in _parts_of(source)]
    return Trace(_title(found), {name: text for name, text in facts.items() if text}, parts)


def trace_table(lake: Lake, name: str) -> Trace:
    """Trace a table of a lake: its published intervals with what they were made from, and its partitions.

    Raises:
        InputError: The newest version has no such table.
    """
    version = lake.version()
    table = version.table(name)
    # What stands at the end of an interval has one that is an instant longer than what was read for it.
    closing = INSTANT if table.time == "available_at" else timedelta()
    stale = {each.interval for each in lake.outdated(name) if each.since < each.interval.end - closing}
    intervals = [
        Part(
            f"{each.start.isoformat()} to {each.end.isoformat()}",
            f"observations from {_limit(each.read_from)}, version {each.read_version}",
            run=each.run,
            note="; ".join([f"parameters {each.params}", *(["out of date"] if each in stale else [])]),
        )
        for each in table.intervals
    ]
    facts = {"lake": lake.uri, "version": str(version.number), "rows": f"{table.rows:,}"}
    return Trace(f"table {name}", facts, intervals, [_of_file(table, file) for file in table.manifest.files])


def trace_run(lake: Lake, run: str) -> Trace:
    """Trace a run to what it read of a lake and to what it committed.

    Raises:
        InputError: No version of the lake was committed by it.
    """
    history = lake.history()
    place = next((at for at, version in enumerate(history) if version.run == run), None)
    if place is None:
        raise InputError(
            f"no version of '{lake.uri}' was committed by the run '{run}'; the newest are by {_newest_runs(lake)}."
        )
    version = history[place]
    before = history[place + 1] if place + 1 < len(history) else None
    intervals = [each for name in version.tables for each in version.table(name).intervals if each.run == run]
    facts = {
        "lake": lake.uri,
        "version": str(version.number),
        "committed": version.committed_at.isoformat(timespec="seconds"),
        "of": version.commit.note,
        "parameters": ", ".join(sorted({each.params for each in intervals})),
        "code": version.commit.code,
        "version before": str(before.number) if before else "none",
    }
    read = [part for source in version.commit.sources for part in _parts_of(source)]
    if not read and run.startswith(RUNS[1]):
        read = [Part("source", version.commit.note)]
    return Trace(f"run {run}", {name: text for name, text in facts.items() if text}, read, _written_by(version, run))


def trace(what: str, *, lake: str = "") -> Trace:
    """Trace a table or a run of a lake, else a model.

    Args:
        what: A table's name, a run's, or a model's as `trace_model` takes it.
        lake: Where tables and runs are looked for first; empty: `what` is a model.

    Raises:
        InputError: There is no such thing.
        SparkhuError: The lake or the registry cannot be used.
    """
    place = open_lake(lake) if lake else None
    if place and what in place.version().tables:
        return trace_table(place, what)
    if place and what.startswith(RUNS):
        return trace_run(place, what)
    try:
        return trace_model(what)
    except InputError as error:
        if "@" in what or "/" in what:
            raise
        raise InputError(_unknown(what, place)) from error


def _unknown(what: str, lake: Lake | None) -> str:
    """Say that there is nothing of a name, and what there is."""
    forms = "A model is given as NAME (its champion), NAME@ALIAS or NAME/VERSION"
    if lake is None:
        return f"no model '{what}' has a champion. {forms}; a table or a run needs its lake as well (--lake URI)."
    tables = ", ".join(sorted(lake.version().tables)) or "none yet"
    return (
        f"'{lake.uri}' has no table or run '{what}', and no model of that name has a champion. "
        f"Its tables are {tables}, its newest runs {_newest_runs(lake)}. {forms}."
    )


def _newest_runs(lake: Lake) -> str:
    return ", ".join([version.run for version in lake.history() if version.run][:NEWEST]) or "none yet"


def _title(found: Ancestry) -> str:
    return f"model {found.name}, version {found.version}"


def _parts_of(source: Mapping[str, Any]) -> list[Part]:
    """List what a source of a model stands for: the partitions of the version of a lake, or a file."""
    if "table" not in source:
        return [Part("source", str(source["uri"]), source.get("rows"), str(source.get("sha256", "")))]
    what = f"{source['table']}, version {source['version']}"
    span = f"{source.get('start') or 'the first row'} to {source.get('end') or 'the last'}"
    whole = Part(what, str(source["uri"]), source.get("rows"), str(source["sha256"]), note=span)
    try:
        table = open_lake(str(source["uri"])).version(int(source["version"])).table(str(source["table"]))
    except SparkhuError as error:
        return [Part(whole.what, whole.where, whole.rows, whole.sha256, note=f"{span}; cannot be read now: {error}")]
    start, end = (_moment(source.get(name)) for name in ("start", "end"))
    return [whole, *(_of_file(table, file) for file in table.files(start, end))]


def _limit(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "the first row"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _of_file(table: Table, file: DataFile) -> Part:
    what = f"{table.name} {file.partition}"
    return Part(what, table.storage.place(file.path), file.rows, file.sha256, file.run, f"since version {file.version}")


def _written_by(version: Version, run: str) -> list[Part]:
    tables = [version.table(name) for name in sorted(version.tables)]
    return [_of_file(table, file) for table in tables for file in table.manifest.files if file.run == run]
