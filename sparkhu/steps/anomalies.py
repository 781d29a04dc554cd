"""Residual anomalies: observed points whose remainder lies beyond limits fitted on the training part.

| limits | centre | scale |
| --- | --- | --- |
| `mad` | median | 1.4826 · median absolute deviation from it, the standard deviation of normal remainders |
| `sigma` | mean | standard deviation (n − 1) |
| `given` | the middle of `low` and `high` | half their distance; where one is given: that limit, and 1 |

A point is an anomaly where its remainder lies strictly outside `[centre − width · scale, centre + width · scale]`, or
the limits that are given. What is judged is the observed value: where a step has replaced it (an outlier, say), the
remainder is what the observed value leaves beside trend and season. A filled point is none, and fits no limit.

Remainders of real series have heavier tails than the normal distribution's: 3 deviations, right there, mark 1 to 4 % of
the points of ordinary series, 7 standard deviations some 0.1 to 0.5 % (`benchmarks/anomalies.py`). Hence the default.
"""

from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame, check_numbers, is_number
from sparkhu.ledger import entries
from sparkhu.steps.fitted_limits import fitted, observed_remainder, within
from sparkhu.steps.outliers import check_interval
from sparkhu.steps.result import FILLED, StepResult, reads
from sparkhu.steps.segmented import NEVER, Segments, check_table, floats, instants
from sparkhu.steps.validation import Interval, requested_interval

Limits = Literal["mad", "sigma", "given"]
LIMITS: tuple[Limits, ...] = get_args(Limits)
Method = Literal["mad", "sigma"]
METHODS: tuple[Method, ...] = get_args(Method)
LIMITS_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "center": pl.Float64(),
    "scale": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "fitted_from": TIME,
    "fitted_until": TIME,
}
FITS = ("center", "scale", "low", "high")
UNFITTED = "no limits: fewer than 10 remainders in {}, or they do not vary"


def check_anomalies(
    *,
    limits: str,
    width: float,
    low: float | None = None,
    high: float | None = None,
    fit_start: str = "",
    fit_end: str = "",
    zone: str = "UTC",
) -> Interval:
    """Check the parameters of the step and read the interval that limits are fitted on.

    Raises:
        InputError: `limits` is unknown, `width` is no number above 0, `low` and `high` are missing, are no numbers,
            contradict each other, or stand beside limits that are fitted; or `fit_start` and `fit_end` are no interval,
            or stand beside limits that are given.
    """
    if limits not in LIMITS:
        raise InputError(f"limits must be one of {', '.join(LIMITS)}, got '{limits}'.")
    _check_width(width)
    for name, limit in (("low", low), ("high", high)):
        if limit is not None and not is_number(limit):
            raise InputError(f"{name} must be a number in the unit of y, got {limit}. Leave it out for no limit.")
    if limits == "given":
        if low is None and high is None:
            raise InputError("limits are given but low and high are missing. Give one of them, or both.")
        if low is not None and high is not None and not low < high:
            raise InputError(f"low must lie below high, got low {low} and high {high}.")
    elif low is not None or high is not None:
        raise InputError(f"low and high need limits 'given', got limits '{limits}'. Leave them out, or set limits.")
    if limits == "given" and (fit_start or fit_end):
        raise InputError(
            "fit_start and fit_end need limits that are fitted: sigma or mad. Leave them out, or set limits."
        )
    try:
        return requested_interval(fit_start, fit_end, zone)
    except InputError as error:
        raise InputError(f"fit_start and fit_end give no interval: {error}") from error


def _check_width(width: float) -> None:
    if not is_number(width) or width <= 0:
        raise InputError(f"width must be a number of deviations above 0, got {width}. Usual is 3 to 7.")


