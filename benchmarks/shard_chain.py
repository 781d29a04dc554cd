"""The preprocessing of one shard as calls of the steps: one read, one write, and the seconds of each step between."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from sparkhu.frame import TIME
from sparkhu.steps.anomalies import flag_anomalies
from sparkhu.steps.decomposition import decompose
from sparkhu.steps.deduplication import drop_duplicates
from sparkhu.steps.description import describe
from sparkhu.steps.dynamics import adf_p_value, kpss_p_value
from sparkhu.steps.filling import fill_each
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.handling import handle
from sparkhu.steps.handling_pooling import LAYERED, pool_handling
from sparkhu.steps.normalisation import fit_scalers, scale
from sparkhu.steps.outliers import flag_outliers
from sparkhu.steps.pooling import pool_fills
from sparkhu.steps.regularity import detect_regularity, split_by_regularity
from sparkhu.steps.strategies import ORDER
from sparkhu.steps.validation import validate

T = TypeVar("T")
FIVE = ("mean", "median", "last", "next", "linear")
MISSING, OUTLYING = 0.02, 0.002
FIRST, HOUR = 1_704_067_200_000_000, 3_600_000_000
OUT = ".out"


class Clock:
    """Adds up the seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function as a part of a step."""
        began = time.perf_counter()
        result = function(*args, **kwargs)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
        return result


def write_raw(path: Path, numbers: range, points: int, *, step: int, season: int) -> None:
    """Write a shard as a source gives it: a season, noise, 2 % of the rows missing, one of 500 an outlier."""
    generator, rows, series = np.random.default_rng(numbers.start), np.arange(points), len(numbers)
    values = generator.normal(0, 0.3, series * points) + np.tile(np.sin(rows * 2 * np.pi / season), series)
    values[generator.random(len(values)) < OUTLYING] += 20
    names = pl.Series(np.repeat(np.array(numbers), points)).cast(pl.String).str.zfill(7)
    times = pl.Series(np.tile(FIRST + rows * step, series)).cast(TIME)
    frame = pl.DataFrame({"unique_id": names, "ds": times, "y": values, "available_at": times})
    frame = frame.with_columns(source_row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in ("ds_text", "y_text", "ds_reason"))
    frame.filter(pl.Series(generator.random(frame.height) >= MISSING)).write_parquet(path, compression="lz4")


def copied(path: Path) -> dict[str, float]:
    """Read a shard and write it: what the rest is measured in."""
    clock = Clock()
    clock.time("copy", lambda: pl.read_parquet(path).write_parquet(path.with_suffix(OUT), compression="lz4"))
    return clock.seconds


def preprocessed(path: Path) -> dict[str, float]:
    """Run the chain without a decomposition; give the seconds of each step."""
    clock = Clock()
    rows, profile = _filled(path, clock, FIVE)
    _scaled(rows, profile, path, clock)
    return clock.seconds


def decomposed(path: Path) -> dict[str, float]:
    """Run the chain with plain STL; give the seconds of each step."""
    clock = Clock()
    rows, profile = _filled(path, clock, FIVE)
    parts = clock.time("decompose", decompose, rows, profile, method="stl", robust=False)
    _scaled(rows.with_columns(parts.frames["parts"]), profile, path, clock)
    return clock.seconds


def everything(path: Path) -> dict[str, float]:
    """Run the whole preprocessing of daily series: all fills, a weekly season, anomalies and what is done to them."""
    clock = Clock()
    rows, profile = _filled(path, clock, ORDER)
    parts = clock.time("decompose", decompose, rows, profile, seasons=[7])
    rows = rows.with_columns(parts.frames["parts"])
    found = clock.time("flag_anomalies", flag_anomalies, rows, profile)
    rows = rows.with_columns(found.frames["anomalies"])
    layered, scores = rows, []
    for strategy in LAYERED:
        made = clock.time(f"handle {strategy}", handle, rows, profile, found.frames["limits"], strategy=strategy)
        layered = layered.with_columns(made.frames["handled"])
        scores.append(made.frames["scores"])
    pooled = clock.time("pool_handling", pool_handling, layered, pl.concat(scores))
    _scaled(rows.with_columns(pooled.frames["handled"]), profile, path, clock)
    return clock.seconds


def stationarity(path: Path) -> dict[str, float]:
    """Test every series for stationarity, with ADF and KPSS."""
    clock, frame = Clock(), pl.read_parquet(path, columns=["unique_id", "y"])
    values = [part["y"].to_numpy() for part in frame.partition_by("unique_id")]
    clock.time("ADF", lambda: [adf_p_value(each) for each in values])
    clock.time("KPSS", lambda: [kpss_p_value(each) for each in values])
    return clock.seconds


def _filled(path: Path, clock: Clock, strategies: tuple[str, ...]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Run the steps up to pooled fills; give the rows and the profile."""
    raw = clock.time("read", pl.read_parquet, path)
    rows = clock.time("validate", validate, raw).frames["observations"]
    rows = clock.time("drop_duplicates", drop_duplicates, rows).frames["observations"]
    stats = clock.time("describe", describe, rows, stationarity_points=0).frames["stats"]
    profile = clock.time("detect_regularity", detect_regularity, rows).frames["profile"]
    rows = clock.time("split", split_by_regularity, rows, profile).frames["regular"]
    rows = rows.with_columns(clock.time("flag_outliers", flag_outliers, rows, stats).frames["flags"])
    rows = clock.time("mark_gaps", mark_gaps, rows, profile).frames["observations"]
    made = clock.time(f"fill in {len(strategies)} ways", fill_each, rows, profile, strategies=strategies)
    layered = rows.with_columns(column for result in made.values() for column in result.frames["filled"])
    scores = pl.concat(result.frames["scores"] for result in made.values())
    pooled = clock.time("pool_fills", pool_fills, layered, scores, variants=strategies)
    return rows.with_columns(pooled.frames["filled"]), profile


def _scaled(rows: pl.DataFrame, profile: pl.DataFrame, path: Path, clock: Clock) -> None:
    scalers = clock.time("fit_scalers", fit_scalers, rows, profile).frames["scalers"]
    done = clock.time("scale", scale, rows, scalers)
    clock.time("write", done.write_parquet, path.with_suffix(OUT), compression="lz4")
