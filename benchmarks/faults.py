"""Plant known faults in generated series, run the steps, and count what they find, miss and invent.

    python benchmarks/faults.py                 print the table
    python benchmarks/faults.py docs/faults.md  write the page

The series are those of `benchmarks/planting.py`: 20 hourly, 15 daily, 15 of every 15 minutes. When a fault counts as
found says `KINDS`.
"""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from benchmarks.planting import GRIDS, Instants, Planted, plant, raw_table
from sparkhu.sections import Anomalies, Decomposition, LevelChanges
from sparkhu.steps.anomalies import flag_anomalies
from sparkhu.steps.decomposition import decompose
from sparkhu.steps.deduplication import drop_duplicates
from sparkhu.steps.description import describe
from sparkhu.steps.filling import fill
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.level_changes import find_level_changes
from sparkhu.steps.outliers import flag_outliers
from sparkhu.steps.pooling import pool_fills
from sparkhu.steps.regularity import detect_regularity
from sparkhu.steps.validation import validate

FILLS = ("mean", "median", "last", "next", "linear")
KINDS = {
    "gap": "missing instants: a row marked as a gap stands at each",
    "duplicate, exact": "instants with a second, equal row: reported as `exact`",
    "duplicate, conflicting": "instants with a second row of another value: reported as `conflict`",
    "clock set back an hour": "instants that local time went through twice: reported as `repeated_interval`",
    "clock that stood still": "instants that four rows were stamped with: reported as `burst`",
    "spike, by fences": "single points 8σ off: flagged as outliers (`is_outlier`)",
    "spike, by remainder": "the same: flagged as anomalies (`is_anomaly`), by kind of series",
    "spike, by either": "the same: flagged as one or the other",
    "level shift": "steps of 6σ: reported as `shift` within half a season of it",
    "drift": "a rise by 8σ over the second half: reported as `drift` that begins within a tenth of the series of there",
}
"""What is planted, and when it counts as found."""


class Told(NamedTuple):
    """What the steps say: the marked and flagged rows, the report of duplicates, and the changes of the level."""

    rows: pl.DataFrame
    duplicates: pl.DataFrame
    changes: pl.DataFrame

    def where(self, flagged: pl.Expr) -> Instants:
        """Name the instants of the rows that a condition holds for."""
        return set(self.rows.filter(flagged).select("unique_id", "ds").iter_rows())


def run_steps(raw: pl.DataFrame) -> Told:
    """Run the steps of the regular way over a raw table, with their defaults."""
    valid = validate(raw).frames["observations"]
    unique = drop_duplicates(valid).frames
    rows = unique["observations"]
    stats = describe(rows, stationarity_points=0).frames["stats"]
    profile = detect_regularity(rows).frames["profile"]
    flags = flag_outliers(rows, stats).frames["flags"]
    layered = rows.drop("y", "available_at").hstack(flags)
    marked = mark_gaps(layered, profile).frames["observations"]
    fills = [fill(marked, profile, strategy=name).frames for name in FILLS]
    layers, scores = [one["filled"] for one in fills], pl.concat([one["scores"] for one in fills])
    chosen = pl.concat([marked, *layers], how="horizontal")
    pooled = pool_fills(chosen, scores, variants=FILLS).frames["filled"]
    filled = marked.with_columns(pooled)
    made = filled.hstack(decompose(filled, profile, **Decomposition().model_dump()).frames["parts"])
    judged = made.hstack(flag_anomalies(made, profile, **Anomalies().model_dump()).frames["anomalies"])
    changes = find_level_changes(filled, profile, **LevelChanges().model_dump()).frames["level_changes"]
    return Told(judged, unique["duplicates"], changes)


class Line(NamedTuple):
    """One line of the table."""

    kind: str
    planted: int
    found: int
    invented: int


def judge(planted: list[Planted], told: Told) -> list[Line]:
    """Count, for each kind, what was planted, found and invented."""
    return [*_judge_instants(planted, told), *_judge_spikes(planted, told), *_judge_changes(planted, told)]


def _line(kind: str, sown: Instants, said: Instants) -> Line:
    return Line(kind, len(sown), len(sown & said), len(said - sown))


def _sown(planted: list[Planted], kind: str) -> Instants:
    return set().union(*(one.instants(kind) for one in planted))


