"""The forecasts that a fold asks for, in the series' own units, and who made them.

A model forecasts the windows that it can: whose inputs are whole, in a group that it was fitted for, with a finite
result. Where it cannot, seasonal naive stands in for it, and that is counted: so every model is scored on the same
windows.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.backtesting.fitting import NAIVE2, FittedFold
from sparkhu.backtesting.naive2 import naive2
from sparkhu.backtesting.preparing import BASE, on_grid
from sparkhu.backtesting.yardsticks import repeated
from sparkhu.errors import SparkhuError
from sparkhu.frame import TIME
from sparkhu.models.base import Forecaster, Histories, Inputs
from sparkhu.models.candidates import LAST_VALUE, SEASONAL_NAIVE
from sparkhu.periods import Period
from sparkhu.steps.deduplication import drop_duplicates
from sparkhu.steps.own_periods import PERIOD, by_period
from sparkhu.steps.scaling import to_scaled
from sparkhu.steps.segmented import floats
from sparkhu.steps.windows import index_windows
from sparkhu.threads import on_one_thread
from sparkhu.training.parts import TEST, Floats, Integers
from sparkhu.training.windows import FrameSource, ShardWindows, assemble, chunks

NEAR = 0.3
"""Share of a period by which a row may stand beside the instant of a forecast and still be its outcome."""


class Forecast(NamedTuple):
    """What a model says of n windows.

    Attributes:
        values: (n, H) in the series' own units.
        scaled: (n, H) in scaled units.
        stood_in: (n,) whether seasonal naive stood in.
    """

    values: Floats
    scaled: Floats
    stood_in: npt.NDArray[np.bool_]


class Batch(NamedTuple):
    """Some windows that were forecast.

    Attributes:
        codes: The series of each, a row of the shard's series, (n,).
        cutoffs: The instant of its newest known point, (n,).
        ds: The instants that are forecast, (n, H) microseconds.
        by_model: What each model says.
    """

    codes: Integers
    cutoffs: pl.Series
    ds: Integers
    by_model: Mapping[str, Forecast]


@on_one_thread
def at_cutoff(fitted: FittedFold) -> Batch:
    """Forecast each series of a fold once, from its cutoff; nothing behind it is looked at."""
    shard, rows = fitted.prepared.shard, fitted.prepared.rows
    ends = rows.group_by("unique_id").agg(length=pl.len().cast(pl.Int64), cutoff=pl.col("ds").last())
    series = shard.series.with_row_index("code").join(ends, on="unique_id", maintain_order="left")
    table = series.select(pl.col("code").cast(pl.Int64), "cutoff", offset=pl.col("length") - pl.col("input_size"))
    L = int(shard.series["input_size"].first() or 1)  # type: ignore[arg-type]  # a fold has one group
    values = shard.source.histories(table, L)
    inputs = Inputs(values, series["unique_id"], series["cutoff"], Histories(shard.source.histories, table))
    codes = table["code"].to_numpy()
    made = _by_model(fitted, shard, table, inputs)
    if fitted.fold.until is None:
        made[NAIVE2] = _naive2(fitted, shard)
    return Batch(codes, table["cutoff"], _instants(fitted, series), made)


def later_windows(fitted: FittedFold, rows: pl.DataFrame) -> Iterator[tuple[Batch, Floats]]:
    """Forecast every window whose targets lie between a fold's cutoff and its end, some at a time.

    Args:
        fitted: A fold with an end.
        rows: Observation frame: what lies behind the cutoff is what later windows look back at, each as far as it was
            known with it.

    Yields:
        The forecasts, and what was observed, (n, H) in the series' own units; NaN where nothing was.
    """
    shard = until_end(fitted, rows)
    for windows in later_chunks(shard):
        observed = shard.source.targets(windows, fitted.fold.horizon, "observed")
        yield later_batch(fitted, shard, windows), observed


def later_chunks(shard: ShardWindows) -> Iterator[pl.DataFrame]:
    """Give the windows behind a cutoff, rows of `shard.table`, some at a time.

    Args:
        shard: As `until_end` gives it.
    """
    for _, L, H, table in shard.groups():
        yield from chunks(table.filter(pl.col("part") == TEST), L + H)


@on_one_thread
def later_batch(fitted: FittedFold, shard: ShardWindows, windows: pl.DataFrame) -> Batch:
    """Forecast some windows behind a fold's cutoff.

    Args:
        fitted: A fold with an end.
        shard: As `until_end` gives it.
        windows: As `later_chunks` gives them.
    """
    L = int(shard.series["input_size"][0])
    made = _by_model(fitted, shard, windows, shard.inputs(windows, L))
    first = windows.with_columns(shard.series["unique_id"].gather(windows["code"]))
    return Batch(windows["code"].to_numpy(), windows["cutoff"], _instants(fitted, first), made)


def outcomes(fitted: FittedFold, batch: Batch, rows: pl.DataFrame) -> Floats:
    """Look up what was observed at the instants that were forecast, (n, H) in own units; NaN where nothing was.

    Args:
        fitted: The fold.
        batch: Its forecasts.
        rows: Observation frame, sorted.
    """
    H, names = fitted.fold.horizon, fitted.prepared.shard.series["unique_id"]
    wanted = pl.DataFrame(
        {"unique_id": names.gather(np.repeat(batch.codes, H)), "ds": pl.Series(batch.ds.ravel()).cast(TIME)}
    ).with_row_index("place")
    unique = drop_duplicates(rows).frames["observations"]
    seen = unique.select("unique_id", "ds", "y").drop_nulls("y").sort("ds")
    within = int(NEAR * Period.parse(fitted.fold.period, fitted.fold.zone).nominal_us)
    found = wanted.sort("ds").join_asof(
        seen, on="ds", by="unique_id", strategy="nearest", tolerance=f"{within}us", check_sortedness=False
    )
    values: Floats = found.sort("place")["y"].fill_null(float("nan")).to_numpy().reshape(-1, H)
    return values


def until_end(fitted: FittedFold, rows: pl.DataFrame) -> ShardWindows:
    """Lay windows over the rows up to a fold's end, scaled as the fold's own are.

    Args:
        fitted: A fold with an end.
        rows: Observation frame.
    """
    fold, prepared = fitted.fold, fitted.prepared
    assert fold.until is not None
    end = pl.lit(fold.until).cast(TIME)
    kept = prepared.shard.series["unique_id"].implode()
    before = rows.select(BASE).filter(pl.col("unique_id").is_in(kept) & (pl.col("ds") < end))
    grid = on_grid(drop_duplicates(before).frames["observations"], prepared.profile, fold.until)
    profile = prepared.profile.with_columns(test_end=end)
    windows = index_windows(grid, profile, zone=fold.zone).frames["windows"]
    return assemble(grid, windows.filter(pl.col("targets_from") >= fold.cutoff), prepared.scalers, profile)


def _by_model(fitted: FittedFold, shard: ShardWindows, windows: pl.DataFrame, inputs: Inputs) -> dict[str, Forecast]:
    """Ask every model for some windows, rows `code, offset` of a shard; the yardsticks are taken in own units."""
    fold, codes = fitted.fold, windows["code"].to_numpy()
    assert isinstance(shard.source, FrameSource)
    own = floats(shard.source.sequences["y"])
    season, last = (shard.source.looked_back(own, windows, points) for points in (max(fold.season_length, 1), 1))
    exact = {SEASONAL_NAIVE: repeated(season, fold.horizon), LAST_VALUE: repeated(last, fold.horizon)}
    scaler = shard.scaler.take(codes)
    made = {}
    for name, groups in fitted.asked().items():
        if name in exact:
            able, scaled = np.ones(len(codes), np.bool_), to_scaled(exact[name], scaler)
            made[name] = Forecast(exact[name], scaled, ~able)
            continue
        found, able = _able(name, groups.get(fold.group), inputs, fold.horizon)
        values = np.where(able[:, None], shard.unscaled(found, codes), exact[SEASONAL_NAIVE])
        made[name] = Forecast(values, np.where(able[:, None], found, to_scaled(values, scaler)), ~able)
    return made


def _able(name: str, model: Forecaster | None, inputs: Inputs, horizon: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Ask a model for the windows whose inputs are whole; give its forecasts, scaled, and which are finite."""
    made: Floats = np.zeros((len(inputs.values), horizon))
    able = np.zeros(len(made), np.bool_)
    whole = np.flatnonzero(~np.isnan(inputs.values).any(axis=1))
    if model is None or not len(whole):
        return made, able
    found = model.predict(inputs if len(whole) == len(made) else taken(inputs, whole))
    if found.shape != (len(whole), horizon):
        raise SparkhuError(
            f"{name} gave forecasts of the shape {found.shape}, wanted {(len(whole), horizon)}: windows, horizon. "
            "Mend its predict."
        )
    finite = np.flatnonzero(np.isfinite(found).all(axis=1))
    made[whole[finite]], able[whole[finite]] = found[finite], True
    return made, able


