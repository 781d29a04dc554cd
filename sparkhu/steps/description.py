"""Description: what is in every series, before anything is changed.

Moments and quantiles are those of pandas (`std` with n − 1, bias-corrected `skew` and `kurt`, linear quantiles) over
the observed values. An empty series has nulls; a constant one has neither skewness nor kurtosis. Quartiles that later
steps fit by (`fit_q1`, `fit_q3`) come from the training part alone (`sparkhu.steps.training_quartiles`).
"""

from typing import Any

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame, segments
from sparkhu.ledger import entries
from sparkhu.periods import Period
from sparkhu.steps.categories import count_categories
from sparkhu.steps.dynamics import acf_peaks, adf_p_value, kpss_p_value, strengths
from sparkhu.steps.moments import moments_of
from sparkhu.steps.ordered import Ordered
from sparkhu.steps.regularity import check_regularity, find_periods
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import NEVER, Floats, Ints, Runs, instants, times
from sparkhu.steps.training_quartiles import fit_quartiles
from sparkhu.steps.validation import Interval, requested_interval
from sparkhu.threads import for_each, on_one_thread

DYNAMICS_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "adf_p": pl.Float64(),
    "kpss_p": pl.Float64(),
    "acf_peaks": pl.List(pl.Int64()),
    "seasonal_strength": pl.Float64(),
    "trend_strength": pl.Float64(),
}
VALUES_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "n": pl.Int64(),
    "sample_start": TIME,
    "sample_end": TIME,
    **dict.fromkeys(("min", "max", "mean", "median", "q1", "q3", "std", "skewness", "kurtosis"), pl.Float64()),
    **dict.fromkeys(("share_missing", "share_zero", "cv", "mode"), pl.Float64()),
}
DEFAULT_SPLIT = "0.7/0.1/0.2"


def check_description(
    *,
    split: str,
    sample_start: str,
    sample_end: str,
    stationarity_points: int,
    season_length: int,
    zone: str,
    period: str = "",
) -> Interval:
    """Check the parameters of the step and read its sample interval.

    Raises:
        InputError: One of them cannot be used; the message names it.
    """
    if stationarity_points < 0:
        raise InputError(f"stationarity_points must be a number of points, or 0 for none, got {stationarity_points}")
    check_regularity(zone=zone, split=split, period=period, season_length=season_length)
    try:
        return requested_interval(sample_start, sample_end, zone)
    except InputError as error:
        raise InputError(f"sample_start and sample_end give no interval: {error}") from error


@accepts_pandas
def describe_values(frame: pl.DataFrame) -> pl.DataFrame:
    """Describe the observed values of each series.

    Args:
        frame: Observation frame, sorted; rows with a null `y` count as missing.

    Returns:
        One row a series: `n` observed values; `sample_start` and `sample_end`, the first and last instant with one;
        `min`, `max`, `mean`, `median`, `q1`, `q3`, `std` in the unit of `y`; `skewness` and (excess) `kurtosis`, null
        for a constant series and for fewer than 3 and 4 values; `mode`, the most frequent value (the smallest of
        several); `cv` = std / mean, null at mean 0; `share_missing` of the rows; `share_zero` of the observed values.

    Raises:
        InputError: A column is missing or has another type, or the rows of a series stand in several places.

    Example:
        >>> describe_values(frame).select("unique_id", "mean", "share_missing")
    """
    check_frame(frame, "unique_id", "ds", "y")
    owner, known = Runs.whole(frame), frame["y"].is_not_null().to_numpy()
    n, values = owner.sum_ints(known), frame["y"].drop_nulls().to_numpy()
    zeros = owner.sum_ints((frame["y"] == 0).fill_null(value=False).to_numpy())
    with np.errstate(all="ignore"):  # a share of no value is none
        shares = {"share_missing": (owner.lengths - n) / owner.lengths, "share_zero": zeros / n}
    numbers, ends = {**_numbers(values, n), **shares}, _sample_times(frame, np.flatnonzero(known), n)
    columns = [pl.Series(name, np.where(np.isfinite(each), each, np.nan)) for name, each in numbers.items()]
    table = pl.DataFrame([owner.ids, pl.Series("n", n), *ends, *(column.fill_nan(None) for column in columns)])
    return table.select(VALUES_SCHEMA.keys())


