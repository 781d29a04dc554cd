"""Schedules: five fields for people, six for Kubeflow Pipelines."""

from datetime import UTC, datetime

import pytest

from sparkhu.errors import InputError
from sparkhu_pipelines.submission.schedules import parse_schedule

FRIDAY = datetime(2024, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("five", "six"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("*/20 * * * *", "0 0,20,40 * * * *"),
        ("5/20 * * * *", "0 5,25,45 * * * *"),
        ("0 0-6/3 1,15 * *", "0 0 0,3,6 1,15 * *"),
        ("0 0 * jan,JUL *", "0 0 0 * 1,7 *"),
        ("0 0 * * sun", "0 0 0 * * 0"),
        ("0 0 * * 7", "0 0 0 * * 0"),
        ("0 0 * * fri-mon", "0 0 0 * * 0,1,5,6"),
        ("0 0 ? * 5-7", "0 0 0 * * 0,5,6"),
        (
            "0 0 1-31 * 1",
            "0 0 0 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31 * 1",
        ),
        ("0 0 * * */2", "0 0 0 * * 0,2,4,6"),
        ("0 0 */15 * ?", "0 0 0 1,16,31 * *"),
        ("@hourly", "0 0 * * * *"),
        ("@weekly", "0 0 0 * * 0"),
    ],
)
def test_seconds_come_first_and_every_value_is_written_out(five: str, six: str) -> None:
    assert parse_schedule(five).six_fields == six


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("0 3 * * *", datetime(2024, 1, 6, 3, tzinfo=UTC)),
        ("0 12 * * *", datetime(2024, 1, 6, 12, tzinfo=UTC)),  # a run at this very minute has begun
        ("1 12 * * *", datetime(2024, 1, 5, 12, 1, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0 0 * * mon", datetime(2024, 1, 8, tzinfo=UTC)),
        ("0 0 7 * mon", datetime(2024, 1, 7, tzinfo=UTC)),  # one of both days is enough where both are given
        ("0 0 31 * *", datetime(2024, 1, 31, tzinfo=UTC)),
    ],
)
def test_the_first_run_is_the_next_moment_that_fits(text: str, first: datetime) -> None:
    assert parse_schedule(text).after(FRIDAY) == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60 * * * *", "the minute cannot be '60'; give 0 to 59"),
        ("0 24 * * *", "the hour cannot be '24'"),
        ("0 0 0 * *", "the day of the month cannot be '0'; give 1 to 31"),
        ("0 0 * 13 *", "the month cannot be '13'; give 1 to 12, or jan to dec"),
        ("0 0 * * 8", "the day of the week cannot be '8'; give 0 to 7, or sun to sat"),
        ("0 0 * * friday", "the day of the week cannot be 'friday'"),
        ("0-x * * * *", "the minute cannot be '0-x'"),
        ("9-5 * * * *", "the minute cannot be '9-5'"),
        ("*/0 * * * *", r"the minute cannot be '\*/0'"),
        ("1,,2 * * * *", "the minute cannot be ''"),
        ("-5 * * * *", "the minute cannot be '-5'"),
        ("0 3 * *", "has 4 fields, not five; give minute, hour"),
        ("0 0 3 * * *", "has 6 fields, not five"),
        ("", "has 0 fields, not five"),
        ("@reboot", "has 1 fields, not five"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 */2 * mon", r"the day of the month '\*/2' beside another day is read in two ways; write its days out"),
        ("0 0 1 * */2", r"the day of the week '\*/2' beside another day is read in two ways"),
        ("0 0 */2 * */2", r"the day of the month '\*/2' beside another day"),
    ],
)
def test_what_is_no_schedule_is_refused_by_its_field(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_schedule(text)