def taken(inputs: Inputs, which: Integers) -> Inputs:
    """Give some of the windows of inputs."""
    longer = inputs.longer
    some = Histories(longer.read, longer.windows[which]) if isinstance(longer, Histories) else None
    return Inputs(
        inputs.values[which],
        inputs.series.gather(which),
        inputs.cutoffs.gather(which),
        some or (lambda points: inputs.history(points)[which]),
    )


def _naive2(fitted: FittedFold, shard: ShardWindows) -> Forecast:
    """Forecast the series of a fold by Naive2, each from all of its rows."""
    fold, every = fitted.fold, fitted.prepared.rows.partition_by("unique_id", as_dict=True)
    histories = [every[(name,)]["y"].to_numpy() for name in shard.series["unique_id"]]
    values = np.array([naive2(history, fold.season_length, fold.horizon) for history in histories])
    values = values.reshape(len(histories), fold.horizon)
    return Forecast(values, np.full(values.shape, np.nan), np.zeros(len(values), np.bool_))


def _instants(fitted: FittedFold, windows: pl.DataFrame) -> Integers:
    """Give the instants that windows forecast, (n, H): steps of each series' period behind its newest point.

    Args:
        fitted: The fold.
        windows: `unique_id, cutoff`.
    """
    H, steps = fitted.fold.horizon, np.arange(1, fitted.fold.horizon + 1)
    own = fitted.prepared.profile.select("unique_id", *PERIOD)
    table = windows.select("unique_id", "cutoff").with_row_index("place").join(own, on="unique_id", how="left")
    instants = np.zeros((windows.height, H), np.int64)
    for period, part in by_period(table):
        newest = np.repeat(part["cutoff"].to_physical().to_numpy(), H)
        instants[part["place"].to_numpy()] = period.shift_us(newest, np.tile(steps, part.height)).reshape(-1, H)
    return instants
