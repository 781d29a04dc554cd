"""What anomaly handling reads from a shard."""

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.steps.handling_rows import PARTS, Rows
from sparkhu.steps.segmented import NEVER, instants
from tests.sparkhu.steps.handled import decomposed, hour, limits, profile, rows_of


def test_the_level_is_trend_and_season() -> None:
    rows = rows_of(decomposed([0.5, -0.5], level=[10.0, 12.0]))
    assert rows.level.tolist() == [10.0, 12.0]
    assert rows.resid.tolist() == [0.5, -0.5]


def test_an_anomaly_that_was_filled_as_an_outlier_has_the_remainder_that_was_observed() -> None:
    # 60 was observed over a level of 10, the fill is 10.5: as an anomaly it is 50 off, not 0.5. Of the row beside it,
    # no anomaly, the fill is what there is.
    frame = decomposed([0.5, 0.5, 0.0], level=10.0, flagged=[0], unseen=[0, 1]).with_columns(
        y_raw=pl.Series([60.0, 60.0, 10.0])
    )
    assert rows_of(frame).resid.tolist() == [50.0, 0.5, 0.0]


def test_without_a_season_the_level_is_the_trend() -> None:
    frame = decomposed([0.5, -0.5], level=[10.0, 12.0]).with_columns(seasonal=pl.lit(None, dtype=pl.Float64))
    assert rows_of(frame).level.tolist() == [9.0, 11.0]


def test_points_not_decomposed_have_no_level() -> None:
    frame = decomposed([0.5, -0.5]).with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in PARTS[:3])
    rows = rows_of(frame)
    assert np.isnan(rows.level).all()
    assert np.isnan(rows.resid).all()


def test_filled_points_and_gaps_are_not_observed() -> None:
    frame = decomposed([0.0] * 4, unseen=[1]).with_columns(
        pl.when(pl.col("ds") != hour(2)).then("y").alias("y"), pl.when(pl.col("ds") != hour(2)).then("y_raw")
    )
    assert rows_of(frame).observed.tolist() == [True, False, False, True]


def test_a_filled_point_that_kept_what_was_measured_is_not_observed() -> None:
    frame = decomposed([0.0, 0.0, 0.0], unseen=[1]).with_columns(y_raw=pl.lit(99.0))
    assert rows_of(frame).observed.tolist() == [True, False, True]


def test_a_value_without_a_measurement_is_not_observed() -> None:
    frame = decomposed([0.0, 0.0], unseen=[1]).with_columns(fill_strategy=pl.lit(None, dtype=pl.String))
    assert rows_of(frame).observed.tolist() == [True, False]


def test_the_sample_is_observed_unflagged_and_in_the_training_part() -> None:
    rows = rows_of(decomposed([0.0] * 6, flagged=[1, 5], unseen=[2]), train_end=4)
    assert rows.fit.tolist() == [True] * 4 + [False] * 2
    assert rows.sample.tolist() == [True, False, False, True, False, False]


def test_a_series_is_struck_by_an_anomaly_in_its_training_part() -> None:
    frame = pl.concat([decomposed([0.0] * 4, flagged=[3], name="a"), decomposed([0.0] * 4, flagged=[1], name="b")])
    assert rows_of(frame, train_end=3).struck.tolist() == [False, True]


def test_open_limits_are_infinite_and_a_season_is_one_point_at_least() -> None:
    frame = pl.concat([decomposed([0.0], name=name) for name in "abc"])
    table = pl.concat([limits("a", high=None), limits("c", low=None, high=None)])
    seasons = pl.concat([profile("a", season=24), profile("b"), profile("c", season=0)])
    rows = Rows.of(frame, seasons, table)
    assert rows.low.tolist() == [-2.0, -np.inf, -np.inf]
    assert rows.high.tolist() == [np.inf, np.inf, np.inf]
    assert rows.season.tolist() == [24, 1, 1]


def test_a_flag_is_known_when_its_row_the_parts_and_the_training_part_are() -> None:
    # Six hours, the training part ends before hour 4: its latest point came at hour 3, the parts at hour 2.
    frame = decomposed([0.0] * 6, parts_at=2)
    expected = [hour(max(own, 3)) for own in range(6)]
    assert rows_of(frame, train_end=4).flagged_at.tolist() == instants(pl.Series(expected)).tolist()
    late = decomposed([0.0] * 6, parts_at=9)
    assert rows_of(late, train_end=4).flagged_at.tolist() == instants(pl.Series([hour(9)] * 6)).tolist()


def test_the_limits_come_from_observed_points() -> None:
    frame = decomposed([0.0] * 3, unseen=[2])
    assert rows_of(frame).flagged_at.tolist() == instants(pl.Series([hour(1), hour(1), hour(2)])).tolist()


def test_nothing_known_is_never() -> None:
    frame = decomposed([0.0], unseen=[0]).with_columns(
        pl.lit(None).cast(pl.Datetime("us", "UTC")).alias(name) for name in ("available_at", "parts_available_at")
    )
    assert rows_of(frame).flagged_at.tolist() == [NEVER]


@pytest.mark.parametrize("column", ["y", "y_raw", "available_at", "is_anomaly", *PARTS])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        rows_of(decomposed([0.0]).drop(column))


def test_missing_columns_of_the_tables_are_named() -> None:
    with pytest.raises(InputError, match="'season_length' is missing"):
        Rows.of(decomposed([0.0]), profile().drop("season_length"), limits())
    with pytest.raises(InputError, match="'train_end' is missing"):
        Rows.of(decomposed([0.0]), profile().drop("train_end"), limits())
    with pytest.raises(InputError, match="'low' is missing"):
        Rows.of(decomposed([0.0]), profile(), limits().drop("low"))
    with pytest.raises(InputError, match="'high' is missing"):
        Rows.of(decomposed([0.0]), profile(), limits().drop("high"))
