"""One estimate of the period of every series, from the times of its points."""

import numpy as np
import polars as pl

from sparkhu.frame import TIME
from sparkhu.periods import Period
from sparkhu.steps.calendar_periods import KINDS, NO_KIND, CalendarFit, find_calendar
from sparkhu.steps.fixed_periods import NONE, find_fixed
from sparkhu.steps.series_gaps import Bools, Fit, Floats, Ints, SeriesGaps
from sparkhu.zones import DAY_US

LEAST_POINTS = 5
FIXED_IS_BETTER = 0.75
_DAILY = 0.9 * DAY_US

ESTIMATE_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "n": pl.Int64(),
    "median_gap_us": pl.Int64(),
    "month_day": pl.Int64(),
    "estimated_at": TIME,
    "estimate": pl.String(),
    "estimate_label": pl.String(),
    "period_error": pl.Float64(),
    "share_explained": pl.Float64(),
}


def estimate(frame: pl.DataFrame, gaps: SeriesGaps, zone: str) -> pl.DataFrame:
    """Estimate the period of each series.

    Args:
        frame: Sorted observations.
        gaps: Their points.
        zone: Where days begin and months end.

    Returns:
        `ESTIMATE_SCHEMA`, one row a series: `estimate` (`regular`, `irregular`, `no_decision`), `estimate_label` where
        regular. An irregular series shows the error and share of the candidate that explained most, null if none held
        20 % of the gaps.
    """
    facts = frame.group_by("unique_id", maintain_order=True).agg(
        n=pl.col("y").count().cast(pl.Int64), estimated_at=pl.col("ds").last()
    )
    medians = median_gaps(gaps)
    calendar = find_calendar(gaps, medians, zone)
    periods, fixed = _fixed_on_own_clock(gaps, medians, zone)
    wins = calendar.fit.passes & ~_fixed_is_better(calendar, fixed)
    enough = facts["n"].to_numpy() >= LEAST_POINTS
    best = _pick(wins, calendar.fit, fixed)
    known = enough & (wins | (periods != NONE))
    return facts.with_columns(
        median_gap_us=pl.Series(medians).replace(0, None),
        month_day=pl.Series(calendar.month_day, dtype=pl.Int64),
        estimate=pl.Series(_decisions(enough, best.passes), dtype=pl.String),
        estimate_label=pl.Series(_labels(enough & best.passes, wins, calendar.kind, periods), dtype=pl.String),
        period_error=_where(known, best.error),
        share_explained=_where(known, best.explained),
    ).select(ESTIMATE_SCHEMA.keys())


def median_gaps(gaps: SeriesGaps) -> Ints:
    """Take the median gap of each series (of an even number the lower, so that it is a gap there is), 0 without any."""
    table = pl.DataFrame({"owner": gaps.owners, "size": gaps.sizes})
    medians = table.group_by("owner").agg(pl.col("size").quantile(0.5, "lower"))
    result = np.zeros(len(gaps.lengths), np.int64)
    result[medians["owner"].to_numpy()] = medians["size"].cast(pl.Int64).to_numpy()
    return result


def _fixed_on_own_clock(gaps: SeriesGaps, medians: Ints, zone: str) -> tuple[Ints, Fit]:
    """Find fixed periods; those of series with a point a day or fewer on the wall clock, the others in UTC."""
    daily = (medians >= _DAILY) if zone != "UTC" else np.zeros(len(medians), np.bool_)
    periods = np.zeros(len(medians), np.int64)
    held, explained, error = (np.zeros(len(medians)) for _ in range(3))
    for series, clock in ((np.flatnonzero(~daily), "UTC"), (np.flatnonzero(daily), zone)):
        if not len(series):
            continue
        part = gaps.only(series) if daily.any() else gaps
        periods[series], found = find_fixed(part.on_wall(clock))
        held[series], explained[series], error[series] = found.held, found.explained, found.error
    return periods, Fit(held, explained, error)


def _fixed_is_better(calendar: CalendarFit, fixed: Fit) -> Bools:
    """Tell a fixed grid of nearly a month's, quarter's or year's length (28d, 30d, 13w) from the calendar's.

    Both fit within a tenth of a period then, but the calendar with an error that the fixed grid does not have. A
    business day and a day differ by the weekends alone, so that there the calendar goes first.
    """
    by_month = (calendar.kind != NO_KIND) & (calendar.kind != KINDS.index("business_day"))
    better: Bools = by_month & fixed.passes & (fixed.error < FIXED_IS_BETTER * calendar.fit.error)
    return better


def _pick(wins: Bools, calendar: Fit, fixed: Fit) -> Fit:
    return Fit(
        np.where(wins, calendar.held, fixed.held),
        np.where(wins, calendar.explained, fixed.explained),
        np.where(wins, calendar.error, fixed.error),
    )


def _decisions(enough: Bools, passes: Bools) -> list[str]:
    names = np.where(enough, np.where(passes, "regular", "irregular"), "no_decision")
    return [str(name) for name in names]


def _labels(decided: Bools, wins: Bools, kinds: Ints, periods: Ints) -> list[str | None]:
    fixed = {int(size): Period("fixed", int(size)).label for size in np.unique(periods[periods != NONE])}
    by_calendar = [Period(kind).label for kind in KINDS]
    return [
        (by_calendar[kind] if calendar else fixed[size]) if regular else None
        for regular, calendar, kind, size in zip(
            decided.tolist(), wins.tolist(), kinds.tolist(), periods.tolist(), strict=True
        )
    ]


def _where(known: Bools, values: Floats) -> pl.Series:
    return pl.select(pl.when(pl.lit(pl.Series(known))).then(pl.lit(pl.Series(values)))).to_series().cast(pl.Float64)