@accepts_pandas
def residual_limits(
    frame: pl.DataFrame,
    method: Method = "sigma",
    width: float = 7.0,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Fit the limits of each series' remainder over the interval `[start, end)`.

    Where more than half of the remainders are equal, so that the median absolute deviation is 0, the scale of `mad` is
    1.2533 mean absolute deviations instead (B. Iglewicz and D. Hoaglin, *How to Detect and Handle Outliers*, 1993).

    Args:
        frame: Decomposed frame with `resid`; filled rows (`fill_strategy`) and nulls are left out. Where it has `y_raw`
            and `trend`, the remainder of the observed value counts.
        method: `mad` or `sigma`, see above.
        width: Distance of the limits from the centre, in scales.
        start: First instant of the interval (with a zone); none means from the beginning.
        end: The instant the interval ends before; none means to the end.

    Returns:
        `unique_id`, `center`, `scale`, `low`, `high` in the unit of `y`, and `fitted_from`, `fitted_until`, the first
        and last instant that they are fitted on. Null for a series of fewer than 10 remainders, and for one whose
        remainder does not vary beyond rounding.

    Raises:
        InputError: A column is missing, or a parameter cannot be used.

    Example:
        >>> flag_residuals(frame, residual_limits(frame, width=3, end=datetime(2024, 6, 1, tzinfo=UTC)))
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got '{method}'.")
    _check_width(width)
    check_frame(frame, "unique_id", "ds", "resid")
    check_interval(start, end)
    return fitted(frame, within(frame, start, end), method, width)


@accepts_pandas
def flag_residuals(frame: pl.DataFrame, limits: Any) -> pl.DataFrame:
    """Flag the points whose remainder lies strictly outside the limits of their series.

    Args:
        frame: Decomposed frame, as `residual_limits` takes.
        limits: Frame `unique_id`, `center`, `scale`, `low`, `high` in the unit of `y`, fitted on any interval or given;
            a null limit is none.

    Returns:
        The frame with `anomaly_score`, the distance of the remainder from the centre in scales (null without
        remainder, or a scale above 0), and `is_anomaly`, never null.

    Raises:
        InputError: A column is missing, or `limits` holds a series twice, a limit that is no number, a negative scale,
            or a `low` above its `high`.

    Example:
        >>> flag_residuals(frame, residual_limits(frame, "mad", 6.0)).filter("is_anomaly")
    """
    check_frame(frame, "unique_id", "resid")
    table = limits if isinstance(limits, pl.DataFrame) else pl.from_pandas(limits)
    _check_limits(table)
    own = frame.select("unique_id").join(table, on="unique_id", how="left", maintain_order="left")
    remainder = frame.select(observed_remainder(frame)).to_series()
    low, high, center, scale = (floats(own[name]) for name in ("low", "high", "center", "scale"))
    # numpy divides value by value; Polars takes the reciprocal where all divisors are one, which rounds differently.
    values = floats(remainder)
    distance = np.abs(values - center)
    score = pl.Series("anomaly_score", distance / np.where(scale > 0, scale, np.nan)).fill_nan(None)
    return frame.with_columns(score, pl.Series("is_anomaly", (values < low) | (values > high)))


def _check_limits(table: pl.DataFrame) -> None:
    check_table(table, *FITS)
    check_numbers(table, *FITS)
    wrong = {
        "low above its high": pl.col("low") > pl.col("high"),
        "a negative scale": pl.col("scale") < 0,
    }
    for what, rows in wrong.items():
        found = table.filter(rows)
        if found.height:
            name, *numbers = found.select("unique_id", "scale", "low", "high").row(0)
            given = "scale {}, low {}, high {}".format(*numbers)
            raise InputError(f"limits of series '{name}' have {what}: {given}. Give low < high and a scale above 0.")


@reads(observations=(*FILLED, "trend", "seasonal", "resid", "parts_available_at"))
def flag_anomalies(
    observations: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    limits: Limits = "sigma",
    width: float = 7.0,
    low: float | None = None,
    high: float | None = None,
    fit_start: str = "",
    fit_end: str = "",
    zone: str = "UTC",
) -> StepResult:
    """Flag the residual anomalies of a shard by limits fitted on each series' training part.

    Args:
        observations: Decomposed rows of the shard: `y`, `y_raw`, `trend`, `seasonal`, `resid`.
        profile: One row a series with `train_end`.
        limits: `mad`, `sigma` or `given`, see above.
        width: Distance of fitted limits from the centre, in scales.
        low: Lower limit of every series, in the unit of `y`, where limits are given.
        high: Upper limit, likewise.
        fit_start: ISO time from which the limits are fitted; empty: from the first row.
        fit_end: ISO time before which they are fitted; empty, or behind it: the end of the training part.
        zone: Zone of these two where they name none.

    Returns:
        `anomalies`: columns `anomaly_score` and `is_anomaly`, aligned with the rows; `limits`: one row a series. The
        ledger counts `anomalies` and the points `judged`; a series without limits is `skipped` in it.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    interval = check_anomalies(
        limits=limits, width=width, low=low, high=high, fit_start=fit_start, fit_end=fit_end, zone=zone
    )
    check_frame(observations, "unique_id", "ds", "y", "y_raw", "trend", "seasonal", "resid")
    owner = Segments.of(observations)
    if limits == "given":
        table = _given(owner.ids, low, high)
    else:
        ends = instants(owner.align(profile, "train_end")["train_end"])
        forever = np.where(ends == NEVER, np.iinfo(np.int64).max, ends)
        training = instants(observations["ds"]) < np.repeat(forever, owner.lengths)
        table = fitted(observations, training & within(observations, *interval), limits, width)
    flagged = flag_residuals(observations, table).select("unique_id", "anomaly_score", "is_anomaly")
    where = f"the training part, from {fit_start or 'its start'} to {fit_end or 'its end'}"
    ledger = _ledger(owner, flagged, table, where if fit_start or fit_end else "the training part")
    return StepResult({"anomalies": flagged.drop("unique_id"), "limits": table}, ledger)


def _given(ids: pl.Series, low: float | None, high: float | None) -> pl.DataFrame:
    """Give every series the same limits."""
    if low is not None and high is not None:
        center, scale = (low + high) / 2, (high - low) / 2
    else:
        center, scale = (low if low is not None else high or 0.0), 1.0
    limits = {"center": center, "scale": scale, "low": low, "high": high, "fitted_from": None, "fitted_until": None}
    columns = [pl.lit(value, dtype=LIMITS_SCHEMA[name]).alias(name) for name, value in limits.items()]
    return pl.DataFrame({"unique_id": ids}, schema={"unique_id": pl.String}).with_columns(columns)


def _ledger(owner: Segments, flagged: pl.DataFrame, limits: pl.DataFrame, where: str) -> pl.DataFrame:
    unfitted = limits["scale"].is_null()
    status = pl.select(pl.when(unfitted).then(pl.lit("skipped")).otherwise(pl.lit("ok"))).to_series()
    reason = pl.select(pl.when(unfitted).then(pl.lit(UNFITTED.format(where)))).to_series()
    counts = {"anomalies": flagged["is_anomaly"], "judged": flagged["anomaly_score"].is_not_null()}
    sums = {name: pl.Series(owner.sum_ints(rows.to_numpy())) for name, rows in counts.items()}
    return entries(owner.ids, status=status, reason=reason, counts=sums)
