from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import (
    SCHEMA,
    TIME,
    VALUES,
    accepts_pandas,
    check_frame,
    check_numbers,
    extra_columns,
    from_pandas,
    is_number,
    segments,
)

NOON = datetime(2020, 3, 1, 12, tzinfo=UTC)


def observations(**changes: object) -> pd.DataFrame:
    columns = {"unique_id": ["a", "a"], "ds": pd.to_datetime(["2020-03-01 12:00", "2020-03-02 00:00"]), "y": [1.0, 2.0]}
    return pd.DataFrame({**columns, **changes})


def test_a_frame_with_the_wanted_columns_passes() -> None:
    check_frame(pl.DataFrame(schema=SCHEMA), "unique_id", "ds", "y", "available_at")
    check_frame(pl.DataFrame({"extra": [1]}), "extra")


@pytest.mark.parametrize("name", VALUES)
def test_nan_never_stands_in_a_column_of_values(name: str) -> None:
    frame = pl.DataFrame({"unique_id": ["a"] * 4, name: [1.0, None, float("nan"), float("nan")]})
    said = f"^column '{name}' holds NaN, first in row 2; a missing value is null. Turn them first: "
    with pytest.raises(InputError, match=said):
        check_frame(frame, "unique_id")
    check_frame(frame, "unique_id", raw=True)
    check_frame(frame.with_columns(pl.col(name).fill_nan(None)), "unique_id", name)


def test_nan_may_stand_in_a_column_of_the_source() -> None:
    check_frame(pl.DataFrame({"unique_id": ["a"], "price": [float("nan")]}), "unique_id")


def test_numbers_are_finite_and_no_text() -> None:
    assert [is_number(value) for value in (1, 2.5, np.float64(3), np.int64(4))] == [True] * 4
    assert [is_number(value) for value in (None, "1", float("nan"), float("inf"), 1j)] == [False] * 5
    check_numbers(pl.DataFrame({"a": [1, None], "b": [None, None], "c": [1.0, 2.0]}), "a", "b", "c")
    with pytest.raises(InputError, match=r"^column 'a' has type String, expected numbers. Cast it first.$"):
        check_numbers(pl.DataFrame({"a": ["1"]}), "a")
    with pytest.raises(InputError, match="column 'b' holds NaN, first in row 1"):
        check_numbers(pl.DataFrame({"a": [1.0, 2.0], "b": [1.0, float("nan")]}), "a", "b")


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    said = r"column 'y' is missing; the frame has unique_id, value. Rename the column that holds it\."
    with pytest.raises(InputError, match=said):
        check_frame(pl.DataFrame({"unique_id": ["a"], "value": [1.0]}), "unique_id", "y")
    with pytest.raises(InputError, match="column 'y' is missing; the frame has no columns at all"):
        check_frame(pl.DataFrame(), "y")


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("ds", pl.Series([datetime(2020, 1, 1)]), r"type Datetime\(.*\), expected Datetime\(.*UTC"),
        ("y", pl.Series([1]), "type Int64, expected Float64"),
        ("unique_id", pl.Series([1]), "type Int64, expected String"),
    ],
)
def test_a_column_of_another_type_is_refused(name: str, column: pl.Series, said: str) -> None:
    with pytest.raises(InputError, match=rf"column '{name}' has {said}"):
        check_frame(pl.DataFrame({name: column}), name)


def test_pandas_becomes_the_observation_frame() -> None:
    frame = from_pandas(observations())
    assert frame.schema == pl.Schema(SCHEMA)
    assert frame.row(0) == ("a", NOON, 1.0, NOON)


def test_naive_times_are_utc_and_zoned_times_are_converted() -> None:
    zoned = observations(ds=pd.to_datetime(["2020-03-01 13:00", "2020-03-02 00:00"]).tz_localize("Europe/Berlin"))
    assert from_pandas(zoned)["ds"][0] == from_pandas(observations())["ds"][0] == NOON
    assert from_pandas(observations(ds=[date(2020, 3, 1)] * 2))["ds"][0] == datetime(2020, 3, 1, tzinfo=UTC)


def test_nan_and_missing_become_null() -> None:
    assert from_pandas(observations(y=[np.nan, 2.0]))["y"].to_list() == [None, 2.0]
    assert from_pandas(observations(y=pd.array([None, 2], dtype="Int64")))["y"].to_list() == [None, 2.0]


def test_available_at_stands_where_it_is_given() -> None:
    later = pd.to_datetime(["2020-03-01 15:00", "2020-03-05 00:00"])
    assert from_pandas(observations(available_at=later))["available_at"][0] == NOON.replace(hour=15)


def test_numbered_series_get_text_ids_and_rows_are_sorted() -> None:
    frame = from_pandas(observations(unique_id=[2, 1]))
    assert frame["unique_id"].to_list() == ["1", "2"]
    assert frame["y"].to_list() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ds": ["2020-01-01", "2020-01-02"]}, "column 'ds' has type String, expected times. .*pandas.to_datetime"),
        ({"ds": [1, 2]}, "column 'ds' has type Int64, expected times"),
        ({"y": ["a", "b"]}, "the frame cannot be read as text, time and number"),
        ({"y": ["a", 1]}, "the frame cannot be read: a column mixes types"),
    ],
)
def test_what_cannot_be_read_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_pandas(observations(**change))


def test_a_missing_pandas_column_is_refused() -> None:
    with pytest.raises(InputError, match=r"column 'ds' is missing; the frame has unique_id, y\. Rename one to it"):
        from_pandas(observations().drop(columns="ds"))


@accepts_pandas
def doubled(frame: pl.DataFrame, *, factor: float = 2.0) -> pl.DataFrame:
    """Double y."""
    return frame.with_columns(y=pl.col("y") * factor)


@accepts_pandas
def height(frame: pl.DataFrame) -> int:
    return frame.height


def test_pandas_in_gives_pandas_out_and_polars_in_polars() -> None:
    result = doubled(observations(), factor=3.0)
    assert isinstance(result, pd.DataFrame)
    assert result["y"].to_list() == [3.0, 6.0]
    assert str(result["ds"].dtype) == "datetime64[us, UTC]"
    assert isinstance(doubled(from_pandas(observations())), pl.DataFrame)
    assert height(observations()) == 2
    assert doubled.__doc__ == "Double y."


def test_a_polars_frame_passes_untouched() -> None:
    frame = pl.DataFrame({"unique_id": ["b", "a"]})
    assert accepts_pandas(lambda given: given)(frame) is frame


@given(st.lists(st.integers(1, 5), max_size=8))
def test_segments_are_the_runs_of_each_series(lengths: list[int]) -> None:
    ids = [f"{number:03d}" for number, length in enumerate(lengths) for _ in range(length)]
    starts, found = segments(pl.DataFrame({"unique_id": ids}, schema={"unique_id": pl.String}))
    assert found.tolist() == lengths
    assert starts.tolist() == [sum(lengths[:number]) for number in range(len(lengths))]
    assert starts.dtype == found.dtype == np.int64


def test_the_time_type_is_utc_microseconds() -> None:
    assert pl.Datetime("us", "UTC") == TIME


def test_columns_of_the_source_are_those_that_no_step_writes() -> None:
    frame = pl.DataFrame({"unique_id": ["a"], "price": [1.0], "y": [2.0], "is_gap": [False], "colour": ["red"]})

    assert extra_columns(frame) == ["price", "colour"]
