import polars as pl

from sparkhu.periods import Period
from sparkhu.steps.own_periods import by_period, with_periods


def test_what_the_profile_says_goes_before_the_runs_zone() -> None:
    profile = pl.DataFrame(
        {"period_label": ["1mo", "1mo", "1d"], "zone": ["Asia/Seoul", None, None], "month_day": [30, None, None]}
    )
    found = by_period(with_periods(profile, "Europe/Berlin"))
    assert [period for period, _ in found] == [
        Period("month", None, "Asia/Seoul", 30),
        Period("month", None, "Europe/Berlin"),
        Period.parse("1d", "Europe/Berlin"),
    ]


def test_a_profile_without_calendar_takes_the_runs_zone() -> None:
    table = pl.DataFrame({"unique_id": ["a", "b", "c", "d"], "period_label": ["1h", None, "1d", "1h"]})
    found = by_period(with_periods(table, "Asia/Seoul"))
    assert [(period.label, period.zone, part["unique_id"].to_list()) for period, part in found] == [
        ("1h", "Asia/Seoul", ["a", "d"]),
        ("1d", "Asia/Seoul", ["c"]),
    ]


def test_periods_come_in_the_order_of_their_first_series() -> None:
    labels = [f"{number}s" for number in (7, 3, 11, 2, 13, 5, 17, 19, 23, 29, 1, 31, 37)]
    found = by_period(with_periods(pl.DataFrame({"period_label": labels * 2}), "UTC"))
    assert [period.label for period, _ in found] == labels
    assert all(part.height == 2 for _, part in found)


def test_a_day_of_the_month_that_no_profile_names_is_a_null_number() -> None:
    found = with_periods(pl.DataFrame({"period_label": ["1mo"]}), "UTC")
    assert found.rows() == [("1mo", "UTC", None)]
    assert found.schema["month_day"] == pl.Int64
