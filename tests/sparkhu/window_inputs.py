"""Inputs of forecasters from bare values, for tests of models that look at nothing else."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from sparkhu.models.base import Floats, Inputs


def inputs(values: Floats) -> Inputs:
    """Give windows (n, L) of one series that end at one instant."""
    count = len(np.atleast_2d(values))
    cutoffs = pl.Series([datetime(2024, 1, 1, tzinfo=UTC)] * count, dtype=pl.Datetime("us", "UTC"))
    return Inputs(values, pl.Series(["a"] * count, dtype=pl.String), cutoffs)
