import re
import shutil
from pathlib import Path

import polars as pl

from sparkhu.report.accuracy import read_accuracy
from sparkhu.report.overview import build_overview
from sparkhu.report.quality import quality_section
from sparkhu.report.reading import read_results
from tests.sparkhu.report.fake_results import EVIL


def section_of(folder: Path) -> str:
    opened = read_results(folder)
    return quality_section(opened, build_overview(opened, read_accuracy(opened.metrics)))


def lines(section: str) -> dict[str, list[str]]:
    """Cells of the section's lines by their heading."""
    found = {}
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", section):
        cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        found[cells[0]] = cells[1:]
    return found


def test_counts_shares_and_series_are_those_of_the_tables(results: Path) -> None:
    clean = pl.read_parquet(results / "clean.parquet")
    shown = lines(section_of(results))

    assert shown["Read"][0] == "18,000"
    assert shown["Refused"][:2] == ["49", "0.3 %"]
    assert shown["Refused"][3] == "12 series"
    assert shown["time cannot be read"][:2] == ["1", "<0.1 %"]
    # Six instants of two rows each: six rows too many, three of them with another value.
    assert [shown[name][0] for name in ("Repeated times", "another value", "the same value again")] == ["6", "3", "3"]
    for label, flag in (("Missing", "is_gap"), ("Outliers", "is_outlier"), ("Anomalies", "is_anomaly")):
        having = clean.filter(flag)["unique_id"].n_unique()
        assert (shown[label][0], shown[label][3]) == (f"{clean[flag].sum():,}", f"{having} series")
    assert shown["Alerts"][0] == f"{clean['is_alert'].sum():,}"
    assert shown["Failed"][:2] == ["1", "8 %"]
    assert shown["Irregular"][0] == "0"
    assert shown["Regularity now judged otherwise"][0] == "1"


def test_series_with_level_changes_are_counted_by_kind(results: Path, tmp_path: Path) -> None:
    shown = lines(section_of(results))

    assert shown["With level shifts"][0] == "1"
    assert shown["With drift"][0] == "10"
    assert shown["With drift"][4] == "marked in the charts; no value is changed"
    shutil.copy(results / "clean.parquet", tmp_path)
    assert "With drift" not in lines(section_of(tmp_path))


def test_what_was_done_names_the_strategies_and_in_how_many_series(results: Path) -> None:
    clean = pl.read_parquet(results / "clean.parquet")
    shown = lines(section_of(results))

    assert shown["Missing"][4] == f"{clean['fill_strategy'].count():,} points filled: linear in 12 series"
    assert shown["Anomalies"][4] == "clip in 11, leave in 1 series"
    assert shown["Outliers"][4] == f"{clean['is_outlier'].sum()} counted as missing and filled"


def test_outliers_that_were_not_filled_are_said_to_be_kept(tmp_path: Path) -> None:
    # Three outliers; one of them was filled, so two are kept.
    ds = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 4), "1d", time_zone="UTC", eager=True)
    frame = pl.DataFrame({"unique_id": "a", "ds": ds, "y": 1.0, "is_outlier": [True, True, True, False]})
    frame = frame.with_columns(fill_strategy=pl.Series([None, "mean", None, "last"]))
    frame.write_parquet(tmp_path / "clean.parquet")
    assert lines(section_of(tmp_path))["Outliers"][4] == "1 counted as missing and filled, 2 kept as observed"
    frame.with_columns(fill_strategy=pl.lit(None, pl.String)).write_parquet(tmp_path / "clean.parquet")
    assert lines(section_of(tmp_path))["Outliers"][4] == "marked, and kept as observed"


def test_the_longest_gap_is_the_longest_stretch_without_a_value(tmp_path: Path) -> None:
    # a has stretches of 2 and 1, b one of 3: the last point of a and the first of b do not make one stretch.
    y = [None, None, 1.0, 1.0, None, None, None, None, 1.0, 1.0]
    day = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 5), "1d", time_zone="UTC", eager=True)
    frame = pl.DataFrame({"unique_id": ["a"] * 5 + ["b"] * 5, "ds": [*day, *day], "y": y})
    frame.with_columns(is_gap=pl.col("y").is_null()).write_parquet(tmp_path / "clean.parquet")
    shown = lines(section_of(tmp_path))

    assert shown["longest gap, in b"][0] == "3"
    assert shown["Missing"][:2] == ["6", "60 %"]
    assert shown["Missing"][4] == "marked, not filled"


def test_series_affected_lead_to_the_table_with_the_filter_on(results: Path) -> None:
    section = section_of(results)
    assert '<a href="#series" data-query="anomalies&gt;0">12 series</a>' in section
    assert '<a href="#quarantine" data-query="reason=value is no number">' in section
    assert '<a href="#ledger" data-query="status=failed">1 series</a>' in section


def test_lines_of_nothing_have_neither_link_nor_deed(results: Path) -> None:
    row = next(row for row in re.findall(r"<tr.*?</tr>", section_of(results)) if ">Without decision<" in row)
    assert "<a " not in row
    assert "irregular" not in row


def test_a_folder_that_tells_nothing_of_quality_says_so(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    assert "tells of the quality" in section_of(tmp_path)


def test_an_older_folder_has_no_line_for_what_it_does_not_know(results: Path, tmp_path: Path) -> None:
    pl.read_parquet(results / "clean.parquet").select("unique_id", "ds", "y").write_parquet(tmp_path / "clean.parquet")
    shown = lines(section_of(tmp_path))
    assert "Alerts" not in shown
    assert "Refused" not in shown
    assert shown["Anomalies"][0] == "0"


def test_names_stay_text(results: Path) -> None:
    assert EVIL not in section_of(results)
