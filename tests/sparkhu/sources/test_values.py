"""Numbers are read bit for bit; what is no number keeps its text."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.sources.values import (
    Numbers,
    file_spans,
    find_notations,
    parse_numbers,
    present,
    read_numbers,
    share_of_numbers,
)


def test_missing_words_are_null_in_any_case_and_with_blanks_around():
    words = ["", " ", "NA", "NaN", "null", "None", "n/a", "nan ", "N/A", None]
    assert present(pl.Series(words)).null_count() == len(words)
    assert present(pl.Series([" x "])).to_list() == ["x"]


def test_refused_cells_keep_their_text_and_missing_ones_have_none():
    found = parse_numbers(pl.Series(["1.5", "NA", "inf", "-Infinity", "1e999", "abc", " 2 ", None]))
    assert found.y.to_list() == [1.5, None, None, None, None, None, 2.0, None]
    assert found.refused.to_list() == [None, None, "inf", "-Infinity", "1e999", "abc", None, None]


def test_numeric_columns_lose_nan_and_refuse_infinity():
    found = parse_numbers(pl.Series([1.0, float("nan"), float("inf")]))
    assert found.y.to_list() == [1.0, None, None]
    assert found.refused.to_list() == [None, None, "inf"]
    assert parse_numbers(pl.Series([1, 2])).y.to_list() == [1.0, 2.0]


def test_decimal_commas_are_read_where_no_cell_has_a_point():
    found = parse_numbers(pl.Series(["1,5", "-0,25", "3", "x"]))
    assert (found.y.to_list(), found.notation) == ([1.5, -0.25, 3.0, None], "1,5")


@pytest.mark.parametrize("cells", [["1,5", "2.5", "1,7"], ["1,5", "2", "3"], ["1,5", "2"]])
def test_commas_stay_unparsable_beside_points_or_as_a_minority(cells):
    found = parse_numbers(pl.Series(cells))
    assert found.notation == "1.5"
    assert found.refused[0] == "1,5"


@pytest.mark.parametrize(
    ("cells", "example"),
    [
        (["990", "999", "1,010", "1,011"], "1,010"),
        (["1,010", "-2,500"], "1,010"),
        (["990.5", "+1,234,567", None], "+1,234,567"),
        (["1,010", "a, b"], "1,010"),
        (["1,234.5", "1,5"], "1,234.5"),
        (["1.234,5", "1,234.5"], "1,234.5"),
    ],
)
def test_commas_that_could_separate_thousands_are_refused_aloud(cells, example):
    with pytest.raises(InputError) as caught:
        parse_numbers(pl.Series("load", cells))
    assert str(caught.value) == (
        f"column 'load': the comma in '{example}' could be a decimal point or separate thousands, and no other value "
        "of the column tells which. Say which sign is the decimal one with --decimal . or --decimal ,"
    )


@pytest.mark.parametrize(
    ("cells", "numbers", "notation"),
    [
        (["1,010", "1,01", "2,5"], [1.01, 1.01, 2.5], "1,5"),
        (["1,010", "1234,567"], [1.01, 1234.567], "1,5"),
        (["0,125", "-0,250", "1,010"], [0.125, -0.25, 1.01], "1,5"),
        (["990", "1,010", "1,234.5", "-1,234,567", "7.25"], [990, 1010, 1234.5, -1234567, 7.25], "1,234.5"),
        (["990", "1,010", "1.234,5", "1.010", "-1.234.567,25"], [990, 1.01, 1234.5, 1010, -1234567.25], "1.234,5"),
        (["1.234,5", "1.5", "1,2,3"], [1234.5, None, None], "1.234,5"),
    ],
)
def test_a_cell_that_can_be_read_one_way_decides_for_its_column(cells, numbers, notation):
    found = parse_numbers(pl.Series(cells))
    assert (found.y.to_list(), found.notation) == (numbers, notation)


def test_share_of_numbers_counts_commas_that_leave_their_meaning_open():
    assert share_of_numbers(pl.Series(["990", "1,010", "x"])) == pytest.approx(2 / 3)


def test_share_of_numbers_counts_both_decimal_signs_which_files_of_one_source_may_have():
    assert share_of_numbers(pl.Series(["1,5", "2.5", "3", "x"])) == pytest.approx(3 / 4)
    assert share_of_numbers(pl.Series(["1,5", "2.5"]), ".") == pytest.approx(1 / 2)


def test_share_of_numbers_leaves_missing_cells_out_of_account():
    assert share_of_numbers(pl.Series(["1", "x", "NA", "inf"])) == pytest.approx(1 / 3)
    assert share_of_numbers(pl.Series(["NA", None])) == 0
    assert share_of_numbers(pl.Series([None], dtype=pl.Float64)) == 0
    assert share_of_numbers(pl.Series([1])) == 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_written_floats_come_back_bit_for_bit(numbers):
    texts = [repr(each) for each in numbers]
    assert parse_numbers(pl.Series(texts)).y.to_list() == numbers


def of_files(column: pl.Series, lengths: list[int]) -> list[Numbers]:
    """Read a column by the one notation that was found, or each file by its own."""
    notations = find_notations(column, lengths)
    spans = file_spans(lengths if len(notations) > 1 else [len(column)], 0, len(column))
    return [read_numbers(column.slice(first, rows), notations[number]) for number, first, rows in spans]


def test_files_with_another_decimal_sign_are_read_each_by_its_own() -> None:
    column = pl.Series(["1000,25", "0,5", "1000.25", "x", "7"])
    german, english, plain = of_files(column, [2, 2, 1])
    assert (german.y.to_list(), german.notation) == ([1000.25, 0.5], "1,5")
    assert (english.y.to_list(), english.refused.to_list()) == ([1000.25, None], [None, "x"])
    assert plain.y.to_list() == [7.0]


def test_a_file_that_leaves_its_sign_open_is_settled_by_the_others() -> None:
    (whole,) = of_files(pl.Series(["1,010", "0,5"]), [1, 1])
    assert whole.y.to_list() == [1.01, 0.5]
    with pytest.raises(InputError, match="could be a decimal point"):
        of_files(pl.Series(["1,010", "1.5"]), [1, 1])


def test_files_whose_cells_are_no_numbers_at_all_are_read_as_one() -> None:
    (whole,) = of_files(pl.Series(["x", "1.5"]), [1, 1])
    assert whole.refused.to_list() == ["x", None]
