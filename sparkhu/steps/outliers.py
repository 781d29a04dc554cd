"""Outliers by Tukey's fences: values more than `width` interquartile ranges outside the quartiles.

J. W. Tukey, *Exploratory Data Analysis* (1977), section 2D. A value is an outlier when it lies strictly outside
`[q1 − width·(q3 − q1), q3 + width·(q3 − q1)]`; with equal quartiles every other value does. A null never is one.
The quartiles are fitted parameters: the pipeline takes them from the training part of each series.
"""

from datetime import datetime
from typing import Any, Literal, get_args

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import accepts_pandas, check_frame
from sparkhu.ledger import entries
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import check_table

Action = Literal["flag", "flag_only", "null", "clip"]
ACTIONS: tuple[Action, ...] = get_args(Action)


def check_outliers(*, width: float, action: str) -> None:
    """Check the parameters of the step.

    Raises:
        InputError: `width` is negative or not a number, or `action` is unknown.
    """
    if not 0 <= width < float("inf"):
        raise InputError(f"width must be a number of interquartile ranges, 0 or more, got {width}. Usual is 1.5.")
    if action not in ACTIONS:
        raise InputError(f"action must be one of {', '.join(ACTIONS)}, got '{action}'.")


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

    Example:
        >>> sample_quartiles(frame, end=datetime(2024, 6, 1, tzinfo=UTC))
    """
    check_frame(frame, "unique_id", "ds", "y")
    sample = pl.lit(value=True)
    if start is not None:
        sample &= pl.col("ds") >= start
    if end is not None:
        sample &= pl.col("ds") < end
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
        InputError: A column is missing, or a parameter cannot be used.

    Example:
        >>> flag_iqr(frame, sample_quartiles(frame), width=3.0).filter("is_outlier")
    """
    check_outliers(width=width, action=action)
    check_frame(frame, "unique_id", "y")
    table = quartiles if isinstance(quartiles, pl.DataFrame) else pl.from_pandas(quartiles)
    check_table(table, "q1", "q3")
    reach = width * (pl.col("q3") - pl.col("q1"))
    fences = table.select("unique_id", __low=pl.col("q1") - reach, __high=pl.col("q3") + reach)
    observed = pl.col("y_raw" if "y_raw" in frame.columns else "y")
    outside = ((observed < pl.col("__low")) | (observed > pl.col("__high"))).fill_null(value=False)
    return (
        frame.join(fences, on="unique_id", how="left", maintain_order="left")
        .with_columns(y_raw=observed, is_outlier=outside)
        .with_columns(
            needs_fill=pl.col("is_outlier") if action in {"flag", "null"} else pl.lit(value=False),
            y=pl.when("is_outlier").then(_replacement(action)).otherwise("y"),
        )
        .drop("__low", "__high")
    )


def _replacement(action: Action) -> pl.Expr:
    if action == "null":
        return pl.lit(None, dtype=pl.Float64)
    if action == "clip":
        return pl.col("y_raw").clip("__low", "__high")
    return pl.col("y_raw")


def flag_outliers(
    observations: pl.DataFrame, stats: pl.DataFrame, *, width: float = 1.5, action: Action = "flag"
) -> StepResult:
    """Flag the outliers of a shard by the quartiles of each series' training part.

    Args:
        observations: Rows of the shard.
        stats: One row a series with `fit_q1` and `fit_q3`.
        width: See `flag_iqr`.
        action: See `flag_iqr`.

    Returns:
        `flags`: columns `y`, `y_raw`, `is_outlier`, `needs_fill`, aligned with the rows. The ledger counts
        `outliers` and tells (`equal_quartiles`) where q1 = q3, so that everything else is outside.
        A series without quartiles is skipped.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    check_outliers(width=width, action=action)
    check_frame(observations, "unique_id", "ds", "y")
    check_table(stats, "fit_q1", "fit_q3")
    quartiles = stats.select("unique_id", q1="fit_q1", q3="fit_q3")
    flagged = flag_iqr(observations, quartiles, width=width, action=action)
    return StepResult({"flags": flagged.select("y", "y_raw", "is_outlier", "needs_fill")}, _ledger(flagged, quartiles))


def _ledger(flagged: pl.DataFrame, quartiles: pl.DataFrame) -> pl.DataFrame:
    found = flagged.group_by("unique_id", maintain_order=True).agg(outliers=pl.col("is_outlier").sum())
    found = found.join(quartiles, on="unique_id", how="left", maintain_order="left").with_columns(
        missing=pl.col("q1").is_null() | pl.col("q3").is_null()
    )
    return entries(
        found["unique_id"],
        status=found.select(pl.when("missing").then(pl.lit("skipped")).otherwise(pl.lit("ok"))).to_series(),
        reason=found.select(
            pl.when("missing").then(pl.lit("no quartiles: the training part has no value"))
        ).to_series(),
        counts={
            "outliers": found["outliers"],
            "equal_quartiles": found.select((pl.col("q1") == pl.col("q3")).fill_null(value=False)).to_series(),
        },
    )
