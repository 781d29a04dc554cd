"""Limits fitted on remainders: their centre and scale, and the rows that they are fitted on."""

from datetime import datetime

import numpy as np
import polars as pl

from sparkhu.steps.segmented import NEVER, Bools, Floats, Segments, floats, instants, times

NORMAL = 1.4826
"""Standard deviation of a normal distribution, in median absolute deviations."""
NORMAL_MEAN = 1.2533
"""The same in mean absolute deviations."""
LEAST_POINTS = 10
"""Limits are fitted on no fewer points."""
ROUNDING = 1e-12
"""A scale below this share of the largest value is rounding: the remainder does not vary."""


def within(frame: pl.DataFrame, start: datetime | None, end: datetime | None) -> Bools:
    """Mark the rows of the interval `[start, end)`."""
    ds = instants(frame["ds"])
    inside = np.ones(len(ds), np.bool_)
    if start is not None:
        inside &= ds >= instants(pl.Series([start]))[0]
    if end is not None:
        inside &= ds < instants(pl.Series([end]))[0]
    return inside


def fitted(frame: pl.DataFrame, inside: Bools, method: str, width: float) -> pl.DataFrame:
    """Fit the limits of each series' remainder on the observed rows that are `inside`.

    Args:
        frame: Decomposed frame with `resid`, as `sparkhu.steps.anomalies.residual_limits` takes.
        inside: The rows to fit on; filled ones and nulls among them are left out.
        method: `mad` or `sigma`, see `sparkhu.steps.anomalies`.
        width: Distance of the limits from the centre, in scales.

    Returns:
        `unique_id`, `center`, `scale`, `low`, `high`, `fitted_from`, `fitted_until`; null where nothing can be fitted.
    """
    owner, ds = Segments.of(frame), instants(frame["ds"])
    values = floats(frame.select(observed_remainder(frame)).to_series())
    filled = frame["fill_strategy"].is_not_null().to_numpy() if "fill_strategy" in frame.columns else False
    sample = inside & ~np.isnan(values) & ~np.asarray(filled)
    sizes = [np.abs(floats(frame[name])) for name in ("trend", "seasonal") if name in frame.columns]
    size = np.fmax.reduce([np.abs(values), *sizes])
    fits, spans = np.full((2, len(owner.ids)), np.nan), np.full((2, len(owner.ids)), NEVER)
    for number, (start, end) in enumerate(zip(owner.starts.tolist(), owner.ends.tolist(), strict=True)):
        rows = start + np.flatnonzero(sample[start:end])
        fit = _center_and_scale(values[rows], size[rows], method)
        if fit is not None:
            fits[:, number] = fit
            spans[:, number] = ds[rows[0]], ds[rows[-1]]
    center, scale = fits
    columns = {"center": center, "scale": scale, "low": center - width * scale, "high": center + width * scale}
    limits = [pl.Series(name, column).fill_nan(None) for name, column in columns.items()]
    return pl.DataFrame([owner.ids, *limits, times(spans[0], "fitted_from"), times(spans[1], "fitted_until")])


def _center_and_scale(values: Floats, size: Floats, method: str) -> tuple[float, float] | None:
    """Fit one series; None where it has too few values, or they do not vary beside their `size`."""
    if len(values) < LEAST_POINTS:
        return None
    rounding = ROUNDING * float(size.max())
    with np.errstate(over="ignore"):
        center = float(np.median(values) if method == "mad" else values.mean())
        distance = np.abs(values - center)
        if method == "sigma":
            scale = float(values.std(ddof=1))
        elif float(np.median(distance)) > rounding:
            scale = NORMAL * float(np.median(distance))
        else:
            scale = NORMAL_MEAN * float(distance.mean())
    return (center, scale) if rounding < scale < float("inf") else None


def observed_remainder(frame: pl.DataFrame) -> pl.Expr:
    """Give what the observed value leaves beside trend and season: null where nothing was observed.

    It is `resid`, but where a step has put another value in the place of the observed one, `y_raw`.
    """
    if not {"y_raw", "y", "trend", "seasonal"} <= set(frame.columns):
        return pl.col("resid")
    untouched = pl.col("y_raw") == pl.col("y")
    own = pl.col("y_raw") - pl.col("trend") - pl.col("seasonal").fill_null(0.0)
    return pl.when(untouched).then("resid").otherwise(own)
