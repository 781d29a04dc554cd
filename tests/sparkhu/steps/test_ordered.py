"""Order statistics of many series at once against pandas, series by series."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.steps.ordered import Ordered

VALUES = st.lists(st.sampled_from([-2.0, -0.0, 0.0, 0.5, 1.0, 7.25]) | st.floats(-1e6, 1e6), max_size=12)
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def ordered(*series: list[float]) -> Ordered:
    values = np.array([value for each in series for value in each], np.float64)
    return Ordered.of(values, np.array([len(each) for each in series], np.int64))


def test_hand_worked_quartiles_lie_between_two_values() -> None:
    # 10, 20, 30, 40: a quarter of the way from place 0 to 3 is place 0.75: 10 + 0.75 · 10.
    assert ordered([40.0, 10.0, 30.0, 20.0]).quantile(0.25).tolist() == [17.5]
    # 1, 2, 4: place 0.5 · 2 = 1, on the value itself; the empty series beside it has none.
    assert ordered([4.0, 1.0, 2.0], []).quantile(0.5).tolist()[0] == 2.0
    assert np.isnan(ordered([4.0, 1.0, 2.0], []).quantile(0.5)[1])


def test_hand_worked_the_smallest_of_the_most_frequent_values_is_the_mode() -> None:
    # 3 and 5 stand twice, 4 once; in the second series all stand once, so it is the smallest.
    found = ordered([5.0, 3.0, 4.0, 5.0, 3.0], [9.0, 8.0], []).mode()
    assert found[:2].tolist() == [3.0, 8.0]
    assert np.isnan(found[2])


def test_a_value_at_a_border_of_two_series_belongs_to_both() -> None:
    # The last of the first and the first of the second series are 2: neither lends its count to the other.
    found = ordered([1.0, 1.0, 2.0], [2.0, 3.0, 3.0], [3.0])
    assert found.mode().tolist() == [1.0, 3.0, 3.0]


def test_what_is_given_stays_as_it_is() -> None:
    values = np.array([2.0, 1.0])
    assert Ordered.of(values, np.array([2])).values.tolist() == [1.0, 2.0]
    assert values.tolist() == [2.0, 1.0]


def test_no_series_and_no_values_give_nothing() -> None:
    assert ordered().quantile(0.5).tolist() == []
    assert ordered().mode().tolist() == []
    assert np.isnan(ordered([], []).mode()).all()


def test_between_the_ends_of_the_numbers_there_is_no_warning() -> None:
    assert ordered([-1.7e308, 1.7e308]).quantile(0.5).tolist() == [np.inf]


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_quantiles_and_modes_agree_with_pandas(series: list[list[float]]) -> None:
    found = ordered(*series)
    for number, values in enumerate(series):
        if not values:
            assert np.isnan(found.mode()[number])
            continue
        own = pd.Series(values)
        assert found.mode()[number] == own.mode().iloc[0]
        for share in SHARES:
            assert found.quantile(share)[number] == pytest.approx(own.quantile(share), rel=1e-12, abs=1e-9)


@given(VALUES, VALUES)
def test_zeros_have_no_sign_whatever_stands_beside_them(one: list[float], other: list[float]) -> None:
    together = ordered([*one, -0.0, 0.0, *other]).values
    assert not np.signbit(together[together == 0]).any()
