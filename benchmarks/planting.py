"""Generated series with faults planted in them: seasons, a trend, noise of standard deviation 1, and known errors.

Seeds are fixed: the same series every time. Every series gets gaps, spikes and duplicates; one in four a level shift,
one a drift, one a clock set back an hour, one a clock that stood still.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import TIME

Floats = npt.NDArray[np.float64]
Instants = set[tuple[str, datetime]]
GAPS, SPIKES, DUPLICATES = 3, 6, 3
SPIKE, SHIFT, DRIFT = 8.0, 6.0, 8.0
"""Sizes of a spike, a level shift and a whole drift, in standard deviations of the noise."""
BLOCK = 24
"""Points of a series that hold one fault at most."""
STANDSTILL = 4
"""Rows that a clock which stands still stamps alike."""


class Grid(NamedTuple):
    """The instants of one kind of series."""

    label: str
    series: int
    size: int
    start: datetime
    step: timedelta
    seasons: tuple[int, ...]


GRIDS = (
    Grid("hourly", 20, 1440, datetime(2024, 10, 1, tzinfo=UTC), timedelta(hours=1), (24, 168)),
    Grid("daily", 15, 840, datetime(2022, 1, 1, tzinfo=UTC), timedelta(days=1), (7,)),
    Grid("15 minutes", 15, 2016, datetime(2024, 10, 10, tzinfo=UTC), timedelta(minutes=15), (96,)),
)
CLOCK_BACK = datetime(2024, 10, 27, tzinfo=UTC)
"""Central European clocks showed the hour from here on a second time an hour later."""


@dataclass
class Planted:
    """One series with its faults: rows of the raw table, and where what was planted."""

    name: str
    grid: Grid
    ds: list[datetime]
    y: Floats
    at: dict[str, set[int]] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    stamped: dict[int, int] = field(default_factory=dict)
    copies: dict[int, float] = field(default_factory=dict)

    def instants(self, kind: str) -> Instants:
        """Name the instants at which a kind of fault was planted."""
        return {(self.name, self.ds[row]) for row in self.at.get(kind, ())}

    def rows(self) -> Iterator[tuple[str, datetime, float]]:
        """Give the raw rows in the order of the source."""
        for row, (ds, y) in enumerate(zip(self.ds, self.y.tolist(), strict=True)):
            if row in self.removed:
                continue
            if row in self.copies:
                yield self.name, ds, y + self.copies[row]
            yield self.name, self.ds[self.stamped.get(row, row)], y


def plant(grid: Grid, number: int) -> Planted:
    """Make one series and plant its faults; `number` seeds it and says which of the rarer faults it gets."""
    rng = np.random.default_rng([grid.seasons[0], number])
    time = np.arange(grid.size)
    waves = [5.0 * np.sin(2 * np.pi * (time / season + rng.random())) for season in grid.seasons]
    y = 100.0 + np.sum(waves, axis=0) + rng.uniform(-1, 1) * time / grid.size + rng.normal(size=grid.size)
    ds = [grid.start + row * grid.step for row in range(grid.size)]
    planted = Planted(f"{grid.label}-{number:02d}", grid, ds, y)
    back = _clock_rows(grid) if number % 4 == 2 else []
    taken = {(row // BLOCK) for row in back}
    free = [block for block in range(1, grid.size // BLOCK - 1) if not taken & {block - 1, block, block + 1}]
    places = (int(block) * BLOCK + int(rng.integers(4, 8)) for block in rng.permutation(free))
    _plant_points(planted, places, rng)
    _plant_rare(planted, number, places, back)
    return planted


def _plant_points(planted: Planted, places: Iterator[int], rng: np.random.Generator) -> None:
    """Plant what every series gets: gaps, spikes, duplicates."""
    firsts = [next(places) for _ in range(GAPS)]
    planted.removed = {row for first in firsts for row in range(first, first + int(rng.integers(1, 13)))}
    planted.at["gap"] = set(planted.removed)
    spikes = [next(places) for _ in range(SPIKES)]
    planted.y[spikes] += SPIKE * rng.choice([-1.0, 1.0], size=SPIKES)
    planted.at["spike"] = set(spikes)
    for kind, off in (("exact", 0.0), ("conflict", 1.0)):
        rows = [next(places) for _ in range(DUPLICATES)]
        planted.copies |= dict.fromkeys(rows, off)
        planted.at[kind] = set(rows)


def _plant_rare(planted: Planted, number: int, places: Iterator[int], back: list[int]) -> None:
    """Plant what one series in four gets: a level shift, a drift, a clock set back, a clock that stood still."""
    size = planted.grid.size
    if number % 4 == 0:
        edge = next(place for place in places if 0.2 * size < place < 0.8 * size)
        planted.y[edge:] += SHIFT
        planted.at["shift"] = {edge}
    elif number % 4 == 1:
        planted.y += DRIFT * np.clip(np.arange(size) / size - 0.5, 0, None) / 0.5
        planted.at["drift"] = {size // 2}
    elif number % 4 == 2 and back:
        hour = len(back)
        planted.stamped = {row + hour: row for row in back}
        planted.at["repeated_interval"], planted.at["gap"] = set(back), planted.at["gap"] | {r + hour for r in back}
    elif number % 4 == 3:
        first = next(places)
        last = first + STANDSTILL - 1
        planted.stamped = dict.fromkeys(range(first, last), last)
        planted.at["burst"], planted.at["gap"] = {last}, planted.at["gap"] | set(range(first, last))


def _clock_rows(grid: Grid) -> list[int]:
    """Find the rows of the hour that local time shows twice; daily series have none."""
    first, hour = (CLOCK_BACK - grid.start) // grid.step, timedelta(hours=1)
    return [*range(first, first + hour // grid.step)]


def raw_table(planted: list[Planted]) -> pl.DataFrame:
    """Give the raw rows of all series as a source would."""
    rows = [row for one in planted for row in one.rows()]
    table = pl.DataFrame(rows, {"unique_id": pl.String(), "ds": TIME, "y": pl.Float64()}, orient="row")
    return table.with_row_index("source_row").with_columns(
        pl.col("source_row").cast(pl.Int64), available_at="ds", ds_text=pl.col("ds").cast(pl.String),
        y_text=pl.col("y").cast(pl.String),
    ).sort("unique_id", "ds", "source_row")  # fmt: skip
