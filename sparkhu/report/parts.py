"""The decomposition of a series, thinned for drawing: trend, season and remainder, each by itself."""

from typing import Any

import numpy as np
import polars as pl

from sparkhu.report.downsampling import Flags, rows_to_draw
from sparkhu.report.points import numbers, times, values

SMOOTH, ROUGH = 160, 500
"""About how many points are drawn of a trend, and of a season or remainder."""
DIGITS = 4


def decomposition(rows: pl.DataFrame, limits: tuple[float | None, float | None]) -> dict[str, Any] | None:
    """Give the parts of a series, each thinned to the points that it needs itself.

    Args:
        rows: The rows of one series, sorted by `ds`, with `trend`, `seasonal`, `resid`, `is_anomaly`.
        limits: Below and above which a remainder is an anomaly; None where there is none.

    Returns:
        `trend`, `seasonal` and `resid`, each with `t` (see `times`) and `y`, or null where the part has no value or,
        for a season, is zero throughout; `anomalies` (places in `resid`); `limits`. None where no part has a value.

    Example:
        >>> rows = pl.DataFrame({"ds": [], "trend": [], "seasonal": [], "resid": [], "is_anomaly": []})
        >>> decomposition(rows, (None, None)) is None
        True
    """
    trend, seasonal, resid = (values(rows[name]) for name in ("trend", "seasonal", "resid"))
    if np.isnan(trend).all() and np.isnan(resid).all():
        return None
    anomaly = rows["is_anomaly"].fill_null(value=False).to_numpy() & ~np.isnan(resid)
    nothing = np.zeros(rows.height, bool)
    flat = bool(np.nan_to_num(seasonal).any())
    kept = _keep(resid, anomaly, ROUGH)
    return {
        "trend": _curve(rows, "trend", _keep(trend, nothing, SMOOTH)),
        "seasonal": _curve(rows, "seasonal", _keep(seasonal, nothing, ROUGH)) if flat else None,
        "resid": _curve(rows, "resid", kept),
        "anomalies": np.flatnonzero(anomaly[kept]).tolist(),
        "limits": numbers(pl.Series(limits, dtype=pl.Float64)),
    }


def _keep(curve: np.ndarray[Any, np.dtype[np.float64]], flagged: Flags, points: int) -> np.ndarray[Any, Any]:
    """Choose rows; where values begin and end the border stays, so that no line bridges a hole."""
    known = ~np.isnan(curve)
    border = np.diff(known.astype(np.int8), prepend=known[:1].astype(np.int8)) != 0
    border[:-1] |= border[1:]
    return rows_to_draw([curve], flagged | border, points=points)


def _curve(rows: pl.DataFrame, name: str, kept: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    column = rows[name]
    if column.null_count() == rows.height:
        return None
    return {"t": times(rows["ds"].gather(kept)), "y": numbers(column.gather(kept), DIGITS)}
