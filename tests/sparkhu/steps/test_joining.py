"""Joining of both ways."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import CLEAN_SCHEMA, SCHEMA
from sparkhu.steps.joining import join_series

START = datetime(2024, 1, 1, tzinfo=UTC)


def rows(name: str, y: list[float | None]) -> pl.DataFrame:
    ds = [START + timedelta(hours=h) for h in range(len(y))]
    return pl.DataFrame({"unique_id": [name] * len(y), "ds": ds, "y": y, "available_at": ds}, schema=SCHEMA)


def cleaned(name: str, y: list[float | None]) -> pl.DataFrame:
    return rows(name, y).with_columns(
        y_raw=pl.lit(9.0),
        is_gap=pl.lit(value=True),
        is_outlier=pl.lit(value=True),
        fill_strategy=pl.lit("last"),
        volume=pl.lit(3),
    )


def profile(*names: str, label: str) -> pl.DataFrame:
    columns = {"unique_id": list(names), "period_label": [label] * len(names)}
    return pl.DataFrame(columns, schema={"unique_id": pl.String, "period_label": pl.String})


def test_both_ways_stand_sorted_by_series_and_time() -> None:
    regular = pl.concat([cleaned("b", [1.0, 2.0]), cleaned("d", [3.0])])
    irregular = pl.concat([cleaned("a", [4.0]), cleaned("c", [5.0, 6.0, 7.0])])
    result = join_series(regular, irregular, profile("a", "b", "c", "d", label="-"), profile("c", "a", label="grid"))
    sequences = result.frames["sequences"]
    assert sequences["unique_id"].to_list() == ["a", "b", "b", "c", "c", "c", "d"]
    assert sequences["y"].to_list() == [4.0, 1.0, 2.0, 5.0, 6.0, 7.0, 3.0]
    assert sequences.equals(sequences.sort("unique_id", "ds"))
    assert sequences.schema == CLEAN_SCHEMA
    assert sequences.row(0, named=True)["y_raw"] == 9.0
    assert result.frames["profile"].rows() == [("a", "grid"), ("b", "-"), ("c", "grid"), ("d", "-")]
    assert result.ledger.rows() == [
        (name, "ok", None, f'{{"rows":{n}}}') for name, n in zip("abcd", (1, 2, 3, 1), strict=True)
    ]


def test_series_already_in_order_stay_so() -> None:
    regular, irregular = cleaned("a", [1.0, 2.0]), cleaned("b", [3.0])
    sequences = join_series(regular, irregular, profile("a", "b", label="-"), profile("b", label="-")).frames[
        "sequences"
    ]
    assert sequences["y"].to_list() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("empty", ["regular", "irregular"])
def test_an_empty_way_adds_nothing(empty: str) -> None:
    ways = {"regular": rows("a", [1.0, None]), "irregular": rows("a", [1.0, None])} | {empty: rows("a", [])}
    grid_profile = profile("a", label="-") if empty == "regular" else profile(label="-")
    result = join_series(**ways, profile=profile("a", label="-"), grid_profile=grid_profile)
    assert result.frames["sequences"]["y"].to_list() == [1.0, None]
    assert result.frames["profile"].rows() == [("a", "-")]


def test_columns_of_steps_that_were_off_say_that_nothing_changed() -> None:
    sequences = join_series(rows("a", [1.0, None]), rows("b", []), profile("a", label="-"), profile(label="-")).frames[
        "sequences"
    ]
    assert sequences.select("y_raw", "is_gap", "is_outlier", "fill_strategy").rows() == [
        (1.0, False, False, None),
        (None, True, False, None),
    ]
    assert sequences.schema == CLEAN_SCHEMA


def test_a_series_that_failed_on_its_way_is_not_in_the_profile() -> None:
    result = join_series(rows("a", [1.0]), rows("b", []), profile("a", "b", "z", label="-"), profile(label="-"))
    assert result.frames["profile"]["unique_id"].to_list() == ["a"]


def test_two_empty_ways_give_typed_empty_frames() -> None:
    result = join_series(rows("a", []), rows("a", []), profile(label="-"), profile(label="-"))
    assert result.frames["sequences"].schema == CLEAN_SCHEMA
    assert result.frames["profile"].schema == {"unique_id": pl.String, "period_label": pl.String}
    assert result.ledger.height == 0


def test_a_series_on_both_ways_is_refused() -> None:
    both = pl.concat([rows("c", [1.0]), rows("d", [1.0])])
    with pytest.raises(InputError, match=r"^series 'c' goes both ways; a series is regular or irregular, not both"):
        join_series(both, both, profile("c", "d", label="-"), profile("c", "d", label="-"))


@pytest.mark.parametrize("column", ["unique_id", "ds", "y", "available_at"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        join_series(rows("a", [1.0]), rows("b", [1.0]).drop(column), profile("a", label="-"), profile("b", label="-"))
