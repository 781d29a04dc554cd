"""Daily summaries, and what they add up to."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA
from sparkhu.summaries import (
    HISTORY_SCHEMA,
    MOMENTS_SCHEMA,
    SUMMARY_SCHEMA,
    merge_days,
    summarise_days,
    tell_history,
)

START, HOUR = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1)


def rows(*values: float | None, every: int = 12, name: str = "a", late: int = 0) -> pl.DataFrame:
    ds = [START + every * row * HOUR for row in range(len(values))]
    known = [moment + late * HOUR for moment in ds]
    columns = {"unique_id": [name] * len(ds), "ds": ds, "y": values, "available_at": known}
    return pl.DataFrame(columns, schema=SCHEMA)


def test_hand_worked_days() -> None:
    # Two values a day: 1 and 3 have the mean 2 and m2 = (1 − 2)² + (3 − 2)² = 2; 5 stands alone beside a gap.
    found = summarise_days(rows(1, 3, 5, None, late=2))
    assert found.schema == SUMMARY_SCHEMA
    assert found.select("day", "n", "mean", "m2", "min", "max").rows() == [
        (date(2024, 1, 1), 2, 2.0, 2.0, 1.0, 3.0),
        (date(2024, 1, 2), 1, 5.0, 0.0, 5.0, 5.0),
    ]
    assert found["available_at"].to_list() == [START + 14 * HOUR, START + 38 * HOUR]


def test_hand_worked_sum_of_days() -> None:
    # Over 1, 3, 5: mean 3, squares 4 + 0 + 4 = 8, variance 8/2 = 4, standard deviation 2.
    (found,) = merge_days(summarise_days(rows(1, 3, 5, None))).rows(named=True)
    assert found == {
        "unique_id": "a", "n": 3, "mean": 3.0, "std": 2.0,
        "min": 1.0, "max": 5.0, "start": START,
    }  # fmt: skip


def test_days_are_those_of_the_zone() -> None:
    # 16:00 UTC is 01:00 of the next day in Seoul.
    found = summarise_days(rows(1, 2, 3, every=8), zone="Asia/Seoul")
    assert found.select("day", "n").rows() == [(date(2024, 1, 1), 2), (date(2024, 1, 2), 1)]


def test_of_several_summaries_of_a_day_the_last_stands() -> None:
    table = pl.concat([summarise_days(rows(1, 3)), summarise_days(rows(1, 7))])
    assert merge_days(table)["max"].to_list() == [7.0]


def test_a_day_whose_values_were_withdrawn_has_a_summary_without_any() -> None:
    table = pl.concat([summarise_days(rows(1, 3, 5)), summarise_days(rows(None, None, late=50))])
    assert table["n"].to_list() == [2, 1, 0]
    assert merge_days(table).select("n", "mean").rows() == [(1, 5.0)]


@given(
    st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=60),
    st.sampled_from([0.0, 1e9]),
    st.integers(1, 30),
)
def test_days_add_up_to_the_moments_of_all_values(values: list[float | None], level: float, every: int) -> None:
    frame = rows(*[None if value is None else value + level for value in values], every=every)
    merged, known = merge_days(summarise_days(frame)), frame["y"].drop_nulls()
    if known.is_empty():
        assert merged.is_empty()
        return
    (found,) = merged.rows(named=True)
    assert found["n"] == len(known)
    assert found["mean"] == pytest.approx(known.mean(), rel=1e-12, abs=1e-9)
    if len(known) > 1:
        assert found["std"] == pytest.approx(known.std(), rel=1e-9, abs=1e-12 * max(level, 1e6))
    else:
        assert found["std"] is None
    assert (found["min"], found["max"]) == (known.min(), known.max())


def test_a_history_tells_of_all_days_and_of_the_rows_at_hand() -> None:
    # Days hold 1, 3 | 5, -; at hand are 3, 5 and the gap. Quartiles of 3, 5: 3.5, 4, 4.5; one of three is missing.
    frame = rows(1, 3, 5, None)
    (found,) = tell_history(summarise_days(frame), frame[1:]).rows(named=True)
    assert found == {
        "unique_id": "a", "n": 3, "mean": 3.0, "std": 2.0, "min": 1.0, "max": 5.0, "start": START,
        "missing_share": pytest.approx(1 / 3), "q1": 3.5, "median": 4.0, "q3": 4.5,
        "last_ds": START + 24 * HOUR, "last_value": 5.0, "last_values": [3.0, 5.0],
    }  # fmt: skip


def test_a_history_has_a_row_a_series_at_hand_and_nulls_where_nothing_was_observed() -> None:
    frame = pl.concat([rows(None, name="b"), rows(1, 2), rows(7, name="c")])
    found = tell_history(summarise_days(frame), frame.filter(pl.col("unique_id") != "c"))
    assert found.select("unique_id", "n", "missing_share", "last_value").rows() == [
        ("a", 2, 0.0, 2.0), ("b", None, 1.0, None),
    ]  # fmt: skip
    assert found.schema == HISTORY_SCHEMA
    assert tell_history(summarise_days(rows()), rows()).schema == HISTORY_SCHEMA


def test_empty_frames_have_their_types() -> None:
    assert merge_days(summarise_days(rows())).schema == MOMENTS_SCHEMA


def test_what_cannot_be_used_is_named() -> None:
    with pytest.raises(InputError, match="available_at"):
        summarise_days(rows(1).drop("available_at"))
    with pytest.raises(InputError, match="zone"):
        summarise_days(rows(1), zone="Nowhere")
    with pytest.raises(InputError, match="m2"):
        merge_days(summarise_days(rows(1)).drop("m2"))
