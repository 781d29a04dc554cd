"""How well a strategy recovers this very series: spikes of its own size are put on clean points, and handled.

A clean point is observed, not flagged, in the training part, and has a remainder; its value is taken as the truth.
Spikes as large as the series' own anomalies are added to a few of these points, the strategy handles the series
with them, and the result is compared with the truth, at the spikes (`error`) and at the clean points beside them
(`collateral`): mean absolute errors both. Detection is measured as well: trend, season and limits stay as they are,
and a spike counts as flagged where it brings the remainder beyond the limits. One that stays inside is no anomaly to
the step, and is handled like any other point. Where one side has no limit, all spikes go to the other: no anomaly of
the series lies on the open side.

The spikes depend on the series alone (its name seeds the draw), so they are the same for every strategy and in every
shard. They stand on at most a tenth of the clean points: what is judged is a series with some anomalies.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sparkhu.steps.handling_rows import Rows
from sparkhu.steps.handling_strategies import Replacement
from sparkhu.steps.masks import seed_of
from sparkhu.steps.segmented import Bools, Floats, Ints

SPIKES = 20
"""Spikes a series; fewer where it has fewer than `CLEAN_PER_SPIKE` times as many clean points."""
CLEAN_PER_SPIKE = 10
REACHES = 1.5
"""Size of the spikes where the training part has no anomaly, in distances of a limit: well beyond it."""

SCORES: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "strategy": pl.String(),
    "injected": pl.Int64(),
    "size": pl.Float64(),
    "error": pl.Float64(),
    "collateral": pl.Float64(),
    "share": pl.Float64(),
}


@dataclass(frozen=True)
class Injection:
    """Spikes put on the clean points of a shard.

    Attributes:
        rows: The shard with the spikes on it, flagged where the limits catch them.
        spiked: The points that carry a spike.
        clean: The clean points, those with a spike among them.
        counts: Spikes, one number a series.
        size: Their size, unit of `y`, one a series; NaN where the series has neither an anomaly nor a limit.
    """

    rows: Rows
    spiked: Bools
    clean: Bools
    counts: Ints
    size: Floats


def inject(rows: Rows) -> Injection:
    """Put spikes on the clean points of every series.

    Its clean points are cut into as many stretches as there are spikes, up to 20, and one point is drawn from each,
    with a sign. A series with fewer than ten clean points, or without a size above 0, gets none.
    """
    clean, size = rows.sample & ~np.isnan(rows.resid), spike_sizes(rows)
    counts = np.where(size > 0, np.minimum(rows.owner.sum_ints(clean) // CLEAN_PER_SPIKE, SPIKES), 0)
    at, sign = _draw(rows, clean, counts)
    spikes = np.zeros(len(rows.y))
    spikes[at] = sign * size[rows.number[at]]
    spiked = np.zeros(len(rows.y), np.bool_)
    spiked[at] = True
    resid = rows.resid + spikes
    beyond = (resid < rows.low[rows.number]) | (resid > rows.high[rows.number])
    struck = replace(rows, y=rows.y + spikes, resid=resid, flagged=rows.flagged | (spiked & beyond))
    return Injection(struck, spiked, clean, counts, size)


def spike_sizes(rows: Rows) -> Floats:
    """Measure the anomalies of each series.

    Returns:
        One size a series, unit of `y`: the median absolute remainder of the flagged points of the training part;
        without such a point 1.5 times half the distance of the limits, or where one of these is open, 1.5 times the
        other's distance from 0, a remainder as trend and season have it; NaN without limits.
    """
    own = rows.flagged & rows.fit & ~np.isnan(rows.resid)
    medians = (
        pl.DataFrame({"number": rows.number[own], "size": np.abs(rows.resid[own])})
        .group_by("number", maintain_order=True)
        .agg(pl.col("size").median())
    )
    closed = np.fmin(np.abs(rows.low), np.abs(rows.high))
    reach = np.where(np.isinf(rows.low) | np.isinf(rows.high), closed, (rows.high - rows.low) / 2)
    size = np.where(np.isinf(reach), np.nan, REACHES * reach)
    size[medians["number"].to_numpy()] = medians["size"].to_numpy()
    return size


def _draw(rows: Rows, clean: Bools, counts: Ints) -> tuple[Ints, Floats]:
    """Draw the rows of the spikes and their signs."""
    draws = np.array([np.random.default_rng(seed_of(name)).random((2, SPIKES)) for name in rows.owner.ids])
    places, signs = draws.reshape(-1, 2, SPIKES)[:, 0], draws.reshape(-1, 2, SPIKES)[:, 1]
    up = np.where(np.isinf(rows.low) == np.isinf(rows.high), 0.5, np.where(np.isinf(rows.low), 0.0, 1.0))[:, None]
    total = rows.owner.sum_ints(clean)
    first, stretch = np.cumsum(total) - total, np.arange(SPIKES)
    parts = np.maximum(counts, 1)[:, None]
    low = stretch * total[:, None] // parts
    length = (stretch + 1) * total[:, None] // parts - low
    used = stretch < counts[:, None]
    picked = (first[:, None] + low + (places * length).astype(np.int64))[used]
    return np.flatnonzero(clean)[picked], np.where((signs >= up)[used], 1.0, -1.0)


def score(rows: Rows, name: str, strategy: Replacement) -> pl.DataFrame:
    """Measure a strategy on the spikes of every series.

    Args:
        rows: The shard.
        name: The strategy's label in the table.
        strategy: What handles.

    Returns:
        `unique_id`, `strategy`, `injected` (spikes), `size`, `error`, `collateral` (unit of `y`; null where the
        strategy smooths whole series and would leave this one alone), `share` (of the training part's observed
        points that are flagged, one at least); sorted by series, without those that got no spikes.
    """
    injection = inject(rows)
    estimate = strategy.replace(injection.rows).values
    result = np.where(np.isnan(estimate), injection.rows.y, estimate)
    # Only points with a true value count; elsewhere `y` may be missing.
    misses = np.where(injection.clean, np.abs(result - rows.y), 0.0)
    beside = injection.clean & ~injection.spiked
    error, collateral = (_means(rows, misses, where) for where in (injection.spiked, beside))
    measured = injection.counts > 0
    heeded = pl.Series(rows.struck | (not strategy.whole_series))
    table = pl.DataFrame(
        {
            "unique_id": rows.owner.ids,
            "strategy": pl.repeat(name, len(measured), dtype=pl.String, eager=True),
            "injected": injection.counts,
            "size": injection.size,
            "error": error,
            "collateral": collateral,
            "share": _shares(rows),
        },
        schema=SCORES,
    )
    table = table.with_columns(pl.when(heeded).then(pl.col("error", "collateral")))
    return table.filter(pl.Series(measured, dtype=pl.Boolean))


def _means(rows: Rows, values: Floats, where: Bools) -> Floats:
    sums = np.bincount(rows.number[where], values[where], minlength=len(rows.low))
    return sums / np.maximum(np.bincount(rows.number[where], minlength=len(rows.low)), 1)


def _shares(rows: Rows) -> Floats:
    flagged, known = (rows.owner.sum_ints(rows.fit & which) for which in (rows.flagged, rows.observed))
    return np.maximum(flagged, 1) / np.maximum(known, 1)
