"""Outliers by Tukey's fences: values more than `width` interquartile ranges outside the quartiles.

J. W. Tukey, *Exploratory Data Analysis* (1977), section 2D. A value is an outlier when it lies strictly outside
`[q1 − width·(q3 − q1), q3 + width·(q3 − q1)]`; with equal quartiles every other value does. A null never is one.
The quartiles are fitted parameters: the pipeline takes them from the training part of each series.
"""

from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame, check_numbers, is_number
from sparkhu.ledger import entries
from sparkhu.steps.result import StepResult, reads
from sparkhu.steps.segmented import (
    NEVER,
    Bools,
    Floats,
    Runs,
    Segments,
    check_table,
    floats,
    instants,
    times,
)

Action = Literal["flag", "flag_only", "null", "clip"]
ACTIONS: tuple[Action, ...] = get_args(Action)
LEAST_POINTS = 5
UNFITTED = "no quartiles: the training part, or the interval from sample_start to sample_end given for it, is empty"


def check_outliers(*, width: float, action: str, max_share: float = 1.0) -> None:
    """Check the parameters of the step.

    Raises:
        InputError: `width` is negative or not a number, `action` is unknown, or `max_share` is no share.
    """
    if not is_number(max_share) or not 0 <= max_share <= 1:
        raise InputError(f"max_share must be a share from 0 to 1, got {max_share}. Usual is 0.05.")
    if not is_number(width) or width < 0:
        raise InputError(f"width must be a number of interquartile ranges, 0 or more, got {width}. Usual is 1.5.")
    if action not in ACTIONS:
        raise InputError(f"action must be one of {', '.join(ACTIONS)}, got '{action}'.")


def check_interval(start: datetime | None, end: datetime | None) -> None:
    """Check the half-open interval `[start, end)` that something is fitted on.

    Raises:
        InputError: `end` does not lie after `start`.
    """
    if start is not None and end is not None and not start < end:
        raise InputError(f"end must lie after start, got start {start} and end {end}.")


@accepts_pandas
def sample_quartiles(
    frame: pl.DataFrame, *, start: datetime | None = None, end: datetime | None = None
) -> pl.DataFrame:
    """Compute the quartiles of each series over the sample interval `[start, end)`.

    Args:
        frame: Observation frame; null values are left out.
        start: First instant of the sample (with a zone); none means from the beginning.
        end: The instant the sample ends before; none means to the end.

    Returns:
        `unique_id`, `q1`, `q3` (linear between order statistics, as pandas' `quantile`); null without any value.

    Raises:
        InputError: A column is missing, or `end` does not lie after `start`.

    Example:
        >>> sample_quartiles(frame, end=datetime(2024, 6, 1, tzinfo=UTC))
    """
    check_frame(frame, "unique_id", "ds", "y")
    check_interval(start, end)
    sample = pl.lit(value=True)
    if start is not None:
        sample &= pl.col("ds") >= pl.lit(start).cast(TIME)
    if end is not None:
        sample &= pl.col("ds") < pl.lit(end).cast(TIME)
    values = pl.when(sample).then("y")
    return frame.group_by("unique_id", maintain_order=True).agg(
        q1=values.quantile(0.25, "linear"), q3=values.quantile(0.75, "linear")
    )


@accepts_pandas
def flag_iqr(frame: pl.DataFrame, quartiles: Any, *, width: float = 1.5, action: Action = "flag") -> pl.DataFrame:
    """Flag the values outside the fences, and do with them what `action` says.

    What is judged is the observed value: `y_raw` where the frame has it, else `y`; so a second pass changes nothing.

    Args:
        frame: Observation frame, any number of series.
        quartiles: Frame `unique_id`, `q1`, `q3`, in the unit of `y`; of any sample interval.
        width: Distance of the fences from the quartiles, in interquartile ranges.
        action: `flag`: the value stays and counts as missing in filling (`needs_fill`); `flag_only`: it stays;
            `null`: it becomes null; `clip`: it becomes the nearer fence.

    Returns:
        The frame with `y` as the action leaves it, `y_raw` as observed, `is_outlier` and `needs_fill`. A series
        without quartiles has no outliers.

    Raises:
        InputError: A column is missing, the quartiles are no numbers or the wrong way round, or a parameter cannot be
            used.

    Example:
        >>> flag_iqr(frame, sample_quartiles(frame), width=3.0).filter("is_outlier")
    """
    check_outliers(width=width, action=action)
    check_frame(frame, "unique_id", "y")
    table = quartiles if isinstance(quartiles, pl.DataFrame) else pl.from_pandas(quartiles)
    _check_quartiles(table)
    reach = width * (pl.col("q3") - pl.col("q1"))
    fences, runs = table.select("unique_id", low=pl.col("q1") - reach, high=pl.col("q3") + reach), Runs.of(frame)
    low, high = (runs.spread(floats(fence)) for fence in runs.align(fences, "low", "high")[["low", "high"]])
    observed = frame["y_raw" if "y_raw" in frame.columns else "y"]
    outside = (floats(observed) < low) | (floats(observed) > high)  # false where there is no value, or no fence
    return frame.with_columns(y_raw=observed, is_outlier=pl.Series(outside, dtype=pl.Boolean)).with_columns(
        needs_fill=pl.col("is_outlier") if action in {"flag", "null"} else pl.lit(value=False),
        y=pl.when("is_outlier").then(_replacement(action, low, high)).otherwise("y"),
    )


