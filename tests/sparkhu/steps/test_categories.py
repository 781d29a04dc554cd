"""Categories against pandas and by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.categories import CATEGORIES, category_shares, count_categories

START = datetime(2024, 1, 1, tzinfo=UTC)


def series(values: Any, name: str = "a") -> pl.DataFrame:
    times = [START + timedelta(hours=i) for i in range(len(values))]
    columns = {"unique_id": [name] * len(times), "ds": times, "y": list(values)}
    return pl.DataFrame(columns, schema={"unique_id": pl.String(), "ds": TIME, "y": pl.Float64()})


def test_category_shares_are_those_of_pandas() -> None:
    kinds = ["sun", "rain", None, "sun", "fog", "rain", "sun"]
    frame = series([1.0] * 7).with_columns(weather=pl.Series(kinds))
    other = series([1.0], "b").with_columns(weather=pl.Series(["fog"]))
    found = category_shares(pl.concat([frame, other]), "weather")
    assert found.columns == ["unique_id", "weather", "count", "share"]
    assert found.filter(unique_id="a").select("weather", "count").rows() == [("sun", 3), ("rain", 2), ("fog", 1)]
    expected = pd.Series(kinds).value_counts(normalize=True)
    assert dict(found.filter(unique_id="a").select("weather", "share").rows()) == pytest.approx(expected.to_dict())
    assert found.filter(unique_id="b").row(0) == ("b", "fog", 1, 1.0)


def test_hand_worked_shares_of_a_column() -> None:
    # Of eight rows five know the kind: b 2/5 = 0.4, and a, c, d once each, 1/5 = 0.2, in the order of their text.
    kinds = ["b", None, "d", "a", None, "b", "c", None]
    found = category_shares(series([1.0] * 8).with_columns(kind=pl.Series(kinds)), "kind")
    assert found.rows() == [("a", "b", 2, 0.4), ("a", "a", 1, 0.2), ("a", "c", 1, 0.2), ("a", "d", 1, 0.2)]


def test_categories_of_other_types_are_counted_and_equal_ones_sorted() -> None:
    frame = series([1.0] * 4).with_columns(on=pl.Series([True, False, True, False]), code=pl.Series([10, 9, 10, 9]))
    assert category_shares(frame, "on").rows() == [("a", False, 2, 0.5), ("a", True, 2, 0.5)]
    assert category_shares(frame, "code").select("code").to_series().to_list() == [10, 9]
    as_categories = frame.with_columns(kind=pl.Series(["x", "y", "y", None], dtype=pl.Categorical))
    assert category_shares(as_categories, "kind").select("kind", "count").rows() == [("y", 2), ("x", 1)]
    assert category_shares(frame.head(0), "on").height == 0


def test_columns_that_hold_no_categories_are_refused() -> None:
    with pytest.raises(InputError, match="column 'y' has type Float64, expected text, categories, booleans or whole"):
        category_shares(series([1.0]), "y")
    with pytest.raises(InputError, match="column 'ds' has type"):
        category_shares(series([1.0]), "ds")
    with pytest.raises(InputError, match="column 'weather' is missing"):
        category_shares(series([1.0]), "weather")


def test_hand_worked_categories_of_two_series() -> None:
    # Series a: of four rows three know the weather: sun 2/3, rain 1/3; on is false in 3/4 = 0.75, true in 1/4 = 0.25.
    # Series b has one row: 1/1 of each.
    weather, on = ["sun", "rain", None, "sun", "fog"], [True, False, False, False, True]
    frame = pl.concat([series([1.0] * 4), series([2.0], "b")])
    frame = frame.with_columns(weather=pl.Series(weather), volume=pl.lit(3.0), on=pl.Series(on), is_alert=pl.lit(True))
    found = count_categories(frame)
    assert found.schema == CATEGORIES
    assert found.rows() == [
        ("a", "weather", "sun", 2, 2 / 3),
        ("a", "weather", "rain", 1, 1 / 3),
        ("a", "on", "false", 3, 0.75),
        ("a", "on", "true", 1, 0.25),
        ("b", "weather", "fog", 1, 1.0),
        ("b", "on", "true", 1, 1.0),
    ]


def test_hand_worked_categories_whose_names_are_those_of_counts() -> None:
    # Columns of the source may be called as the table's own: 2 of 2 rows hold x, 2/2 = 1; 1 of the 1 row that knows it
    # holds y, 1/1 = 1; 2 of 2 hold z.
    frame = series([1.0, 2.0]).with_columns(count=pl.lit("x"), share=pl.Series(["y", None]), category=pl.lit("z"))
    assert count_categories(frame).rows() == [
        ("a", "count", "x", 2, 1.0),
        ("a", "share", "y", 1, 1.0),
        ("a", "category", "z", 2, 1.0),
    ]


def test_categories_of_enum_and_categorical_columns_become_text() -> None:
    kind = pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"]))
    frame = series([1.0, 2.0]).with_columns(kind=kind, other=pl.Series(["p", "p"], dtype=pl.Categorical))
    assert count_categories(frame).select("column", "category", "count").rows() == [
        ("kind", "x", 1),
        ("kind", "y", 1),
        ("other", "p", 2),
    ]


def test_numbers_are_no_categories_and_an_empty_shard_has_a_typed_table() -> None:
    frame = series([1.0]).with_columns(volume=pl.lit(1), price=pl.lit(2.5), at=pl.lit(START))
    assert count_categories(frame).schema == CATEGORIES
    assert count_categories(frame).height == 0
    assert count_categories(frame.head(0).with_columns(word=pl.lit("x"))).schema == CATEGORIES