def _numbers(values: Floats, n: Ints) -> dict[str, Floats]:
    """Describe observed values, `n` of each series, by numbers; what is not finite is none."""
    ordered, moments = Ordered.of(values, n), moments_of(values, n)
    low, high = ordered.quantile(0), ordered.quantile(1)
    with np.errstate(all="ignore"):
        cv = np.where(moments.mean != 0, moments.std / moments.mean, np.nan)
    return {
        "min": low,
        "max": high,
        "mean": moments.mean,
        "median": ordered.quantile(0.5),
        "q1": ordered.quantile(0.25),
        "q3": ordered.quantile(0.75),
        "std": moments.std,
        "skewness": np.where(low < high, moments.skewness, np.nan),
        "kurtosis": np.where(low < high, moments.kurtosis, np.nan),
        "cv": cv,
        "mode": ordered.mode(),
    }


def _sample_times(frame: pl.DataFrame, rows: Ints, n: Ints) -> list[pl.Series]:
    """Look up the first and the last of `rows`, `n` of each series; null where it has none."""
    ends = np.cumsum(n)
    found = []
    for name, place in (("sample_start", ends - n), ("sample_end", ends - 1)):
        at = np.full(len(n), NEVER)
        at[n > 0] = instants(frame["ds"])[rows[place[n > 0]]]
        found.append(times(at, name))
    return found


@accepts_pandas
@on_one_thread
def describe_dynamics(
    frame: pl.DataFrame, *, points: int = 1000, season_length: int = 0, zone: str = "UTC", period: str = ""
) -> pl.DataFrame:
    """Describe how each series moves: stationarity, autocorrelation, strength of trend and season.

    Args:
        frame: Observation frame, sorted; the observed values are taken in order, without their times.
        points: Latest observed values that are looked at; 0 leaves all of it out. The work is about a millisecond
            a series at 1,000 points.
        season_length: Points in a season; 0: the one that the calendar suggests for the period of the series.
        zone: Where days begin and months end, for the period that is found.
        period: Period of every series, such as 1h; empty: found from the data.

    Returns:
        One row a series: `adf_p`, `kpss_p` (p-values), `acf_peaks` (lags, the highest first), `seasonal_strength`,
        `trend_strength` (0 to 1; null without a season or with fewer than two). See `sparkhu.steps.dynamics`.

    Raises:
        InputError: A column is missing or has another type, or a parameter cannot be used.

    Example:
        >>> describe_dynamics(frame, points=500, season_length=24)
    """
    check_frame(frame, "unique_id", "ds", "y")
    if points < 0:
        raise InputError(f"points must be a number of points, or 0 for none, got {points}")
    check_regularity(zone=zone, split=DEFAULT_SPLIT, period=period, season_length=season_length)
    ids = pl.DataFrame([Runs.whole(frame).ids])
    if not points:
        return pl.concat([pl.DataFrame(schema=DYNAMICS_SCHEMA), ids], how="diagonal")
    observed = frame.filter(pl.col("y").is_not_null())
    values, (starts, lengths) = observed["y"].to_numpy(), segments(observed)
    seasons = dict(_seasons(frame, season_length, zone, period).iter_rows())
    names = observed["unique_id"].gather(starts).to_list()

    def row_of(number: int) -> tuple[Any, ...]:
        start, end = int(starts[number]), int(starts[number] + lengths[number])
        latest = values[max(start, end - points) : end]
        trend, seasonal = strengths(latest, seasons[names[number]])
        return names[number], adf_p_value(latest), kpss_p_value(latest), acf_peaks(latest), seasonal, trend

    rows = for_each(row_of, len(names))
    table = pl.DataFrame(rows, schema=DYNAMICS_SCHEMA, orient="row")
    return ids.join(table, on="unique_id", how="left", maintain_order="left")