def _check_quartiles(table: pl.DataFrame) -> None:
    check_table(table, "q1", "q3")
    check_numbers(table, "q1", "q3")
    wrong = table.filter(pl.col("q1") > pl.col("q3"))
    if wrong.height:
        name, q1, q3 = wrong.select("unique_id", "q1", "q3").row(0)
        raise InputError(f"q1 must not lie above q3, got q1 {q1} and q3 {q3} for series '{name}'. Swap them.")


def _replacement(action: Action, low: Floats, high: Floats) -> pl.Expr:
    if action == "null":
        return pl.lit(None, dtype=pl.Float64)
    if action == "clip":
        return pl.col("y_raw").clip(pl.Series(low), pl.Series(high))
    return pl.col("y_raw")


@reads(observations=("unique_id", "ds", "y", "y_raw", "available_at"))
def flag_outliers(
    observations: pl.DataFrame,
    stats: pl.DataFrame,
    *,
    width: float = 1.5,
    action: Action = "flag",
    max_share: float = 0.05,
) -> StepResult:
    """Flag the outliers of a shard by the quartiles of each series' training part.

    Fences around the quartiles describe a series whose level and spread last. One that trends leaves them for good, and
    its newest points are no faults. So nothing is done to a series that has moved by the end of its training part
    (`moved_series`), and to others `action` is done to a share of the points, `max_share` and one, at most: counted
    over the training part, behind it point by point up to each. What goes beyond is flagged and kept. A `max_share` of
    1 does it to all.

    A clipped value is a fence, so it is known only when the training part was: from the latest `available_at` of that
    part's rows on, or from its own if that is later.

    Args:
        observations: Rows of the shard.
        stats: One row a series with `fit_q1`, `fit_q3` and, where the training part ends in the data, `fit_until`.
        width: See `flag_iqr`.
        action: See `flag_iqr`.
        max_share: Largest share of a series' observed points that `action` is done to.

    Returns:
        `flags`: columns `y`, `y_raw`, `available_at`, `observed_available_at` (as it came, null where nothing was
        observed), `is_outlier`, `needs_fill`, aligned with the rows. The ledger counts `outliers`, those `kept`, and
        tells (`equal_quartiles`) where q1 = q3, so that everything else is outside. A series without quartiles is
        `skipped` in it; one that the fences do not fit (`kept` > 0) is `ok` with a reason.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    check_outliers(width=width, action=action, max_share=max_share)
    check_frame(observations, "unique_id", "ds", "y", "available_at")
    check_table(stats, "fit_q1", "fit_q3")
    if "fit_until" not in stats.columns:
        stats = stats.with_columns(fit_until=pl.lit(None, dtype=TIME))
    quartiles = stats.select("unique_id", q1="fit_q1", q3="fit_q3")
    flagged = flag_iqr(observations, quartiles, width=width, action=action)
    owner = Segments.of(observations)
    fitted = _fitted(flagged, owner, stats)
    kept = pl.Series(_beyond_share(flagged, owner, fitted, stats, max_share))
    flagged = flagged.with_columns(y=pl.when(kept).then("y_raw").otherwise("y"))
    flags = flagged.select(
        "y",
        "y_raw",
        available_at=_known_from(flagged, owner, fitted),
        observed_available_at=pl.when(pl.col("y_raw").is_not_null()).then("available_at"),
        is_outlier="is_outlier",
        needs_fill=pl.col("needs_fill") & ~kept,
    )
    return StepResult({"flags": flags}, _ledger(flagged.with_columns(kept=kept), owner, quartiles, max_share))


def moved_series(stats: pl.DataFrame) -> pl.Series:
    """Find the series whose level has left the middle of their training part by its end, so that fences mislead.

    The median of the newest tenth of the training part (five values at least) lies outside its quartiles, or that part
    has fewer than `LEAST_POINTS` values. Nothing behind the training part is looked at.

    Args:
        stats: `unique_id`, `fit_q1`, `fit_q3`, `fit_level`, `fit_points`; without the last two no series has moved.

    Returns:
        The names of these series.
    """
    if not {"fit_level", "fit_points"} <= set(stats.columns):
        return stats["unique_id"].clear()
    outside = ~pl.col("fit_level").is_between("fit_q1", "fit_q3")
    return stats.filter(outside | (pl.col("fit_points") < LEAST_POINTS))["unique_id"]


def _fitted(rows: pl.DataFrame, owner: Segments, stats: pl.DataFrame) -> Bools:
    """Mark the rows of the training part: all where it does not end in the data."""
    until = instants(owner.align(stats, "fit_until")["fit_until"])
    return instants(rows["ds"]) < owner.spread(np.where(until == NEVER, np.iinfo(np.int64).max, until))


def _known_from(flagged: pl.DataFrame, owner: Segments, fitted: Bools) -> pl.Series:
    clipped = flagged.select((pl.col("y") != pl.col("y_raw")).fill_null(value=False)).to_series()
    known = instants(flagged["available_at"])
    if clipped.any():
        training = owner.latest(np.where(fitted, known, NEVER))
        known = np.where(clipped.to_numpy(), np.maximum(known, owner.spread(training)), known)
    return times(known)


def _beyond_share(
    flagged: pl.DataFrame, owner: Segments, fitted: Bools, stats: pl.DataFrame, max_share: float
) -> Bools:
    """Mark the outliers beyond the share that may be changed; no point's mark depends on a later part's points."""
    beyond, rows = np.zeros(flagged.height, np.bool_), flagged["is_outlier"].arg_true().to_numpy()
    if max_share >= 1 or not len(rows):
        return beyond
    number = np.searchsorted(owner.starts, rows, side="right") - 1
    counts = {}
    for name, marked in (("outliers", flagged["is_outlier"]), ("known", flagged["y_raw"].is_not_null())):
        mask = marked.to_numpy()
        so_far = np.concatenate([np.zeros(1, np.int64), np.cumsum(mask)])
        until_here = so_far[rows + 1] - so_far[owner.starts[number]]
        counts[name] = np.where(fitted[rows], owner.sum_ints(mask & fitted)[number], until_here)
    crowded = counts["outliers"] > 1 + max_share * counts["known"]
    beyond[rows] = crowded | owner.ids.is_in(moved_series(stats).implode()).to_numpy()[number]
    return beyond


def _ledger(flagged: pl.DataFrame, owner: Segments, quartiles: pl.DataFrame, max_share: float) -> pl.DataFrame:
    told = {"outliers": flagged["is_outlier"], "known": flagged["y_raw"].is_not_null(), "kept": flagged["kept"]}
    counts = [pl.Series(name, owner.count(rows)) for name, rows in told.items()]
    found = owner.align(quartiles, "q1", "q3").with_columns(counts)
    text = pl.format(
        "{} of {} points lie beyond the fences, more than a share of {}: {} of them are flagged and kept",
        "outliers",
        "known",
        pl.lit(str(max_share)),
        "kept",
    )
    unfitted = pl.col("q1").is_null() | pl.col("q3").is_null()
    reason = pl.when(unfitted).then(pl.lit(UNFITTED)).when(pl.col("kept") > 0).then(text)
    status = found.select(pl.when(unfitted).then(pl.lit("skipped")).otherwise(pl.lit("ok")))
    return entries(
        found["unique_id"],
        status=status.to_series(),
        reason=found.select(reason).to_series(),
        counts={
            "outliers": found["outliers"],
            "kept": found["kept"],
            "equal_quartiles": found.select((pl.col("q1") == pl.col("q3")).fill_null(value=False)).to_series(),
        },
    )
