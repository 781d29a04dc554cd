"""Types of columns: named in manifests, read again, and wide enough for what is added."""

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake.columns import joined_columns, plain, type_name, type_of


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (pl.Float64(), "Float64"),
        (pl.String(), "String"),
        (pl.Date(), "Date"),
        (pl.Datetime("us", "UTC"), "Datetime[us, UTC]"),
        (pl.Datetime("ms", "America/Argentina/Buenos_Aires"), "Datetime[ms, America/Argentina/Buenos_Aires]"),
        (pl.Datetime("ns"), "Datetime[ns]"),
        (pl.Duration("us"), "Duration[us]"),
        (pl.List(pl.Float32()), "List[Float32]"),
        (pl.List(pl.List(pl.Datetime("us", "UTC"))), "List[List[Datetime[us, UTC]]]"),
    ],
)
def test_types_are_read_again_as_they_were_named(dtype: pl.DataType, name: str) -> None:
    assert type_name(dtype, "v") == name
    assert type_of(name) == dtype


def test_types_that_tables_do_not_keep_are_refused() -> None:
    with pytest.raises(InputError, match="column 'v' has type Struct"):
        type_name(pl.List(pl.Struct({"a": pl.Int64()})), "v")
    with pytest.raises(SparkhuError, match="a manifest names the type 'Complex'"):
        type_of("Complex")


@pytest.mark.parametrize(
    ("there", "added", "wide"),
    [
        (pl.Int32(), pl.Int64(), pl.Int64()),
        (pl.Int16(), pl.Int8(), pl.Int16()),
        (pl.UInt8(), pl.UInt32(), pl.UInt32()),
        (pl.UInt8(), pl.Int64(), pl.Float64()),
        (pl.Int64(), pl.Float32(), pl.Float64()),
        (pl.Float32(), pl.Float64(), pl.Float64()),
        (pl.String(), pl.String(), pl.String()),
    ],
)
def test_numbers_become_wide_enough_for_both(there: pl.DataType, added: pl.DataType, wide: pl.DataType) -> None:
    joined = joined_columns("t", {"a": there, "b": pl.Date()}, {"a": added, "c": pl.Boolean()})
    assert list(joined.items()) == [("a", wide), ("b", pl.Date()), ("c", pl.Boolean())]


def test_a_column_is_not_text_in_one_file_and_numbers_in_another() -> None:
    with pytest.raises(InputError, match="column 'a' of the table 't' has type String, what is added has Int64"):
        joined_columns("t", {"a": pl.String()}, {"a": pl.Int64()})


def test_categories_become_text_and_columns_of_nothing_are_left_out() -> None:
    frame = pl.DataFrame({"kind": ["a", "b"], "level": ["low", "high"], "nothing": [None, None], "y": [1.0, None]})
    frame = frame.cast({"kind": pl.Categorical(), "level": pl.Enum(["low", "high"])})
    assert plain(frame).schema == {"kind": pl.String, "level": pl.String, "y": pl.Float64}
    assert plain(frame)["level"].to_list() == ["low", "high"]
