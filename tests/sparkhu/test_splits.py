"""Splits: shares and rows, exact borders, what cannot be used."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.splits import Split, parse_split, split_times

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


def series(name: str, values: list[float | None]) -> pl.DataFrame:
    times = [START + HOUR * i for i in range(len(values))]
    return pl.DataFrame(
        {"unique_id": [name] * len(values), "ds": times, "y": values},
        schema={"unique_id": pl.String(), "ds": TIME, "y": pl.Float64()},
    )


def test_shares_are_those_of_each_series_own_observed_rows() -> None:
    # a: 10 observed rows, 7 + 1 + 2. b: observed at hours 1, 3, 4 and 5; its parts end after ⌊2.8⌋ = 2, ⌊3.2⌋ = 3, 4.
    frame = pl.concat([series("a", [1.0] * 10), series("b", [None, 1.0, None, 1.0, 1.0, 1.0])])
    assert split_times(frame, "0.7/0.1/0.2").rows() == [
        ("a", START + 7 * HOUR, START + 8 * HOUR, START + 9 * HOUR + TICK),
        ("b", START + 4 * HOUR, START + 5 * HOUR, START + 5 * HOUR + TICK),
    ]


def test_rows_end_exactly_at_the_next_observed_row() -> None:
    frame = series("a", [1.0, None, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert split_times(frame, "2/1/2").row(0) == ("a", START + 3 * HOUR, START + 4 * HOUR, START + 6 * HOUR)
    assert split_times(frame, "2/1/4").row(0)[3] == START + 7 * HOUR + TICK
    assert split_times(frame, "2/1/40").row(0)[3] == START + 7 * HOUR + TICK
    assert split_times(frame, "9/1/4").row(0)[1:] == (START + 7 * HOUR + TICK,) * 3


def test_the_published_protocol_takes_the_first_14400_rows(evaluation_data: Path) -> None:
    table = pl.read_csv(evaluation_data / "ett" / "ETTh1.csv", try_parse_dates=True)
    frame = table.select(
        pl.lit("OT").alias("unique_id"), pl.col("date").cast(TIME).alias("ds"), pl.col("OT").alias("y")
    )
    borders = split_times(frame, "8640/2880/2880").row(0)
    assert borders[1:] == tuple(frame["ds"][row] for row in (8640, 11520, 14400))


def test_a_series_without_a_value_has_no_borders_and_keeps_its_row() -> None:
    frame = pl.concat([series("a", [None, None]), series("b", [1.0])])
    table = split_times(frame, "0.7/0.1/0.2")
    assert table.row(0) == ("a", None, None, None)
    assert table.row(1) == ("b", START, START, START + TICK)
    assert table.schema == {"unique_id": pl.String(), "train_end": TIME, "valid_end": TIME, "test_end": TIME}
    assert split_times(frame.head(0), "5/1/1").schema == table.schema


def test_pandas_in_pandas_out() -> None:
    table = split_times(
        series("a", [1.0] * 4).to_pandas(), Split(Fraction(1, 2), Fraction(1, 4), Fraction(1, 4), shares=True)
    )
    assert isinstance(table, pd.DataFrame)
    assert table["train_end"][0] == pd.Timestamp(START + 2 * HOUR)


@pytest.mark.parametrize(("rows", "ends"), [(10, (7, 8, 10)), (9, (6, 7, 9)), (1, (0, 0, 1)), (0, (0, 0, 0))])
def test_shares_are_cut_downwards_and_exactly(rows: int, ends: tuple[int, int, int]) -> None:
    # 0.7 + 0.1 is 0.7999999999999999 in floating point, which would end the validation part of 10 rows at 7.
    borders = parse_split("0.7/0.1/0.2").borders(pl.Series([rows]))
    assert tuple(border[0] for border in borders) == ends


@given(st.integers(0, 10**9), st.integers(1, 100), st.integers(0, 100))
def test_parts_follow_one_another_and_shares_reach_the_last_row(rows: int, train: int, valid: int) -> None:
    shares = [Fraction(part, 200) for part in (train, valid, 200 - train - valid)]
    ends = [border[0] for border in Split(*shares, shares=True).borders(pl.Series([rows]))]
    assert 0 <= ends[0] <= ends[1] <= ends[2] == rows
    assert ends[0] == rows * train // 200
    counted = [
        border[0] for border in Split(*map(Fraction, (train, valid, 7)), shares=False).borders(pl.Series([rows]))
    ]
    assert counted == np.minimum([train, train + valid, train + valid + 7], rows).tolist()


def test_a_split_reads_its_text() -> None:
    assert parse_split(" 0.7 / 0.1 / .2 ") == Split(Fraction(7, 10), Fraction(1, 10), Fraction(1, 5), shares=True)
    assert parse_split("8640/2880/2880") == Split(Fraction(8640), Fraction(2880), Fraction(2880), shares=False)
    assert parse_split("0.8/0/0.2").shares
    assert parse_split("1.0/0/0").borders(pl.Series([5]))[0].to_list() == [5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "split must be three numbers with / between them, got ''; give training/validation/test as shares"),
        ("0.7/0.3", "split must be three numbers"),
        ("0.5/0.2/0.2/0.1", "split must be three numbers"),
        ("a/b/c", "split must be three numbers with / between them, got 'a/b/c'"),
        ("1e3/1/1", "split must be three numbers"),
        ("0.7/0.2/0.2", "split has shares that add up to 1.1, got 0.7/0.2/0.2"),
        ("0/1/1", "split needs a training part and no negative one, got 0/1/1"),
        ("0.0/0.5/0.5", "split needs a training part"),
        ("8/-1/3", "split needs a training part and no negative one, got 8/-1/3"),
        ("0.33333333333/0.33333333333/0.33333333334", "split has shares of more than 9 decimals"),
    ],
)
def test_a_split_that_cannot_be_used_is_refused_with_a_way_out(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_split(text)
    assert str(caught.value).endswith("as shares that add up to 1 (0.7/0.1/0.2) or as rows (8640/2880/2880)")


def test_rows_must_be_whole() -> None:
    with pytest.raises(InputError, match=r"no whole number of rows, got 1\.5/1/1"):
        Split(Fraction(3, 2), Fraction(1), Fraction(1), shares=False)
    with pytest.raises(InputError, match="no whole number of rows"):
        Split(Fraction(2**62), Fraction(1), Fraction(1), shares=False)
