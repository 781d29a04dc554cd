"""Valid ranges of estimates."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA
from sparkhu.steps.estimates import Estimate
from sparkhu.steps.ranges import into_range, ranges_of
from sparkhu.steps.segmented import Segments

START = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA_OF_LIMITS = {"unique_id": pl.String, "valid_min": pl.Float64, "valid_max": pl.Float64}


def segments(**lengths: int) -> Segments:
    rows = [(name, START + timedelta(hours=h), 0.0, START) for name, n in lengths.items() for h in range(n)]
    return Segments.of(pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def limits(*rows: tuple[str, float | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA_OF_LIMITS, orient="row")


def brought(values: list[float], owner: Segments, table: pl.DataFrame | None) -> tuple[list[float], list[bool]]:
    latest = np.arange(len(values))
    estimate, moved = into_range(Estimate(np.array(values), latest), owner.number(), ranges_of(owner, table))
    assert estimate.latest.tolist() == latest.tolist()
    return estimate.values.tolist(), moved.tolist()


def test_hand_worked_the_nearest_value_inside_stands_for_one_outside() -> None:
    # 12 to 20: 11.5 lies 0.5 below, 21 lies 1 above; 13 and the ends themselves are inside.
    found = brought([11.5, 13.0, 21.0, 12.0, 20.0], segments(a=5), limits(("a", 12.0, 20.0)))
    assert found == ([12.0, 13.0, 20.0, 12.0, 20.0], [True, False, True, False, False])


def test_hand_worked_each_series_has_its_own_range_and_each_end_may_be_open() -> None:
    owner = segments(a=2, b=2, c=2)
    table = limits(("c", None, 0.0), ("a", 0.0, None), ("unknown", 5.0, 5.0))
    values = [-1.0, 9.0, -1.0, 9.0, -1.0, 9.0]
    assert brought(values, owner, table) == ([0.0, 9.0, -1.0, 9.0, -1.0, 0.0], [True, *[False] * 4, True])
    assert brought(values, owner, None) == (values, [False] * 6)


def test_what_is_not_estimated_stays_so() -> None:
    values, moved = brought([float("nan"), 3.0], segments(a=2), limits(("a", 5.0, 6.0)))
    assert np.isnan(values[0])
    assert (values[1], moved) == (5.0, [False, True])


@given(
    st.floats(-1e6, 1e6),
    st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted),
    st.floats(0, 1),
)
def test_no_truth_inside_is_farther_than_before(value: float, ends: list[float], share: float) -> None:
    truth = min(max(ends[0] + share * (ends[1] - ends[0]), ends[0]), ends[1])
    (found,), _ = brought([value], segments(a=1), limits(("a", ends[0], ends[1])))
    assert ends[0] <= found <= ends[1]
    assert abs(found - truth) <= abs(value - truth)


def test_limits_without_a_column_or_with_a_series_twice_are_refused() -> None:
    with pytest.raises(InputError, match="valid_max"):
        ranges_of(segments(a=1), limits(("a", 1.0, 2.0)).drop("valid_max"))
    with pytest.raises(InputError, match="'a' more than once"):
        ranges_of(segments(a=1), limits(("a", 1.0, 2.0), ("a", 1.0, 3.0)))
