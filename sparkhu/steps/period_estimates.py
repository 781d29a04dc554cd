"""One estimate of the period of every series, from the times of its points."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from sparkhu.frame import TIME
from sparkhu.periods import Period
from sparkhu.steps.calendar_periods import KINDS, MONTH_END, NO_KIND, CalendarFit, find_calendar
from sparkhu.steps.fixed_periods import NONE, GapCounts, find_fixed
from sparkhu.steps.segmented import Runs
from sparkhu.steps.series_gaps import Bools, Fit, Floats, Ints, SeriesGaps
from sparkhu.zones import DAY_US

LEAST_POINTS = 5
FIXED_IS_BETTER = 0.75
_DAILY = 0.8 * DAY_US

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
    owner, medians = Runs.whole(frame), GapCounts.of(gaps).medians()
    facts = pl.DataFrame(
        {
            "unique_id": owner.ids,
            "n": owner.sum_ints(frame["y"].is_not_null().to_numpy()),
            "estimated_at": frame["ds"].gather(owner.ends - 1),
        }
    )
    best = _best(gaps, medians, zone)
    enough = facts["n"].to_numpy() >= LEAST_POINTS
    known = enough & ((best.kind != NO_KIND) | (best.length != NONE))
    return facts.with_columns(
        median_gap_us=pl.Series(medians, dtype=pl.Int64).replace(0, None),
        month_day=pl.Series(best.month_day, dtype=pl.Int64),
        estimate=pl.Series(_decisions(enough, best.fit.passes), dtype=pl.String),
        estimate_label=pl.Series(best.labels(enough & best.fit.passes), dtype=pl.String),
        period_error=_where(known, best.fit.error),
        share_explained=_where(known, best.fit.explained),
    ).select(ESTIMATE_SCHEMA.keys())


@dataclass(frozen=True)
class _Best:
    """The best period of each series.

    Attributes:
        kind: Index of the calendar kind, `NO_KIND` for a fixed period.
        month_day: Day of the month that the series aims at.
        length: Fixed period in microseconds, `NONE` for none.
        fit: How well it fits.
    """

    kind: Ints
    month_day: Ints
    length: Ints
    fit: Fit

    def labels(self, regular: Bools) -> list[str | None]:
        """Name the periods of regular series."""
        fixed = {int(size): Period("fixed", int(size)).label for size in np.unique(self.length[self.length != NONE])}
        by_calendar = [Period(kind).label for kind in KINDS]
        rows = zip(regular.tolist(), self.kind.tolist(), self.length.tolist(), strict=True)
        return [
            None if not known else fixed[length] if kind == NO_KIND else by_calendar[kind]
            for known, kind, length in rows
        ]


def _best(gaps: SeriesGaps, medians: Ints, zone: str) -> _Best:
    """Choose a period for each series: where points stand about a day or more apart by the wall clock, else in UTC."""
    count = len(medians)
    kind, month_day, length = np.full(count, NO_KIND), np.full(count, MONTH_END), np.full(count, NONE)
    fit, by_calendar = Fit.nothing(count), medians >= _DAILY
    for series in (np.flatnonzero(~by_calendar), np.flatnonzero(by_calendar)):
        part = gaps.only(series) if len(series) < count else gaps
        if len(series) and by_calendar[series[0]]:
            part = part.on_wall(zone)
            calendar = find_calendar(part, medians[series])
        else:
            calendar = CalendarFit(kind[series], month_day[series], Fit.nothing(len(series)))
        length[series], fixed = find_fixed(part)
        wins = calendar.fit.passes & ~_fixed_is_better(calendar, fixed)
        kind[series], month_day[series] = np.where(wins, calendar.kind, NO_KIND), calendar.month_day
        fit = fit.replaced(series, fixed.replaced(wins, calendar.fit.only(wins)))
    return _Best(kind, month_day, length, fit)


def _fixed_is_better(calendar: CalendarFit, fixed: Fit) -> Bools:
    """Tell a fixed grid of nearly a month's, quarter's or year's length (28d, 30d, 13w) from the calendar's.

    Both fit within a tenth of a period then, but the calendar with an error that the fixed grid does not have. A
    business day and a day differ by the weekends alone, so that there the calendar goes first.
    """
    by_month = (calendar.kind != NO_KIND) & (calendar.kind != KINDS.index("business_day"))
    better: Bools = by_month & fixed.passes & (fixed.error < FIXED_IS_BETTER * calendar.fit.error)
    return better


def _decisions(enough: Bools, passes: Bools) -> list[str]:
    names = np.where(enough, np.where(passes, "regular", "irregular"), "no_decision")
    return [str(name) for name in names]


def _where(known: Bools, values: Floats) -> pl.Series:
    return pl.select(pl.when(pl.lit(pl.Series(known))).then(pl.lit(pl.Series(values)))).to_series().cast(pl.Float64)
