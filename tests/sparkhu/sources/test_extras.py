"""Extra columns travel along with a safe type; one that cannot is refused by name."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.sources import RAW_SCHEMA, SourceOptions, read_source

HEADER = "time,id,value,price,open,kind,note"
ROWS = ['2024-01-01,a,1,"1,234.5",true,x,', "2024-01-02,a,2,dear,FALSE,y,n/a", "2024-01-01,b,3,7.5,,12,"]


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., str]:
    def write(*rows: str, name: str = "a.csv", header: str = HEADER) -> str:
        (tmp_path / name).write_text("\n".join([header, *rows]) + "\n")
        return str(tmp_path / name)

    return write


def extras(uri: str, extra: str, **options: str) -> pl.DataFrame:
    frame = read_source(uri, SourceOptions(extra=extra, **options)).frame
    assert dict(list(frame.schema.items())[: len(RAW_SCHEMA)]) == RAW_SCHEMA
    return frame.select(pl.exclude(*RAW_SCHEMA))


def test_they_stand_behind_our_columns_in_the_order_given_with_a_type_each(source: Callable[..., str]) -> None:
    frame = extras(source(*ROWS), "open, price,kind,note", id="id", value="value")
    assert dict(frame.schema) == {
        "open": pl.Boolean(),
        "price": pl.Float64(),
        "kind": pl.String(),
        "note": pl.String(),
    }
    assert frame.rows() == [(True, 1234.5, "x", None), (False, None, "y", None), (None, 7.5, "12", None)]


def test_a_cell_of_a_numeric_column_that_is_no_number_is_counted(source: Callable[..., str]) -> None:
    raw = read_source(source(*ROWS), SourceOptions(extra="price", id="id", value="value"))
    assert ("extra column 'price': 1 cells are no finite numbers and are left empty, the first is 'dear'") in raw.notes


def test_all_takes_every_other_column(source: Callable[..., str]) -> None:
    raw = read_source(source(*ROWS), SourceOptions(extra="all", id="id", value="value"))
    assert raw.frame.columns[len(RAW_SCHEMA) :] == ["price", "open", "kind", "note"]
    assert "extra columns: price, open, kind, note" in raw.notes
    unnamed = source("0,2024-01-01,1", header=",time,value", name="b.csv")
    raw = read_source(unnamed, SourceOptions(extra="all"))
    assert raw.frame.columns == list(RAW_SCHEMA)
    assert "extra columns: there is none" in raw.notes


def test_the_value_is_found_beside_extra_columns_by_its_name_alone(source: Callable[..., str]) -> None:
    # Other columns of numbers do not become candidates for nothing: the user has to tell.
    path = source("2024-01-01,1,2", header="time,flow,price")
    with pytest.raises(InputError, match=r"'flow', 'price' could each be the value column"):
        extras(path, "all")
    assert extras(path, "all", value="flow").to_dicts() == [{"price": 2.0}]


def test_a_named_extra_column_is_no_candidate_for_value_or_series(source: Callable[..., str]) -> None:
    path = source("2024-01-01,1,2,x", "2024-01-02,1,2,y", header="time,flow,price,kind")
    raw = read_source(path, SourceOptions(extra="price,kind"))
    assert (raw.roles[0].values[0].column, raw.roles[0].id) == ("flow", None)


def test_the_decimal_sign_holds_for_them_too(source: Callable[..., str]) -> None:
    path = source("2024-01-01;1,5;1.234,5", header="time;value;price")
    assert extras(path, "price", decimal=",")["price"].to_list() == [1234.5]


def test_rows_keep_their_extras_when_sorted(source: Callable[..., str]) -> None:
    path = source("2024-01-02,b,1,10", "2024-01-01,b,2,20", "2024-01-01,a,3,30", header="time,id,value,price")
    raw = read_source(path, SourceOptions(id="id", value="value", extra="price")).frame
    assert raw.select("y", "price").rows() == [(3, 30), (2, 20), (1, 10)]


def test_typed_columns_become_numbers_booleans_or_text(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "unique_id": ["a"],
            "ds": [date(2024, 1, 1)],
            "y": [1.0],
            "whole": [7],
            "nan": [float("nan")],
            "on": [True],
            "day": [date(2024, 5, 1)],
            "grade": pl.Series(["b"], dtype=pl.Categorical()),
            "list": [[1]],
        }
    ).write_parquet(tmp_path / "a.parquet")
    frame = extras(str(tmp_path / "a.parquet"), "all")
    assert frame.to_dicts() == [{"whole": 7.0, "nan": None, "on": True, "day": "2024-05-01", "grade": "b"}]
    with pytest.raises(InputError, match="--extra 'list' holds lists"):
        extras(str(tmp_path / "a.parquet"), "list")


def test_keys_of_json_lines_and_broken_lines(tmp_path: Path) -> None:
    rows = [{"time": "2024-01-01", "value": 1, "on": True, "meta": {"kind": "x"}}, {"time": "2024-01-02", "value": 2}]
    (tmp_path / "a.jsonl").write_text("\n".join([*(json.dumps(row) for row in rows), "{"]))
    frame = read_source(str(tmp_path / "a.jsonl"), SourceOptions(extra="meta.kind,on")).frame.sort("source_row")
    assert frame.select("y", "meta.kind", "on").rows() == [(1.0, "x", True), (2.0, None, None), (None, None, None)]


def test_files_with_other_extras_have_nulls_and_it_is_said(source: Callable[..., str], tmp_path: Path) -> None:
    source("2024-01-01,1,5,x", header="time,value,price,kind", name="a.csv")
    source("2024-01-01,2,7", header="time,value,kind", name="b.csv")
    source("2024-01-01,3", header="time,value", name="c.csv")
    raw = read_source(str(tmp_path), SourceOptions(extra="price,kind", value="value"))
    assert raw.frame.select("y", "price", "kind").rows() == [(1, 5, "x"), (2, None, "7"), (3, None, None)]
    assert any(
        note.startswith("extra column 'price' is missing in ") and note.endswith("and 1 more and empty there")
        for note in raw.notes
    )
    assert "extra column 'kind' is of several types in the files of the source, so it is text" in raw.notes


def test_an_empty_column_takes_the_type_of_the_others(source: Callable[..., str], tmp_path: Path) -> None:
    source("2024-01-01,1,", header="time,value,price", name="a.csv")
    source("2024-01-01,2,3", header="value,time,price".replace("value,time", "time,value"), name="b.csv")
    assert extras(str(tmp_path), "price")["price"].to_list() == [None, 3.0]


@pytest.mark.parametrize(
    "name",
    [
        "y_raw",
        "is_gap",
        "is_anything",
        "last",
        "source_row",
        "trend",
        "_row",
        "__file__",
        "x_available_at",
        "fill_strategy",
        "count",
        "missing",
        "unmarked",
        "values",
        "values_of_price",
        "volume_of_y",
    ],
)
def test_a_name_of_our_own_is_refused_with_the_way_out(source: Callable[..., str], name: str) -> None:
    path = source("2024-01-01,1,2", header=f"time,value,{name}")
    # The source's own columns of these two names are never seen.
    for extra in (name,) if name in ("source_row", "__file__") else (name, "all"):
        with pytest.raises(InputError, match=f"--extra '{name}' has a name that Sparkhu gives .* AS source_"):
            extras(path, extra, value="value")


@pytest.mark.parametrize(
    ("extra", "options", "message"),
    [
        ("prize", {}, r"no column 'prize' \(--extra\); it has .* Did you mean 'price'\?"),
        ("value", {"value": "value"}, "--extra 'value' is read already"),
        ("time", {}, "--extra 'time' is read already"),
        ("price", {"wide": True, "value": ""}, "--wide makes every column a series, so --extra 'price' has no place"),
    ],
)
def test_what_cannot_travel_is_refused(
    source: Callable[..., str], extra: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        extras(source(*ROWS), extra, **{"value": "value", **options})


def test_a_file_may_use_our_file_and_row_names_without_harm(source: Callable[..., str]) -> None:
    raw = read_source(source("2024-01-01,1,7", header="time,value,source_row"), SourceOptions(value="value"))
    assert raw.frame["source_row"].to_list() == [1]
