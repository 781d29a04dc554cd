"""What is left of a metric is what Katib's trial controller leaves of it."""

from datetime import UTC, datetime, timedelta

import pytest

from sparkhu.tuning.collecting import UNDATED
from sparkhu.tuning.strategies import Strategy, finite_number, observe, value_of
from sparkhu.tuning.trials import Measurement, Observation

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def measured(*values: str, metric: str = "loss", at: datetime = UNDATED) -> list[Measurement]:
    return [Measurement(at, metric, value) for value in values]


def test_smallest_largest_and_latest_keep_the_texts_of_the_trial() -> None:
    assert observe(measured("0.50", "1e0", "+.7"), {"loss": "min"}) == (Observation("loss", "+.7", "0.50", "1e0"),)


def test_of_equal_times_the_later_line_is_the_latest() -> None:
    assert observe(measured("3", "1", at=NOON), {"loss": "min"})[0].latest == "1"


def test_the_latest_value_is_that_of_the_latest_time_wherever_it_stands() -> None:
    late, early = measured("9", at=NOON), measured("1", at=NOON - timedelta(seconds=1))
    assert observe([*late, *early, *measured("5")], {"loss": "latest"})[0].latest == "9"


def test_a_metric_that_never_appears_is_unavailable() -> None:
    seen = observe(measured("1", metric="accuracy"), {"loss": "min", "accuracy": "min"})
    assert seen[0] == Observation("loss", "unavailable", "unavailable", "unavailable")
    assert value_of(seen[0], "min") is None


def test_metrics_without_a_strategy_are_left_out() -> None:
    assert [one.metric for one in observe(measured("1", metric="other"), {"loss": "min"})] == ["loss"]


def test_values_that_are_no_finite_numbers_are_neither_smallest_nor_largest() -> None:
    (seen,) = observe(measured("nan", "inf", "2", "-inf", "", "high"), {"loss": "min"})
    assert seen == Observation("loss", "high", "2", "2")
    assert value_of(seen, "latest") is None


@pytest.mark.parametrize(("strategy", "value"), [("min", 1.0), ("max", 3.0), ("latest", 2.0)])
def test_the_strategy_says_which_value_counts(strategy: Strategy, value: float) -> None:
    (seen,) = observe(measured("3", "1", "2"), {"loss": strategy})
    assert value_of(seen, strategy) == value


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1_000", "0x10", "1e999", "nan", "-Inf", "infinity", "1e", ".", "٣"])
def test_what_go_does_not_read_as_a_finite_decimal_is_none(text: str) -> None:
    assert finite_number(text) is None


@pytest.mark.parametrize("text", ["1", "-1.", ".5", "+0.25", "1E-3", "1e+3"])
def test_decimals_of_go_are_numbers(text: str) -> None:
    assert finite_number(text) == float(text)
