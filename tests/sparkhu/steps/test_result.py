"""What steps say that they read."""

import polars as pl

from sparkhu.steps.regularity import detect_regularity
from sparkhu.steps.result import columns_read, reads


def test_a_step_that_says_nothing_reads_everything() -> None:
    assert columns_read(len) == {}


def test_a_step_stays_what_it_was_and_says_what_it_reads() -> None:
    def count(observations: pl.DataFrame) -> int:
        return observations["y"].count()

    marked = reads(observations=["unique_id", "y"])(count)
    assert marked is count
    assert columns_read(marked) == {"observations": ("unique_id", "y")}


def test_detection_of_periods_reads_no_further_columns() -> None:
    assert columns_read(detect_regularity) == {"observations": ("unique_id", "ds", "y")}
