"""What anomaly handling sees of a shard: values, their remainders and limits, and which points are flagged."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from sparkhu.frame import check_frame
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, Bools, Floats, Ints, Segments, flag, floats, instants

PARTS = ("trend", "seasonal", "resid", "parts_available_at")


@dataclass(frozen=True)
class Rows:
    """The rows of a shard as arrays, one element a row unless said otherwise.

    Attributes:
        owner: The series.
        number: The series' number.
        y: Values, gaps filled; NaN where null.
        level: Trend and season together, unit of `y`; NaN where not decomposed.
        resid: Remainder, unit of `y`; NaN where not decomposed. Of an anomaly it is that of the observed value, as it
            was judged by: as an outlier the point may have been filled, and what the fill leaves is next to nothing.
        flagged: The point is an anomaly.
        observed: The value was measured: neither a gap nor filled.
        fit: In the series' training part.
        available_at: Microseconds; `NEVER` where null.
        flagged_at: The moment from which the row's parts and limits, and so its flag, could have been known:
            microseconds.
        low: Lower limit of the remainder, one a series; minus infinity where open.
        high: Upper limit, one a series; infinity where open.
        season: Points a season, one a series; 1 where there is none.
    """

    owner: Segments
    number: Ints
    y: Floats
    level: Floats
    resid: Floats
    flagged: Bools
    observed: Bools
    fit: Bools
    available_at: Ints
    flagged_at: Ints
    low: Floats
    high: Floats
    season: Ints

    @classmethod
    def of(cls, observations: pl.DataFrame, profile: pl.DataFrame, limits: pl.DataFrame) -> "Rows":
        """Read a shard.

        Args:
            observations: Sorted rows with their parts and flags.
            profile: `train_end`, `season_length` a series; nulls mean no end and no season.
            limits: `low`, `high` of the remainder a series; null on one side means open there.

        Raises:
            InputError: A column is missing, the rows are not sorted, or a table holds a series twice.
        """
        check_frame(observations, "unique_id", "ds", "y", "y_raw", "available_at", "is_anomaly", *PARTS)
        owner = Segments.of(observations)
        table = owner.align(profile, "train_end", "season_length")
        bounds = owner.align(limits, "low", "high")
        points = Points.of(observations, table["train_end"])
        observed = points.known & observations["y_raw"].is_not_null().to_numpy()
        sample = owner.latest(np.where(observed & points.fit, points.available_at, NEVER))
        parts_at = instants(observations["parts_available_at"])
        level = floats(observations["trend"]) + floats(observations["seasonal"].fill_null(0.0))
        flagged = flag(observations, "is_anomaly")
        resid = floats(observations["resid"])
        resid = np.where(flagged & ~np.isnan(resid), floats(observations["y_raw"]) - level, resid)
        return cls(
            owner=owner,
            number=points.number,
            y=points.y,
            level=level,
            resid=resid,
            flagged=flagged,
            observed=observed,
            fit=points.fit,
            available_at=points.available_at,
            flagged_at=np.maximum(np.maximum(points.available_at, parts_at), sample[points.number]),
            low=floats(bounds["low"].fill_null(-np.inf)),
            high=floats(bounds["high"].fill_null(np.inf)),
            season=table["season_length"].fill_null(1).clip(1).cast(pl.Int64).to_numpy(),
        )

    @property
    def sample(self) -> Bools:
        """The points that a strategy may learn from: observed, not flagged, in the training part."""
        return self.observed & ~self.flagged & self.fit

    @property
    def struck(self) -> Bools:
        """Which series have an anomaly in their training part, one a series."""
        return self.owner.sum_ints(self.flagged & self.fit) > 0
