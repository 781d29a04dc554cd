"""The strategies that put a value in the place of an anomaly.

| strategy | what a flagged point becomes |
| --- | --- |
| `leave` | stays as it is |
| `clip` | trend + season + the nearer limit of the remainder |
| `ema_flagged` | the exponential average of the unflagged observed values before it |
| `seasonal_mean` | the mean of the unflagged observed training values of its phase; of all where there is no season |
| `ema` | every point of the series, flagged or not, becomes the exponential average up to itself |
| `drop` | no value |

The exponential average of x₀, x₁, … is s₀ = x₀, sₜ = α·xₜ + (1 − α)·sₜ₋₁ (R. G. Brown, 1959; pandas' `ewm` with
`adjust=False`). It goes from point to point and passes over those that have no part in it.

A value put in the place of a flagged point is known no earlier than the flag: from when the decomposition and the
limits were. The average of a whole series heeds no flag, and is known with the latest point in it. It is taken only
where the training part has an anomaly: else a late anomaly would change all that came before it.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.steps.estimates import Estimate
from sparkhu.steps.handling_rows import Rows
from sparkhu.steps.segmented import NEVER, NOWHERE, Bools, Floats, previous_true

ORDER = ("leave", "clip", "ema_flagged", "seasonal_mean", "ema")
"""The strategies that are scored, from the simplest on: of two that score the same, the simpler is taken."""
BY_NAME_ONLY = "drop"


class Replacement(Protocol):
    """A way of handling anomalies.

    Attributes:
        whole_series: It changes points that are not flagged, too.
    """

    whole_series: bool

    def replace(self, rows: Rows) -> Estimate:
        """Give each row its new value; NaN where the row stays as it is."""
        ...


class Clip:
    """The flagged point pulled to the nearer limit of its remainder."""

    whole_series = False

    def replace(self, rows: Rows) -> Estimate:
        """See `Replacement`."""
        inside = np.clip(rows.resid, rows.low[rows.number], rows.high[rows.number])
        return _at_flagged(rows, rows.level + inside)


class SeasonalMean:
    """The mean of the sample's points of the same phase, counted from the series' first row.

    A season that the training part does not hold twice is none.
    """

    whole_series = False

    def replace(self, rows: Rows) -> Estimate:
        """See `Replacement`."""
        phases = np.where(rows.owner.sum_ints(rows.fit) >= 2 * rows.season, rows.season, 1)
        first = np.cumsum(phases) - phases
        place = np.arange(len(rows.y)) - rows.owner.starts[rows.number]
        cell = first[rows.number] + place % phases[rows.number]
        sample, size = rows.sample, int(phases.sum())
        counts = np.bincount(cell[sample], minlength=size)
        sums = np.bincount(cell[sample], weights=rows.y[sample], minlength=size)
        means = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
        return _at_flagged(rows, means[cell])


@dataclass(frozen=True)
class EmaFlagged:
    """The average of what came before: unflagged, observed values only.

    Attributes:
        alpha: Weight of the newest point.
    """

    alpha: float
    whole_series = False

    def replace(self, rows: Rows) -> Estimate:
        """See `Replacement`."""
        clean = rows.observed & ~rows.flagged
        average = exponential_average(rows, clean, self.alpha)
        before = previous_true(clean, rows.owner)
        there = rows.flagged & (before != NOWHERE)
        values = np.where(there, average.values[before], np.nan)
        latest = np.maximum(average.latest[before], rows.flagged_at)
        return Estimate(values, np.where(there, latest, NEVER))


@dataclass(frozen=True)
class Ema:
    """The average up to each point, in place of all points.

    Attributes:
        alpha: Weight of the newest point.
    """

    alpha: float
    whole_series = True

    def replace(self, rows: Rows) -> Estimate:
        """See `Replacement`."""
        return exponential_average(rows, ~np.isnan(rows.y) & rows.struck[rows.number], self.alpha)


def replacement(strategy: str, alpha: float) -> Replacement:
    """Make a strategy by its name.

    Raises:
        InputError: There is no such strategy, or it puts no value anywhere (`leave`, `drop`); or alpha is not in
            (0, 1].
    """
    check_alpha(alpha)
    ways: dict[str, Replacement] = {
        "clip": Clip(),
        "ema": Ema(alpha),
        "ema_flagged": EmaFlagged(alpha),
        "seasonal_mean": SeasonalMean(),
    }
    if strategy not in ways:
        raise InputError(f"strategy must be one of {', '.join(ways)}, got '{strategy}'.")
    return ways[strategy]


def check_alpha(alpha: float) -> None:
    """Check the weight of the newest point.

    Raises:
        InputError: It is not in (0, 1].
    """
    if not 0 < alpha <= 1:
        raise InputError(f"alpha must be above 0 and at most 1, got {alpha}.")


def exponential_average(rows: Rows, used: Bools, alpha: float) -> Estimate:
    """Average the used points of each series, each with what came before it.

    Args:
        rows: The shard.
        used: The points that take part; the others are passed over.
        alpha: Weight of the newest point.

    Returns:
        Averages at the used points, NaN elsewhere, and when the latest point in each became available.
    """
    place = np.flatnonzero(used)
    part = pl.DataFrame({"number": rows.number[place], "y": rows.y[place], "at": rows.available_at[place]})
    made = part.select(
        pl.col("y").ewm_mean(alpha=alpha, adjust=False).over("number"), pl.col("at").cum_max().over("number")
    )
    values, latest = np.full(len(rows.y), np.nan), np.full(len(rows.y), NEVER)
    values[place], latest[place] = made["y"].to_numpy(), made["at"].to_numpy()
    return Estimate(values, latest)


def _at_flagged(rows: Rows, values: Floats) -> Estimate:
    there = rows.flagged & ~np.isnan(values)
    return Estimate(np.where(there, values, np.nan), np.where(there, rows.flagged_at, NEVER))
