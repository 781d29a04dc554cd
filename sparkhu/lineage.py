"""What every result was made from: fingerprints of inputs and code, and the history that travels with each artifact.

Every folder that a step writes holds `history.json`, the records of all steps up to it, and `ledger.parquet`,
the per-series entries of those steps. A result can therefore be explained wherever it is found.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu import ledger

HISTORY, LEDGER = "history.json", "ledger.parquet"


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

    def extended(self, record: StepRecord, entries: pl.DataFrame) -> "Trail":
        """Add one step and its ledger entries."""
        return Trail((*self.history, record), ledger.merge([self.entries, entries]))

    def write(self, folder: Path) -> None:
        """Write both files into `folder`, which must exist."""
        (folder / HISTORY).write_text(json.dumps([asdict(record) for record in self.history], indent=1, default=str))
        self.entries.write_parquet(folder / LEDGER)


def read_trail(folders: Iterable[Path]) -> Trail:
    """Join the trails of several artifacts; what they share stands once, earliest first."""
    records: dict[str, StepRecord] = {}
    entries = []
    for folder in folders:
        for item in json.loads((folder / HISTORY).read_text()):
            record = StepRecord(**{**item, **{name: tuple(item[name]) for name in ("inputs", "sources", "notes")}})
            records.setdefault(record.step, record)
        entries.append(pl.read_parquet(folder / LEDGER))
    return Trail(tuple(sorted(records.values(), key=lambda record: record.started)), ledger.merge(entries))


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
