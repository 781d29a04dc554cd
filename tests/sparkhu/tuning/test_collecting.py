"""Metrics are read from lines as Katib's file collector reads them."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from sparkhu.tuning.collecting import UNDATED, json_collector, text_collector
from sparkhu.tuning.trials import Measurement


def found(line: str, *filters: str) -> list[tuple[str, str]]:
    collect = text_collector(["loss", "val-acc"], filters)
    return [(one.metric, one.value) for one in collect(line)]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("loss=0.3", [("loss", "0.3")]),
        ("epoch 1: loss = .98, val-acc=-7.53e-05", [("loss", ".98"), ("val-acc", "-7.53e-05")]),
        ("loss=1E0 loss=1.23E10", [("loss", "1E0"), ("loss", "1.23E10")]),
        ("loss=+5", [("loss", "+5")]),
        ("loss=nan", [("loss", "")]),
        ("my_loss=1 loss_2=3", []),
        ("loss: 0.3", []),
        ("accuracy=0.9", []),
    ],
)
def test_the_default_filter_finds_names_and_numbers(line: str, values: list[tuple[str, str]]) -> None:
    assert found(line) == values


def test_filters_of_the_user_take_the_place_of_the_default_one() -> None:
    text = r"{metricName: ([\w|-]+), metricValue: ((-?\d+)(\.\d+)?)}"
    assert found("{metricName: loss, metricValue: -0.25} loss=1", text) == [("loss", "-0.25")]
    assert found("loss is 3, val-acc is 4", r"(loss) is (\d)", r"(val-acc) is (\d)") == [
        ("loss", "3"),
        ("val-acc", "4"),
    ]


def test_a_group_that_took_no_part_is_an_empty_text() -> None:
    assert found("loss!", r"(loss)!(\d)?") == [("loss", "")]


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2024-05-01T10:00:00Z loss=1", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T10:00:00.123456789+02:00 loss=1", datetime(2024, 5, 1, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2024-05-01 10:00:00 loss=1", UNDATED),
        ("2024-05-01T10:00:00 loss=1", UNDATED),
        ("2024-13-01T10:00:00Z loss=1", UNDATED),
        ("loss=1", UNDATED),
    ],
)
def test_a_line_is_dated_by_the_time_it_begins_with(line: str, at: datetime) -> None:
    assert text_collector(["loss"])(line) == [Measurement(at, "loss", "1")]


def test_json_lines_give_values_that_are_texts_and_no_others() -> None:
    collect = json_collector(["loss", "accuracy", "epoch"])
    line = json.dumps({"loss": "0.5", "accuracy": 0.9, "epoch": None, "other": "1"})
    assert collect(line) == [Measurement(UNDATED, "loss", "0.5")]
    assert collect("") == []


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        (1.5, datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)),
        (1638422847, datetime(2021, 12, 2, 5, 27, 27, tzinfo=UTC)),
        ("2021-12-02T05:27:27.000287+01:00", datetime(2021, 12, 2, 5, 27, 27, 287, timezone(timedelta(hours=1)))),
        ("", UNDATED),
        ("yesterday", UNDATED),
        (True, UNDATED),
        (1e300, UNDATED),
        ([], UNDATED),
    ],
)
def test_json_timestamps_are_seconds_or_texts(timestamp: object, at: datetime) -> None:
    (one,) = json_collector(["loss"])(json.dumps({"loss": "1", "timestamp": timestamp}))
    assert one.at == at


@pytest.mark.parametrize("line", ["loss=0.5", "[1]", "{"])
def test_a_line_that_is_no_json_object_cannot_be_read(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        json_collector(["loss"])(line)
