"""Valid ranges: an estimate that leaves the range of its series is brought to the nearest value inside.

For any truth inside the range that value is no farther from it than the estimate was.
"""

import numpy as np
import polars as pl

from sparkhu.steps.estimates import Estimate
from sparkhu.steps.segmented import Bools, Ints, Segments, floats

RANGE = ("valid_min", "valid_max")


def ranges_of(owner: Segments, limits: pl.DataFrame | None) -> pl.DataFrame:
    """Look up the range of every series: `valid_min`, `valid_max`, null without one, in the order of the shard.

    Args:
        owner: The series of the shard.
        limits: `unique_id, valid_min, valid_max`; null: no series has a range.

    Raises:
        InputError: A column is missing, or a series is there twice.
    """
    if limits is None:
        return pl.DataFrame({name: pl.Series([None] * len(owner.ids), dtype=pl.Float64) for name in RANGE})
    return owner.align(limits, *RANGE).select(RANGE)


def into_range(estimate: Estimate, number: Ints, ranges: pl.DataFrame) -> tuple[Estimate, Bools]:
    """Bring estimates into the ranges of their series.

    Args:
        estimate: Estimates of some rows; NaN stays so.
        number: The series' number of each.
        ranges: As `ranges_of` gives them.

    Returns:
        The estimates, known when they were before, and which of them were outside.

    Example:
        In a range of 12 to 20, estimates of 11.5, 13 and 21 become 12, 13 and 20.
    """
    low, high = (floats(ranges[name])[number] for name in RANGE)
    below, above = estimate.values < low, estimate.values > high  # false against NaN, on either side
    values = np.where(below, low, np.where(above, high, estimate.values))
    return estimate._replace(values=values), below | above