def _judge_instants(planted: list[Planted], told: Told) -> Iterator[Line]:
    """Gaps and duplicates. A duplicate of another kind than it is said to be is missed there, and not invented here."""
    yield _line("gap", _sown(planted, "gap"), told.where(pl.col("is_gap")))
    sown = {name: _sown(planted, name) for name in ("exact", "conflict", "repeated_interval", "burst")}
    for kind, name in zip(list(KINDS)[1:5], sown, strict=True):
        said = set(told.duplicates.filter(kind=name).select("unique_id", "ds").iter_rows())
        others = set().union(*(at for other, at in sown.items() if other != name))
        yield _line(kind, sown[name], said - others)


def _judge_spikes(planted: list[Planted], told: Told) -> Iterator[Line]:
    """Flags beside a spike are invented, but for those at the edge of a level shift and where a clock was wrong."""
    spikes, other = _sown(planted, "spike"), {(one.name, moment) for one in planted for moment in _faulty(one)}
    fences, remainder = pl.col("is_outlier"), pl.col("is_anomaly")
    yield _line("spike, by fences", spikes, told.where(fences) - other)
    for grid in GRIDS:
        own = {(name, moment) for name, moment in spikes if name.startswith(grid.label)}
        said = told.where(remainder & pl.col("unique_id").str.starts_with(grid.label))
        yield _line(f"spike, by remainder, {grid.label}", own, said - other)
    yield _line("spike, by either", spikes, told.where(fences | remainder) - other)


def _faulty(one: Planted) -> set[datetime]:
    clock = [*one.at.get("repeated_interval", ()), *one.at.get("burst", ())]
    return {one.ds[row] for row in clock} | {ds for edge in one.at.get("shift", ()) for ds in _around(one, edge)}


def _around(one: Planted, edge: int) -> list[datetime]:
    """Give the instants within half a season of a row, the shortest season of the series."""
    half = one.grid.seasons[0] // 2
    return one.ds[max(edge - half, 0) : edge + half]


def _judge_changes(planted: list[Planted], told: Told) -> Iterator[Line]:
    """Level shifts and drifts. One that is reported where none was planted, or too far from it, is invented."""
    for kind, reported, near in (("level shift", "shift", _around), ("drift", "drift", _at_start)):
        sown = {one.name: set(near(one, *one.at[reported])) for one in planted if reported in one.at}
        said = list(told.changes.filter(kind=reported).select("unique_id", "ds").iter_rows())
        found = {name for name, moment in said if moment in sown.get(name, ())}
        yield Line(kind, len(sown), len(found), len(said) - len(found))


def _at_start(one: Planted, start: int) -> list[datetime]:
    """Give the instants within a tenth of the series of a row."""
    tenth = one.grid.size // 10
    return one.ds[start - tenth : start + tenth]


def measure(share: float = 1.0) -> list[Line]:
    """Plant, run and judge; `share` of the series of each kind."""
    planted = [plant(grid, number) for grid in GRIDS for number in range(round(grid.series * share))]
    return judge(planted, run_steps(raw_table(planted)))


def page(lines: list[Line]) -> str:
    """Render the table with what its lines mean."""
    table = ["| fault | planted | found | missed | invented |", "| --- | ---: | ---: | ---: | ---: |"]
    table += [
        f"| {one.kind} | {one.planted} | {one.found} | {one.planted - one.found} | {one.invented} |" for one in lines
    ]
    return "\n".join([*table, "", *[f"- **{kind}**: {what}." for kind, what in KINDS.items()]])


INTRO = """# Planted faults

What the steps find of faults that were planted in 50 generated series, and what they invent. Written by
`python benchmarks/faults.py docs/faults.md`; seeds are fixed, so the numbers are the same every time. All steps run
with their defaults.
"""
READING = """
How to read it:

- Gaps and duplicates are exact by definition, and clocks follow from these. An hour of an hourly series that was
  stamped twice is one instant: it is reported as `conflict`, since a repeated interval is told from two instants on.
- Fences look at values, not at what is usual at that time of day: they catch a spike only where it leaves the range of
  the whole season. The remainder is where spikes show, the better the more whole seasons the training part holds.
- A trend follows a level shift and a drift: neither is an anomaly of single points. `find_level_changes` looks at the
  level itself, over whole seasons, and says where it changed and by how much. A drift has to stand out from a random
  walk, which a slow one of a noisy series does not.
"""


def main(arguments: list[str]) -> None:
    """Print the table, or write it to the page that is named."""
    text = page(measure())
    print(text)
    for name in arguments:
        Path(name).write_text(f"{INTRO}\n{text}\n{READING}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
