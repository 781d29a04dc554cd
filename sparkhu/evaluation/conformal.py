"""Split conformal intervals: half-widths from the absolute errors on windows that chose nothing.

For n residuals and a coverage of 1 − α the half-width is the ⌈(n + k)(1 − α)⌉-th smallest, per series, model
and horizon step, in scaled units. Source: J. Lei et al., "Distribution-Free Predictive Inference for Regression", JASA
113 (2018), section 2.2, where k is 1 for independent residuals. Those of windows one after the other are not: n of
them are worth n / k (C. Thiébaux, F. Zwiers, "The Interpretation and Estimation of Effective Sample Size", J. Climate
and Applied Meteorology 23 (1984)), and the finite-sample term (1 + k / n) is that of so many (`TIMES`).

A series with fewer than 5/α residuals at a step borrows: residuals in units of each series'
own error scale are pooled (`pools.py`), and the pool's quantile is multiplied by the borrower's scale. It borrows from
its group at that step and those around it, else from its group at all steps, else from all groups; a pool lends from
1/α residuals on, and nothing where the rank falls into its last, open bin.

The error scale of a series is its mean absolute residual over all steps, on the last 2H windows that share no target
with those that calibrate or are tested, and lie before them. A series that has none takes its group's mean.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from sparkhu import ledger
from sparkhu.evaluation.pools import SMALLEST, Counts, Pool, mean_scale, upper_end
from sparkhu.models.base import Forecaster, Models
from sparkhu.threads import on_one_thread
from sparkhu.training.parts import CALIBRATE, CHOOSE, TEST, TRAIN, Floats, Integers
from sparkhu.training.windows import ShardWindows, chunks

LEVELS = (80, 95)
ENOUGH = 5
"""Residuals beyond the half-width that a series must have for one of its own. They overlap: a few windows one after the
other are hardly more than a horizon of time, and their quantile is too narrow for what comes later."""
TIMES = 2
"""k of a series: the autocorrelation time of its residuals in windows. On M4 Hourly and ETTh1 it is 2 to 5."""
SHARED = 5
"""k of a pool, for each of the steps that it holds: these are of the same windows, and series share their moments."""
OWN, GROUP_STEP, GROUP, ALL = ("series", "group at the step", "group", "all groups")
SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "group": pl.String(),
    "model": pl.String(),
    "step": pl.Int64(),
    "scale": pl.Float64(),
    "residuals": pl.Int64(),
    **{f"radius_{level}": pl.Float64() for level in LEVELS},
}
Pools = Mapping[tuple[str, str], Pool]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the calibration windows of some series say.

    Attributes:
        table: One row a series, model and step: `scale`, the series' error scale, null where it has none;
            `residuals`; `radius_80`, `radius_95` in scaled units, null where the series has too few residuals of its
            own. Every series of a group is in it.
        pools: The normalised residuals by (group, model).
    """

    table: pl.DataFrame
    pools: Pools


