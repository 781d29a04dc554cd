"""Measure point-in-time look-ups of sequences: points read a second, and the memory of all of it.

    python benchmarks/sequences.py [SERIES] [POINTS]

Makes a table of SERIES × POINTS hourly values (1,000 × 20,000), of which 3 % arrive up to four days late and 5 % are
revised up to a month later, and looks 100,000 random moments up, 336 points each: once in rows sorted as a table holds
them, once in the order of their arrival. `arranged` is the time to sort and index the rows, `rows/s` counts points
delivered over all of it, `peak` is the most memory that the process ever held, the table included. Beside stand, on a
slice of the same moments and rows, a loop over pandas frames, which must give the same values, and pandas' `merge_asof`
on every point wanted (which is right only on a grid without late points).
"""

import resource
import sys
import time
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl

from sparkhu.frame import TIME
from sparkhu.histories import History
from sparkhu.sequences import Sequences, blocks, look_up

LENGTH, LOOK_UPS, SLICE = 336, 100_000, 500
HOUR = 3_600_000_000
FIRST = 1_600_000_000_000_000
LATE, REVISED = 0.03, 0.05


class Measured(NamedTuple):
    """What one way of looking up took.

    Attributes:
        points: Points delivered.
        arranged: Seconds to sort and index.
        looked_up: Seconds for the look-ups.
    """

    points: int
    arranged: float
    looked_up: float

    @property
    def speed(self) -> float:
        """Points a second, over all of it."""
        return self.points / (self.arranged + self.looked_up)

    def row(self, name: str) -> str:
        """Give a line of the table."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        seconds = (f"{self.arranged:.2f}", f"{self.looked_up:.2f}")
        return line(name, f"{self.points:,}", *seconds, f"{self.speed:,.0f}", f"{peak:.2f}")


def main(series: int = 1000, points: int = 20_000) -> None:
    """Print a line a way, and how many times faster ours is than the peers."""
    rng = np.random.default_rng(0)
    rows, moments = made_rows(rng, series, points), made_moments(rng, series, points)
    print(f"{rows.height:,} rows of {series:,} series, {LOOK_UPS:,} look-ups of {LENGTH} points\n")
    print(line("", "points", "arranged s", "looked up s", "rows/s", "peak GB"))
    print(measure(rows, moments).row("sorted rows"))
    order = np.argsort(rows["available_at"].to_physical().to_numpy(), kind="stable")
    rows = pl.DataFrame([rows.drop_in_place(name).gather(order) for name in rows.columns])
    del order
    ours = measure(rows, moments)
    print(ours.row("in order of arrival"))
    ids = moments["unique_id"].unique(maintain_order=True)[:5]
    part, asked = (frame.filter(pl.col("unique_id").is_in(ids.implode())) for frame in (rows, moments))
    asked = asked.head(SLICE)
    fast, looped, joined = timed(part, asked), loop_pandas(part, asked), join_pandas(part, asked)
    print(f"\nThe same {asked.height} moments over the {part.height:,} rows of {len(ids)} series:")
    for name, one in (("look_up", fast), ("pandas, a loop", looped), ("pandas, merge_asof", joined)):
        print(f"{one.row(name)}   look_up is {fast.speed / one.speed:,.1f} times as fast")


def line(*cells: str) -> str:
    """Set a row of the table."""
    return f"{cells[0]:<22}" + "".join(f"{cell:>14}" for cell in cells[1:])


def made_rows(rng: np.random.Generator, series: int, points: int) -> pl.DataFrame:
    """Make the versions of all points, sorted by series, `ds` and `available_at`."""
    total = series * points
    ds = np.tile(FIRST + HOUR * np.arange(points), series)
    known = ds + np.where(rng.random(total) < LATE, rng.integers(0, 96 * HOUR, total), 0)
    again = np.flatnonzero(rng.random(total) < REVISED)
    row = np.sort(np.concatenate([np.arange(total), again]))
    revision = np.zeros(len(row), np.bool_)
    revision[1:] = row[1:] == row[:-1]
    known = known[row]
    known[revision] += rng.integers(1, 720 * HOUR, len(again))
    names = pl.Series([f"meter-{number:05d}" for number in range(series)])
    y = rng.normal(size=len(row))
    return pl.DataFrame({
        "unique_id": names.gather(row // points),
        "ds": pl.Series(ds[row]).cast(TIME),
        "y": y,
        "available_at": pl.Series(known).cast(TIME),
    })  # fmt: skip


def made_moments(rng: np.random.Generator, series: int, points: int) -> pl.DataFrame:
    """Draw series and moments at random, in no order."""
    at = FIRST + rng.integers(LENGTH * HOUR, points * HOUR, LOOK_UPS)
    names = pl.Series([f"meter-{number:05d}" for number in rng.integers(0, series, LOOK_UPS)])
    return pl.DataFrame({"unique_id": names, "at": pl.Series(at).cast(TIME)})


def measure(rows: pl.DataFrame, moments: pl.DataFrame) -> Measured:
    """Look all moments up, block by block."""
    began = time.perf_counter()
    history = History.of(rows)
    arranged = time.perf_counter()
    points = sum(int(block.known.sum()) for block in blocks(history, moments, length=LENGTH))
    return Measured(points, arranged - began, time.perf_counter() - arranged)


def timed(rows: pl.DataFrame, moments: pl.DataFrame) -> Measured:
    """Look the moments up at once, from the frame."""
    began = time.perf_counter()
    found = look_up(rows, moments, length=LENGTH)
    return Measured(int(found.known.sum()), 0.0, time.perf_counter() - began)


def loop_pandas(rows: pl.DataFrame, moments: pl.DataFrame) -> Measured:
    """Filter, drop what was revised and take the last points, one moment after another; check ours by it."""
    table, asked = rows.to_pandas(), moments.to_pandas()
    wanted: Sequences = look_up(rows, moments, length=LENGTH)
    began = time.perf_counter()
    parts = {name: part.sort_values("available_at", kind="stable") for name, part in table.groupby("unique_id")}
    found = []
    for name, at in zip(asked["unique_id"], asked["at"], strict=True):
        part = parts[name]
        versions = part[part["available_at"] <= at].drop_duplicates("ds", keep="last")
        found.append(versions.sort_values("ds")["y"].to_numpy()[-LENGTH:])
    seconds = time.perf_counter() - began
    for values, ours in zip(found, wanted.values["y"], strict=True):
        np.testing.assert_array_equal(values, ours[LENGTH - len(values) :])
    return Measured(sum(map(len, found)), 0.0, seconds)


def join_pandas(rows: pl.DataFrame, moments: pl.DataFrame) -> Measured:
    """Write every point wanted out as a row and join the newest version of each as of its moment."""
    table, asked = rows.to_pandas(), moments.to_pandas()
    began = time.perf_counter()
    wanted = asked.loc[asked.index.repeat(LENGTH)].reset_index(drop=True)
    first = pd.Timestamp(FIRST, unit="us", tz="UTC")
    grid = (wanted["at"] - first).dt.floor("h") + first
    back = pd.to_timedelta(np.tile(np.arange(LENGTH), len(asked)), unit="h")
    wanted["ds"] = (grid - back).astype(table["ds"].dtype)
    joined = pd.merge_asof(
        wanted.sort_values("at"), table.sort_values("available_at"), left_on="at", right_on="available_at",
        by=["unique_id", "ds"],
    )  # fmt: skip
    return Measured(int(joined["y"].notna().sum()), 0.0, time.perf_counter() - began)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
