"""The demo's series are real, complete and of several periods."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from sparkhu_cli import demo_series
from sparkhu_cli.demo_series import demo_frame, write_demo_series


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return demo_frame()


def at(frame: pl.DataFrame, series: str, day: date) -> float:
    return float(frame.filter(series=series, date=day)["value"].item())


def test_there_are_17_series_each_documented(frame: pl.DataFrame) -> None:
    names = frame["series"].unique(maintain_order=True).to_list()
    assert len(names) == 17
    assert [name for name in names if f" {name} " not in demo_series.__doc__.replace(",", " ").replace("|", " ")] == []


@pytest.mark.parametrize(
    ("series", "gap"), [("co2", "7d"), ("elnino", "1mo"), ("us_gdp", "1q"), ("sunspots", "1y"), ("nile", "1y")]
)
def test_calendars_are_whole(frame: pl.DataFrame, series: str, gap: str) -> None:
    days = frame.filter(series=series)["date"]
    assert days.equals(pl.date_range(days[0], days[-1], gap, eager=True).alias("date"))


# Values as the sources print them: statsmodels' own data files.
@pytest.mark.parametrize(
    ("series", "day", "value"),
    [
        ("co2", date(1958, 3, 29), 316.1),
        ("sunspots", date(1700, 1, 1), 5.0),
        ("nile", date(1871, 1, 1), 1120.0),
        ("elnino", date(1950, 1, 1), 23.11),
        ("elnino", date(1951, 12, 1), 22.89),
        ("us_gdp", date(1959, 4, 1), 2778.801),
        ("us_cpi", date(1959, 1, 1), 28.98),
        ("german_interest", date(1972, 4, 1), 0.083),
        ("danish_bond_rate", date(1974, 4, 1), 0.177991),
        ("euro_electrical_turnover", date(1995, 1, 1), 66.19),
    ],
)
def test_values_are_the_sources(frame: pl.DataFrame, series: str, day: date, value: float) -> None:
    assert at(frame, series, day) == pytest.approx(value, rel=1e-5)


def test_the_missing_weeks_of_co2_are_the_only_missing_values(frame: pl.DataFrame) -> None:
    missing = frame.filter(pl.col("value").is_null())
    assert missing["series"].unique().to_list() == ["co2"]
    assert missing.height == 59
    assert not frame["value"].is_nan().any()


def test_the_file_reads_back_and_a_second_writing_changes_nothing(frame: pl.DataFrame, tmp_path: Path) -> None:
    path = write_demo_series(tmp_path / "demo")
    first = path.read_bytes()
    assert pl.read_csv(path, try_parse_dates=True).equals(frame)
    assert write_demo_series(tmp_path / "demo").read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == ["demo-series.csv"]
