"""Rows are settled into the raw frame, sorted, whatever columns the stretches of a source needed."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.frame import TIME
from sparkhu.sources.columns import Role, Roles
from sparkhu.sources.drafts import RAW_SCHEMA, Plan, draft, settle
from sparkhu.sources.tables import ROW
from sparkhu.sources.times import find_time_reading

START = datetime(2024, 1, 1, tzinfo=UTC)
ROLES = Roles(Role("when", ""), (Role("y", ""),), Role("id", ""), wide=False, available_at=False, notes=())
IDS = st.sampled_from([None, "", "a", "B", "b", "10", "9", "é", "가"])
HOURS = st.none() | st.integers(-3, 3)


def drafted(ids: list[str | None], when: list[str | None], y: list[str | None], first: int = 0) -> pl.DataFrame:
    times = pl.Series("when", when, dtype=pl.String)
    rows = pl.int_range(first, first + len(ids), eager=True, dtype=pl.Int64)
    frame = pl.DataFrame({"id": pl.Series(ids, dtype=pl.String), "when": times, "y": pl.Series(y), ROW: rows})
    reading = find_time_reading(pl.Series("when", ["2024-01-01"]))
    plan = Plan(0, ROLES, reading, None, (("1.5",),), (), (len(ids),), "UTC", frame.schema)
    return draft(frame, 0, plan)[0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(IDS, HOURS), max_size=30), st.randoms(use_true_random=False))
def test_rows_stand_in_the_order_of_series_time_and_source_as_polars_sorts_them(cells, random):
    rows = pl.DataFrame(
        {
            "unique_id": pl.Series([name for name, _ in cells], dtype=pl.String),
            "ds": pl.Series([None if hour is None else START + timedelta(hours=hour) for _, hour in cells], dtype=TIME),
            ROW: pl.Series(random.sample(range(100), len(cells)), dtype=pl.Int64),
        }
    )
    found = settle([rows.slice(0, 7), rows.slice(7)], []).frame
    assert dict(found.schema) == RAW_SCHEMA
    expected = rows.sort("unique_id", "ds", ROW).select("unique_id", "ds", ROW)
    assert found.select("unique_id", "ds", ROW).equals(expected)


def test_a_draft_has_the_columns_that_hold_anything():
    plain = drafted(["a", "b"], ["2024-01-01", "2024-01-02"], ["1", "2"])
    assert set(plain.columns) == {"unique_id", "ds", "y", ROW}
    broken = drafted(["a", "b"], ["2024-01-01", "soon"], ["1", "x"], first=2)
    assert set(broken.columns) == {*plain.columns, "ds_text", "y_text", "ds_reason"}
    settled = settle([plain, broken, drafted(["c"], [None], [None], first=4)], []).frame
    assert dict(settled.schema) == RAW_SCHEMA
    assert settled.select("unique_id", "y", ROW, "ds_text", "y_text", "ds_reason").rows() == [
        ("a", 1.0, 0, None, None, None),
        ("a", 1.0, 2, None, None, None),
        ("b", None, 3, "soon", "x", "time_unparsable"),
        ("b", 2.0, 1, None, None, None),
        ("c", None, 4, None, None, "time_missing"),
    ]
    assert settled["available_at"].to_list() == settled["ds"].to_list()


def test_stretches_without_rows_settle_to_the_raw_frame():
    assert dict(settle([drafted([], [], [])], []).frame.schema) == RAW_SCHEMA
