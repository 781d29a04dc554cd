"""What every result was made from: fingerprints of inputs and code, and the history that travels with each artifact.

Every folder that a step writes holds `history.json`, the records of all steps up to it, and `ledger.parquet`,
the per-series entries of those steps. A result can therefore be explained wherever it is found.

Steps may run over groups of shards side by side (`sparkhu.stages.grouping`). Within a group the history is that of the
group; where the groups meet, each step stands once, with what it did in all of them.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu import ledger

HISTORY, LEDGER = "history.json", "ledger.parquet"
TAKE_GROUP, PACK_GROUP, GATHER_GROUPS = "take_group", "pack_group", "gather_groups"
GROUPING = (TAKE_GROUP, PACK_GROUP, GATHER_GROUPS)
"""Steps that say where shards are worked at, and change nothing in them."""


class Group(NamedTuple):
    """One of the groups of shards that steps run over side by side."""

    group: int
    """Its number, from 1."""
    groups: int
    """How many there are."""


def place_of(group: Group | None) -> dict[str, int]:
    """Tell in an event which group of shards it is about."""
    return group._asdict() if group else {}


@dataclass(frozen=True)
class StepRecord:
    """One step of a run.

    Attributes:
        step: Name of the step, unique within a run.
        started: When it began, UTC, ISO 8601.
        seconds: How long it took.
        rows_in: Rows of its first input.
        rows_out: Rows of its first output.
        series_in: Series that it was given.
        series_skipped: Series that it did not apply to.
        series_failed: Series that it gave up.
        inputs: Steps whose results it read.
        params: Its parameters.
        counts: What it counted over the whole run, such as `{"quarantined": 3}`.
        sources: Fingerprints of what it read from outside the run.
        notes: What it found from the data or chose by default.
        code: Fingerprint of the library that ran it.
        status: `ok`; a step that fails leaves no record.
    """

    step: str
    started: str
    seconds: float
    rows_in: int = 0
    rows_out: int = 0
    series_in: int = 0
    series_skipped: int = 0
    series_failed: int = 0
    inputs: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    sources: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    code: str = ""
    status: str = "ok"


@dataclass(frozen=True)
class Trail:
    """The history and the ledger of an artifact: all that happened up to it."""

    history: tuple[StepRecord, ...] = ()
    entries: pl.DataFrame = field(default_factory=lambda: ledger.merge([]))

    @property
    def group(self) -> Group | None:
        """Which group of shards it is of; None where it is of all of them."""
        params = {record.step: record.params for record in self.history}
        if GATHER_GROUPS in params or "group" not in params.get(TAKE_GROUP, {}):
            return None
        return Group(**params[TAKE_GROUP])

    def of_series(self, series: pl.Series) -> "Trail":
        """Keep the entries of some of the series."""
        return Trail(self.history, self.entries.filter(pl.col("unique_id").is_in(series.implode())))

    def extended(self, record: StepRecord, entries: pl.DataFrame) -> "Trail":
        """Add one step and its ledger entries."""
        return Trail((*self.history, record), ledger.merge([self.entries, entries]))

    def write(self, folder: Path) -> None:
        """Write both files into `folder`, which must exist."""
        (folder / HISTORY).write_text(json.dumps([asdict(record) for record in self.history], indent=1, default=str))
        self.entries.write_parquet(folder / LEDGER)


def read_trail(folders: Iterable[Path]) -> Trail:
    """Join the trails of several artifacts, earliest step first.

    What they share stands once. Where they are of several groups of shards, a step that ran in each of them stands once
    with the sums of its records, and entries stand as if it had run once over all shards.
    """
    by_group: dict[Group | None, list[Trail]] = {}
    for folder in folders:
        trail = _read(folder)
        by_group.setdefault(trail.group, []).append(trail)
    groups = sorted(group for group in by_group if group is not None)
    if len(groups) <= 1:
        return _joined([trail for trails in by_group.values() for trail in trails])
    return _joined([_gathered([_joined(by_group[group]) for group in groups]), *by_group.get(None, [])])


def _read(folder: Path) -> Trail:
    records = (
        StepRecord(**{**item, **{name: tuple(item[name]) for name in ("inputs", "sources", "notes")}})
        for item in json.loads((folder / HISTORY).read_text())
    )
    return Trail(tuple(records), pl.read_parquet(folder / LEDGER))


def _joined(trails: Sequence[Trail]) -> Trail:
    records: dict[str, StepRecord] = {}
    for record in (record for trail in trails for record in trail.history):
        records.setdefault(record.step, record)
    history = tuple(sorted(records.values(), key=lambda record: record.started))
    return Trail(history, ledger.merge([trail.entries for trail in trails]))


def _gathered(trails: Sequence[Trail]) -> Trail:
    """Join the trails of groups, given in order, that came through the same steps."""
    records: dict[str, list[StepRecord]] = {}
    for record in (record for trail in trails for record in trail.history):
        records.setdefault(record.step, []).append(record)
    order = _depth_first(trails[0].history)
    in_groups = {TAKE_GROUP}
    for step in order:
        if in_groups.intersection(records[step][0].inputs):
            in_groups.add(step)
    history = [summed(found) if step in in_groups else found[0] for step, found in records.items()]
    places = pl.col("step").replace_strict(order, range(len(order)), return_dtype=pl.Int64)
    entries = pl.concat([trail.entries for trail in trails]).sort(places, maintain_order=True)
    return Trail(tuple(history), ledger.merge([entries]))


def _depth_first(history: Sequence[StepRecord]) -> list[str]:
    """Order steps as their entries stand in a ledger: each behind the steps that it read, those in their order."""
    records = {record.step: record for record in history}
    read = {name for record in history for name in record.inputs}
    order: dict[str, None] = {}

    def visit(step: str) -> None:
        if step in records and step not in order:
            for name in records[step].inputs:
                visit(name)
            order[step] = None

    for record in history:
        if record.step not in read:
            visit(record.step)
    return list(order)


def summed(records: Sequence[StepRecord]) -> StepRecord:
    """Give one record for a step that ran once a group: sums of seconds, rows, series and counts.

    Of its parameters those stay that were the same in all groups.
    """
    first = records[0]
    counts: dict[str, int] = {}
    for record in records:
        for name, count in record.counts.items():
            counts[name] = counts.get(name, 0) + count
    sums = ("rows_in", "rows_out", "series_in", "series_skipped", "series_failed")
    return replace(
        first,
        started=min(record.started for record in records),
        seconds=round(sum(record.seconds for record in records), 4),
        params={name: value for name, value in first.params.items() if all(r.params[name] == value for r in records)},
        counts=counts,
        sources=tuple(source for record in records for source in record.sources),
        notes=tuple(dict.fromkeys(note for record in records for note in record.notes)),
        **{name: sum(getattr(record, name) for record in records) for name in sums},
    )


def last_steps(folders: Sequence[Path]) -> tuple[str, ...]:
    """Name the step that wrote each folder, each once, in order."""
    names = [json.loads((folder / HISTORY).read_text())[-1]["step"] for folder in folders]
    return tuple(dict.fromkeys(names))


def file_checksum(path: Path) -> str:
    """Give the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_fingerprint() -> str:
    """Name the library that runs: its version and a hash over its source files, such as `0.1.0+3f2a9c1b7d04`."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode())
        digest.update(path.read_bytes())
    return f"{version('sparkhu')}+{digest.hexdigest()[:12]}"
