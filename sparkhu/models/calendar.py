"""Where the instants of forecast steps stand in the cycles of the calendar, in UTC."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from sparkhu.models.base import Floats
from sparkhu.periods import Period
from sparkhu.zones import DAY_US


@dataclass(frozen=True)
class Calendar:
    """The calendar of a period.

    Attributes:
        period: Its label, such as `1h`.

    A period has the cycles that it steps through: one below a day its place in the day, one of at most a day its
    weekday, one from a day to below a year its place in the year: finer data seldom hold years, and a place in the
    year would but name the moment. All are told in UTC: the clock of a place moves by an hour twice a
    year, by which the place in the day is then wrong.
    """

    period: str

    def names(self) -> list[str]:
        """Name the columns of `rows`."""
        step = Period.parse(self.period).nominal_us
        cycles = {"day_share": step < DAY_US, "weekday": step <= DAY_US, "year_share": DAY_US <= step < 365 * DAY_US}
        return [name for name, turns in cycles.items() if turns]

    def rows(self, cutoffs: pl.Series, horizon: int) -> Floats:
        """Tell the place of the steps behind each cutoff.

        Args:
            cutoffs: The instants of the newest points, (n,).
            horizon: H.

        Returns:
            (n, H, columns): the share of the day that is over, the weekday (0 Monday), the share of the year.
        """
        names = self.names()
        period = Period.parse(self.period)
        starts = cutoffs.gather(np.repeat(np.arange(len(cutoffs)), horizon))
        instants = period.shift(starts, np.tile(np.arange(1, horizon + 1, dtype=np.int64), len(cutoffs)))
        day = (instants.dt.ordinal_day() - 1).to_numpy()
        share = (instants.to_physical() % DAY_US / DAY_US).to_numpy()
        places = {
            "day_share": share,
            "weekday": instants.dt.weekday().to_numpy() - 1,
            "year_share": (day + share) / 366,
        }
        columns = [places[name].astype(np.float64) for name in names]
        table = np.column_stack(columns) if columns else np.empty((len(instants), 0))
        return table.reshape(len(cutoffs), horizon, len(names))
