"""Joining of both ways."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.joining import SEQUENCE_SCHEMA, join_series

START = datetime(2024, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=1)


def rows(name: str, y: list[float | None]) -> pl.DataFrame:
    ds = [START + timedelta(hours=h) for h in range(len(y))]
    return pl.DataFrame({"unique_id": [name] * len(y), "ds": ds, "y": y, "available_at": ds}, schema=SCHEMA)


def cleaned(name: str, y: list[float | None]) -> pl.DataFrame:
    return rows(name, y).with_columns(
        y_raw=pl.lit(9.0),
        is_gap=pl.lit(value=True),
        is_outlier=pl.lit(value=True),
        fill_strategy=pl.lit("last"),
        observed_available_at=pl.lit(LATER).cast(TIME),
        is_anomaly=pl.lit(value=True),
        handled=pl.col("y") + 100,
        handled_available_at=pl.lit(LATER).cast(TIME),
        anomaly_strategy=pl.lit("clip"),
        volume=pl.lit(3),
    )


def profile(*names: str, label: str) -> pl.DataFrame:
    columns = {"unique_id": list(names), "period_label": [label] * len(names)}
    return pl.DataFrame(columns, schema={"unique_id": pl.String, "period_label": pl.String})


def joined(regular: pl.DataFrame, irregular: pl.DataFrame, names: str, grid: str = "") -> pl.DataFrame:
    return join_series(regular, irregular, profile(*names, label="-"), profile(*grid, label="-")).frames["sequences"]


def test_both_ways_stand_sorted_by_series_and_time() -> None:
    regular = pl.concat([cleaned("b", [1.0, 2.0]), cleaned("d", [3.0])])
    irregular = pl.concat([cleaned("a", [4.0]), cleaned("c", [5.0, 6.0, 7.0])])
    result = join_series(regular, irregular, profile("a", "b", "c", "d", label="-"), profile("c", "a", label="grid"))
    sequences = result.frames["sequences"]
    assert sequences["unique_id"].to_list() == ["a", "b", "b", "c", "c", "c", "d"]
    assert sequences["y"].to_list() == [4.0, 1.0, 2.0, 5.0, 6.0, 7.0, 3.0]
    assert sequences.equals(sequences.sort("unique_id", "ds"))
    assert sequences.schema == SEQUENCE_SCHEMA
    assert result.frames["profile"].rows() == [("a", "grid"), ("b", "-"), ("c", "grid"), ("d", "-")]
    assert result.ledger.rows() == [
        (name, "ok", None, f'{{"rows":{n}}}') for name, n in zip("abcd", (1, 2, 3, 1), strict=True)
    ]


def test_hand_worked_row_of_a_regular_series_keeps_what_every_step_said() -> None:
    # An anomaly of 9 that filling left as 1 and handling made 1 + 100: all three stand side by side, nothing is chosen.
    (row,) = joined(cleaned("b", [1.0]), rows("a", []), "b").rows(named=True)
    assert row == {
        "unique_id": "b",
        "ds": START,
        "y": 1.0,
        "y_raw": 9.0,
        "available_at": START,
        "is_gap": True,
        "is_outlier": True,
        "fill_strategy": "last",
        "observed_available_at": LATER,
        "is_anomaly": True,
        "handled": 101.0,
        "handled_available_at": LATER,
        "anomaly_strategy": "clip",
    }


def test_hand_worked_rows_of_an_irregular_series_have_no_anomaly() -> None:
    # Its grid knows y_raw and fills, not anomalies: the second cell, empty, repeats the first, and was never observed.
    known = [START, START + timedelta(hours=2)]
    grid = rows("a", [4.0, 4.0]).with_columns(
        y_raw=pl.Series([4.0, None]),
        is_gap=pl.Series([False, True]),
        is_outlier=pl.lit(value=False),
        fill_strategy=pl.Series([None, "last"]),
        available_at=pl.Series(known, dtype=TIME),
    )
    found = joined(rows("b", []), grid, "a", "a")
    assert found["y_raw"].to_list() == [4.0, None]
    assert found["fill_strategy"].to_list() == [None, "last"]
    assert found["observed_available_at"].to_list() == [START, None]
    assert found["is_anomaly"].to_list() == [False, False]
    assert found["handled"].to_list() == [4.0, 4.0]
    assert found["handled_available_at"].to_list() == known
    assert found["anomaly_strategy"].to_list() == [None, None]


def test_series_already_in_order_stay_so() -> None:
    assert joined(cleaned("a", [1.0, 2.0]), cleaned("b", [3.0]), "ab", "b")["y"].to_list() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("empty", ["regular", "irregular"])
def test_an_empty_way_adds_nothing(empty: str) -> None:
    ways = {"regular": rows("a", [1.0, None]), "irregular": rows("a", [1.0, None])} | {empty: rows("a", [])}
    grid_profile = profile("a", label="-") if empty == "regular" else profile(label="-")
    result = join_series(**ways, profile=profile("a", label="-"), grid_profile=grid_profile)
    assert result.frames["sequences"]["y"].to_list() == [1.0, None]
    assert result.frames["profile"].rows() == [("a", "-")]


def test_columns_of_steps_that_were_off_say_that_nothing_changed() -> None:
    sequences = joined(rows("a", [1.0, None]), rows("b", []), "a")
    assert sequences.select("y_raw", "is_gap", "is_outlier", "fill_strategy", "observed_available_at").rows() == [
        (1.0, False, False, None, START),
        (None, True, False, None, None),
    ]
    assert sequences.select("is_anomaly", "handled", "anomaly_strategy").rows() == [
        (False, 1.0, None),
        (False, None, None),
    ]
    assert sequences["handled_available_at"].to_list() == sequences["available_at"].to_list()
    assert sequences.schema == SEQUENCE_SCHEMA


def test_numbers_of_another_type_are_cast() -> None:
    numbers = {"y_raw": pl.lit(9, pl.Int32), "handled": pl.lit(None), "fill_strategy": pl.lit(None)}
    assert joined(cleaned("a", [1.0]).with_columns(**numbers), rows("b", []), "a").schema == SEQUENCE_SCHEMA


def test_a_series_that_failed_on_its_way_is_not_in_the_profile() -> None:
    result = join_series(rows("a", [1.0]), rows("b", []), profile("a", "b", "z", label="-"), profile(label="-"))
    assert result.frames["profile"]["unique_id"].to_list() == ["a"]


def test_two_empty_ways_give_typed_empty_frames() -> None:
    result = join_series(rows("a", []), rows("a", []), profile(label="-"), profile(label="-"))
    assert result.frames["sequences"].schema == SEQUENCE_SCHEMA
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