def fewest(level: int) -> int:
    """Give the residuals that a coverage of `level` percent takes: 1/α, 5 for 80 and 20 for 95."""
    return -(-100 // (100 - level))


def fewest_own(level: int) -> int:
    """Give the residuals at a step with which a series borrows nothing: 5/α, 25 for 80 and 100 for 95."""
    return ENOUGH * fewest(level)


def rank(count: Counts, level: int, times: int) -> Counts:
    """Give ⌈(n + k)·level/100⌉ in whole numbers, at most n.

    Args:
        count: n.
        level: The coverage in percent.
        times: k, how many residuals are worth one that stands alone.
    """
    return np.minimum(-(-(count + times) * level // 100), count)


@on_one_thread
def calibrate_shard(shard: ShardWindows, *, models: Models) -> Calibration:
    """Measure the residuals of every model on a shard's calibration windows, against observed values.

    Args:
        shard: The windows of a shard.
        models: By name and group; as they stood after the training interval (`for_evaluation`).
    """
    tables, pools = [pl.DataFrame(schema=SCHEMA)], {}
    rows = {group: part for group, _, _, part in shard.groups()}
    for (group,), series in shard.series.partition_by("group", as_dict=True, maintain_order=True).items():
        every = rows.get(group, shard.table.clear())
        part = every.filter(pl.col("part") == CALIBRATE)
        members = shard.series.with_row_index("code").filter(pl.col("group") == group)["code"].to_numpy().astype(int)
        able = {name: groups[group] for name, groups in models.items() if group in groups}
        scales = error_scales(shard, every, able)
        for name, found in residuals(shard, part, able).items():
            scale, code = scales[name], part["code"].to_numpy()
            own = _own(series["unique_id"], group, name, found, np.searchsorted(members, code))
            column = pl.Series("scale", np.repeat(scale[members], found.shape[1])).fill_nan(None)
            tables.append(own.with_columns(column))
            pools[group, name] = Pool.of(found / scale[code][:, None], scale[members])
    return Calibration(pl.concat(tables).sort("unique_id", "model", "step"), pools)


def residuals(shard: ShardWindows, rows: pl.DataFrame, models: Mapping[str, Forecaster]) -> dict[str, Floats]:
    """Give, by model, absolute errors (windows, H) in scaled units; NaN where nothing was observed.

    Args:
        shard: The shard.
        rows: Windows of one group, rows of the shard's table.
        models: The group's models; each window is read once for all of them.
    """
    parts = {name: [np.empty((0, model.horizon))] for name, model in models.items()}
    L, H = next(((model.input_size, model.horizon) for model in models.values()), (1, 1))
    for windows in chunks(rows if models else rows.clear(), L + H):
        inputs, truth = shard.inputs(windows, L), shard.source.targets(windows, H, "truth")
        for name, model in models.items():
            parts[name].append(np.abs(truth - model.predict(inputs)))
    return {name: np.concatenate(part) for name, part in parts.items()}


def error_scales(shard: ShardWindows, rows: pl.DataFrame, models: Mapping[str, Forecaster]) -> dict[str, Floats]:
    """Give the mean absolute residual of each series of a shard, on windows that share no target with calibrating ones.

    Args:
        shard: The shard.
        rows: Windows of one group, rows of the shard's table.
        models: The group's models.

    Returns:
        By model, an element a series of the shard, in scaled units: over the last 2H windows before those that
        calibrate or, for want of these, are tested, whatever part they are of; without either, of those that train or
        choose. NaN where a series has none, or no error to speak of: no unit to measure errors in.
    """
    size, H = shard.series.height, max((model.horizon for model in models.values()), default=1)
    first = pl.col("offset").filter(pl.col("part").is_in([CALIBRATE, TEST])).min().over("code")
    before = pl.coalesce(pl.col("offset") + H <= first, pl.col("part").is_in([TRAIN, CHOOSE]))
    windows = rows.filter(before).group_by("code", maintain_order=True).tail(2 * H).select(rows.columns)
    code = windows["code"].to_numpy()
    scales = {}
    for name, found in residuals(shard, windows, models).items():
        total = np.bincount(code, np.nansum(found, axis=1), minlength=size)
        points = np.bincount(code, (~np.isnan(found)).sum(axis=1), minlength=size)
        scale = np.divide(total, points, out=np.zeros(size), where=points > 0)
        scales[name] = np.where(scale >= SMALLEST, scale, np.nan)
    return scales


def _own(ids: pl.Series, group: str, model: str, found: Floats, series: Integers) -> pl.DataFrame:
    """Take each series' order statistics, step by step; `series` numbers the windows' series in order."""
    size, H = len(ids), found.shape[1]
    first = np.searchsorted(series, np.arange(size))
    counts, radii = np.zeros((size, H), np.int64), {level: np.full((size, H), np.nan) for level in LEVELS}
    for step in range(H):
        column = found[:, step]
        ordered = column[np.lexsort((column, series))]
        counts[:, step] = np.bincount(series, ~np.isnan(column), minlength=size)
        for level, radius in radii.items():
            enough = counts[:, step] >= fewest_own(level)
            at = first[enough] + rank(counts[enough, step], level, TIMES) - 1
            radius[enough, step] = ordered[at]
    columns = {f"radius_{level}": pl.Series(radius.ravel()).fill_nan(None) for level, radius in radii.items()}
    return pl.DataFrame(
        {
            "unique_id": ids.gather(np.repeat(np.arange(size), H)),
            "group": pl.repeat(group, size * H, eager=True),
            "model": pl.repeat(model, size * H, eager=True),
            "step": np.tile(np.arange(1, H + 1), size),
            "scale": pl.repeat(None, size * H, dtype=pl.Float64, eager=True),
            "residuals": counts.ravel(),
            **columns,
        },
        schema=SCHEMA,
    )


def merge_pools(calibrations: Iterable[Calibration]) -> dict[tuple[str, str], Pool]:
    """Add the pools of shards."""
    total: dict[tuple[str, str], Pool] = {}
    for calibration in calibrations:
        for key, pool in calibration.pools.items():
            total[key] = total[key] + pool if key in total else pool
    return total


def borrow(table: pl.DataFrame, pools: Pools) -> pl.DataFrame:
    """Fill the half-widths that a series cannot give itself from the pools.

    Args:
        table: `Calibration.table` of one or more shards.
        pools: Of all shards of the run (`merge_pools`).

    Returns:
        The table with `radius_*` filled and `source_80`, `source_95`: `series`, `group at the step`, `group`,
        `all groups`, or null with a null radius where even these have fewer than 1/α residuals, or where the
        rank falls into the last bin. The 95 % half-width is never below the 80 % one, and null where that is.
    """
    lent = _pool_table(pools)
    joined = table.join(lent, on=("group", "model", "step"), how="left", maintain_order="left")
    scale = pl.coalesce("scale", "usual_scale")
    for level in LEVELS:
        own, pooled = pl.col(f"radius_{level}"), pl.col(f"pooled_{level}") * scale
        source = pl.when(own.is_not_null()).then(pl.lit(OWN)).otherwise(pl.col(f"lender_{level}"))
        joined = joined.with_columns(
            source.alias(f"source_{level}"), pl.coalesce(own, pooled).alias(own.meta.output_name())
        )
    both = pl.col("radius_80").is_not_null() & pl.col("radius_95").is_not_null()
    wider = pl.when(both).then(pl.max_horizontal("radius_80", "radius_95"))
    return joined.with_columns(radius_95=wider, source_95=pl.when(both).then("source_95")).select(
        *SCHEMA, "source_80", "source_95"
    )


def _pool_table(pools: Pools) -> pl.DataFrame:
    """Say what each group and model lends at each step, in units of a borrower's scale, and its usual scale."""
    rows = []
    for (group, model), pool in sorted(pools.items()):
        others = [other for (_, name), other in pools.items() if name == model]
        longest = max(len(other.scores) for other in others)
        everything = np.sum([other.scores.sum(axis=0) for other in others], axis=0)
        usual = mean_scale(pool.scales) or mean_scale(np.sum([other.scales for other in others], axis=0))
        whole = pool.scores.sum(axis=0)
        for step, (at_step, steps) in enumerate(zip(pool.near(), pool.steps_near(), strict=True), start=1):
            lenders = ((GROUP_STEP, at_step, steps), (GROUP, whole, len(pool.scores)), (ALL, everything, longest))
            found = [_first_enough(lenders, level) if usual else (None, None) for level in LEVELS]
            rows.append((group, model, step, usual, *[cell for pair in found for cell in pair]))
    columns = [c for level in LEVELS for c in ((f"pooled_{level}", pl.Float64), (f"lender_{level}", pl.String))]
    schema = {"group": pl.String, "model": pl.String, "step": pl.Int64, "usual_scale": pl.Float64, **dict(columns)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _first_enough(lenders: Iterable[tuple[str, Counts, int]], level: int) -> tuple[float | None, str | None]:
    for name, counts, steps in lenders:
        total = counts.sum()
        if total >= fewest(level):
            width = upper_end(int(np.searchsorted(np.cumsum(counts), rank(total, level, SHARED * int(steps)))))
            return width, None if width is None else name
    return None, None


def calibration_entries(intervals: pl.DataFrame, *, model: str) -> pl.DataFrame:
    """Say in the ledger which series had too few residuals of their own and where their intervals come from.

    Args:
        intervals: As `borrow` gives them.
        model: The model whose intervals are looked at, the champion.
    """
    rows = intervals.filter(pl.col("model") == model)
    table = rows.group_by("unique_id", maintain_order=True).agg(
        pl.col("residuals").min(),
        lender=pl.col("source_95").last(),
        own=(pl.col("source_95") == OWN).fill_null(False).all(),
    )
    text = pl.format(
        "{} residuals of its own, an interval of 95 % needs {}: {}",
        pl.col("residuals"),
        pl.lit(fewest_own(95)),
        pl.when(pl.col("lender").is_null()).then(pl.lit("no interval")).otherwise(
            pl.format("borrowed from {}", pl.col("lender"))
        ),
    )  # fmt: skip
    table = table.with_columns(reason=pl.when(~pl.col("own")).then(text))
    return ledger.entries(table["unique_id"], reason=table["reason"], counts={"residuals": table["residuals"]})
