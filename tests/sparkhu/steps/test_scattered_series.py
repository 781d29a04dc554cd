"""Rows of a series that stand in several places are refused by what works on whole series, and change nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.splits import split_times
from sparkhu.steps.description import describe, describe_values, fit_quartiles
from sparkhu.steps.normalisation import fit_scalers
from sparkhu.steps.outliers import flag_iqr, sample_quartiles
from sparkhu.steps.regularity import detect_regularity, find_periods

START, HOUR, COUNT = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1), 40
BY_TIME = pl.DataFrame(
    {"unique_id": ["a", "b"] * COUNT, "ds": [START + row // 2 * HOUR for row in range(2 * COUNT)]},
    schema_overrides={"ds": TIME},
).with_columns(y=pl.int_range(2 * COUNT).cast(pl.Float64), available_at="ds")
PROFILE = pl.DataFrame(
    {"unique_id": ["a", "b"], "train_end": [START + 30 * HOUR] * 2}, schema_overrides={"train_end": TIME}
)
SPLIT = "0.7/0.1/0.2"


@pytest.mark.parametrize(
    "function",
    [
        describe,
        describe_values,
        detect_regularity,
        find_periods,
        lambda frame: fit_quartiles(frame, split=SPLIT, start=None, end=None),
        lambda frame: fit_scalers(frame, PROFILE),
        lambda frame: split_times(frame, SPLIT),
    ],
)
def test_what_needs_each_series_in_one_place_says_so(function: Callable[[pl.DataFrame], Any]) -> None:
    function(BY_TIME.sort("unique_id", "ds"))
    with pytest.raises(InputError, match=r"rows of series 'a' stand in several places.*frame\.sort"):
        function(BY_TIME)


def test_outliers_are_those_of_the_sorted_rows() -> None:
    flagged = flag_iqr(BY_TIME, sample_quartiles(BY_TIME)).sort("unique_id", "ds")
    rows = BY_TIME.sort("unique_id", "ds")
    assert_frame_equal(flagged, flag_iqr(rows, sample_quartiles(rows)))
