"""The benchmark of look-ups: that it measures what it says."""

import numpy as np
import polars as pl

from benchmarks import sequences
from sparkhu.frame import TIME


def test_rows_are_late_and_revised_and_never_known_before_they_happened() -> None:
    rows = sequences.made_rows(np.random.default_rng(0), 4, 2_000)
    first = rows.unique(["unique_id", "ds"], keep="first", maintain_order=True)

    assert first.height == 8_000
    assert abs((rows.height - first.height) / first.height - sequences.REVISED) < 0.01
    assert abs((first["available_at"] > first["ds"]).mean() - sequences.LATE) < 0.01  # type: ignore[operator]
    assert (rows["available_at"] >= rows["ds"]).all()
    assert rows.equals(rows.sort("unique_id", "ds", "available_at"))


def test_look_ups_are_checked_by_a_loop_over_pandas_frames() -> None:
    rows = sequences.made_rows(np.random.default_rng(1), 2, 600)
    moments = sequences.made_moments(np.random.default_rng(2), 2, 600).head(20)
    assert sequences.loop_pandas(rows, moments).points == sequences.timed(rows, moments).points > 0


def test_the_join_finds_every_point_wanted_where_none_is_late() -> None:
    rows = sequences.made_rows(np.random.default_rng(1), 2, 600).filter(pl.col("available_at") == pl.col("ds"))
    at = sequences.FIRST + sequences.HOUR * np.array([400, 500])
    moments = pl.DataFrame({"unique_id": ["meter-00000", "meter-00001"], "at": pl.Series(at).cast(TIME)})
    joined, found = sequences.join_pandas(rows, moments), sequences.timed(rows, moments)
    assert 0 < joined.points <= found.points == 2 * sequences.LENGTH


def test_a_line_of_the_table_counts_points_over_all_of_the_time() -> None:
    row = sequences.Measured(points=3_000, arranged=1.0, looked_up=0.5).row("sorted rows").split()
    assert row[:6] == ["sorted", "rows", "3,000", "1.00", "0.50", "2,000"]