def _seasons(frame: pl.DataFrame, season_length: int, zone: str, period: str) -> pl.DataFrame:
    if period:
        season_length = season_length or Period.parse(period, zone).season_length()
    if season_length:
        return frame.select("unique_id").unique().with_columns(season=pl.lit(season_length))
    periods = find_periods(frame, zone=zone)
    labels = periods["period_label"].drop_nulls().unique()
    seasons = {label: Period.parse(label, zone).season_length() for label in labels}
    label = pl.col("period_label")
    return periods.select(
        "unique_id", season=label.replace_strict(seasons, default=None, return_dtype=pl.Int64).fill_null(1)
    )


def describe(
    observations: pl.DataFrame,
    *,
    split: str = DEFAULT_SPLIT,
    sample_start: str = "",
    sample_end: str = "",
    zone: str = "UTC",
    stationarity_points: int = 1000,
    season_length: int = 0,
    period: str = "",
) -> StepResult:
    """Describe every series of a shard.

    Args:
        observations: Rows of the shard.
        split: Says where the training part ends, over which `fit_q1` and `fit_q3` are computed.
        sample_start: ISO time from which the quartiles are fitted instead; empty: from the first row.
        sample_end: ISO time before which they are fitted instead; empty: to the end of the training part.
        zone: Zone of the two where they have no offset; and where days begin, for the period that is found.
        stationarity_points: Latest points that the costly tests look at; 0 leaves the tests out.
        season_length: Points in a season; 0: from the calendar, by the period.
        period: Period of every series; empty: found from the data.

    Returns:
        `stats`, one row a series: the columns of `describe_values`, `describe_dynamics` and `fit_quartiles`;
        `categories`: see `sparkhu.steps.categories.count_categories`. In the ledger a series without any value is
        `skipped`, and one without a value in the sample that quartiles are fitted on is `ok` with the reason; the count
        `without_quartiles` says how many of these there are.

    Raises:
        InputError: A parameter or a column cannot be used.
    """
    sample = check_description(
        split=split,
        sample_start=sample_start,
        sample_end=sample_end,
        stationarity_points=stationarity_points,
        season_length=season_length,
        zone=zone,
        period=period,
    )
    check_frame(observations, "unique_id", "ds", "y")
    rows = observations.select("unique_id", "ds", "y")
    stats = describe_values(rows)
    for table in (
        describe_dynamics(rows, points=stationarity_points, season_length=season_length, zone=zone, period=period),
        fit_quartiles(rows, split=split, start=sample.start, end=sample.end),
    ):
        stats = stats.join(table, on="unique_id", how="left", maintain_order="left")
    counts = {"without_quartiles": stats.filter((pl.col("n") > 0) & (pl.col("fit_points") == 0)).height}
    frames = {"stats": stats, "categories": count_categories(observations)}
    return StepResult(frames, _ledger(stats, sample_start, sample_end), counts)


def _ledger(stats: pl.DataFrame, sample_start: str, sample_end: str) -> pl.DataFrame:
    empty = pl.col("n") == 0
    interval = f"from sample_start {sample_start or 'none'} to sample_end {sample_end or 'none: the end of training'}"
    where = f"the interval {interval}" if sample_start or sample_end else "the training part"
    told = stats.select(
        status=pl.when(empty).then(pl.lit("skipped")).otherwise(pl.lit("ok")),
        reason=pl.when(empty)
        .then(pl.lit("no observed value"))
        .when(pl.col("fit_points") == 0)
        .then(pl.lit(f"no observed value in {where}: no quartiles are fitted, and no outliers found by them")),
    )
    counts = {"observed": stats["n"]}
    return entries(stats["unique_id"], status=told["status"], reason=told["reason"], counts=counts)
