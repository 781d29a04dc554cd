"""How far back a run over an interval reads."""

from datetime import UTC, datetime

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.lookback import check_lookback, kept_interval, looked_back, wanted_lookback


def profile(*rows: tuple[str, str | None, int | None, int | None]) -> pl.DataFrame:
    """Rows of (decision, period, season, median gap)."""
    schema = {
        "decision": pl.String, "period_label": pl.String, "season_length": pl.Int64, "median_gap_us": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_hand_worked_months_back_from_the_end_of_one() -> None:
    # A month before 31 March is 29 February in 2024: there is no 31st.
    assert looked_back(datetime(2024, 3, 31, tzinfo=UTC), "1mo") == datetime(2024, 2, 29, tzinfo=UTC)


def test_hand_worked_days_back_across_a_clock_change() -> None:
    # Midnight of 1 April in Berlin is 22:00 UTC (summer time); two days before, midnight of 30 March is 23:00 UTC.
    start = datetime(2024, 3, 31, 22, tzinfo=UTC)
    assert looked_back(start, "2d", zone="Europe/Berlin") == datetime(2024, 3, 29, 23, tzinfo=UTC)
    assert looked_back(start, "48h", zone="Europe/Berlin") == datetime(2024, 3, 29, 22, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "all", "36h", "60d", "8w", "6mo", "2y"])
def test_lengths_of_time_are_taken(text: str) -> None:
    check_lookback(text)


@pytest.mark.parametrize("text", ["0d", "-1d", "15min", "d", "60", "1 d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="lookback must be a length of time"):
        check_lookback(text)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        # Hours have a day and a week: 10 · 168 hours are 70 days. 15 minutes likewise: 10 · 672 quarters.
        ([("regular", "1h", 24, None)], "70d"),
        ([("regular", "15min", 96, None)], "70d"),
        # A stated season of 12 hours stands alone: 120 hours are fewer than 500, which are 20.8 days.
        ([("regular", "1h", 12, None)], "21d"),
        # Days have a week and a year: 10 · 365 days.
        ([("regular", "1d", 7, None)], "3650d"),
        # Without a season: 500 points, of 90 s 12.5 hours, a day at least.
        ([("irregular", None, None, 90_000_000)], "1d"),
        # The longest of all series counts.
        ([("irregular", None, None, 90_000_000), ("regular", "1h", 24, None), ("regular", "1h", 12, None)], "70d"),
        ([("no_decision", None, None, None)], ""),
        ([], ""),
    ],
)
def test_the_longest_season_says_how_far(
    rows: list[tuple[str, str | None, int | None, int | None]], wanted: str
) -> None:
    assert wanted_lookback(profile(*rows)) == wanted


def test_steps_keep_to_the_interval_of_a_source_and_to_all_that_was_read_of_a_lake() -> None:
    assert kept_interval("", "2024-01-05", "2024-01-06") == ("2024-01-05", "2024-01-06")
    assert kept_interval("lake", "2024-01-05", "2024-01-06") == ("", "2024-01-06")
