import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from sparkhu.report.guard import guard_section, judgements
from sparkhu.report.reading import read_results

COLUMNS = ("unique_id", "error_raw", "error_outliers", "error_anomalies", "error_both", "kept", "reason")


VERIFIED = (*COLUMNS, "error_kept")


def judged(folder: Path, *rows: tuple[object, ...], columns: tuple[str, ...] = COLUMNS) -> pl.DataFrame:
    pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None).with_columns(
        pl.col("^error.*$").cast(pl.Float64)
    ).write_parquet(folder / "cleaning.parquet")
    found = judgements(read_results(folder))
    assert found is not None
    return found


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


def test_the_gain_is_the_share_by_which_what_was_kept_lowers_the_error(tmp_path: Path) -> None:
    # a keeps outliers: 1 - 0.9 / 1.0 = 0.1. b keeps both: 1 - 0.5 / 2.0 = 0.75.
    # c keeps nothing; the best that was tried is 1.1 of 1.0: a gain of -0.1.
    frame = judged(
        tmp_path,
        ("a", 1.0, 0.9, 1.2, 0.95, "outliers", "least"),
        ("b", 2.0, 1.0, 1.0, 0.5, "outliers+anomalies", "least"),
        ("c", 1.0, 1.1, 1.3, None, "none", "no gain"),
    )
    assert frame["error_kept"].to_list() == [0.9, 0.5, 1.0]
    assert frame["gain"].to_list() == [pytest.approx(0.1), 0.75, None]
    assert frame["best_gain"].to_list() == [pytest.approx(0.1), 0.75, pytest.approx(-0.1)]


def test_what_was_kept_is_told_by_the_verified_error(tmp_path: Path) -> None:
    # Measured with all series cleaned, outliers left a 0.5 of 1.0; with each as kept 0.8: 1 - 0.8 / 1.0 = 20 %.
    # b keeps its values, 0.97 with the others cleaned: no gain of its own. c has nothing to clean.
    frame = judged(
        tmp_path,
        ("a", 1.0, 0.5, None, None, "outliers", "falls", 0.8),
        ("b", 1.0, 1.1, None, None, "none", "no gain", 0.97),
        ("c", None, None, None, None, "none", "nothing to clean", None),
        columns=VERIFIED,
    )
    assert frame["error_kept"].to_list() == [0.8, 0.97, None]
    assert frame["gain"].to_list() == [pytest.approx(0.2), None, None]
    assert frame["best_gain"].to_list() == [pytest.approx(0.2), pytest.approx(-0.1), None]
    section = text_of(guard_section(frame))
    assert "Cleaning outliers was kept for 1 of the 2 series that it changes; it lowers its error by 20 %" in section
    assert "20.0 % lower1 → 0.800, outliers kept" in section
    assert "not confirmed" not in section


@pytest.mark.parametrize(("count", "said"), [(1, "1 series stays as observed"), (2, "2 series stay as observed")])
def test_a_gain_that_was_not_confirmed_is_said(tmp_path: Path, count: int, said: str) -> None:
    why = "not confirmed: with what was chosen for each series the error on 25 windows is 1.01, as observed 1"
    rows = [(name, 1.0, 0.5, None, None, "none", why, 1.0) for name in "ab"[:count]]
    section = guard_section(judged(tmp_path, *rows, ("c", 1.0, 2.0, None, None, "none", "", 1.0), columns=VERIFIED))
    assert f"{said} because a gain was not confirmed." in text_of(section)
    assert section.count("1 → 0.500, not confirmed</span>") == count
    assert section.count("1 → 2, not kept</span>") == 1
    assert f'title="{why}"' in section


def test_the_answer_counts_the_series_with_something_to_clean_and_gives_the_median_gain(tmp_path: Path) -> None:
    # Outliers: tried in a, b, c; kept in a (10 %) and b (20 %): median 15 %. Anomalies: tried in d alone, not kept.
    frame = judged(
        tmp_path,
        ("a", 1.0, 0.9, None, None, "outliers", ""),
        ("b", 1.0, 0.8, None, None, "outliers", ""),
        ("c", 1.0, 1.5, None, None, "none", ""),
        ("d", 1.0, None, 1.1, None, "none", ""),
        ("e", 1.0, None, None, None, "none", ""),
    )
    said = text_of(guard_section(frame))
    assert "Cleaning outliers was kept for 2 of the 3 series that it changes; it lowers their error by 15 %" in said
    assert "Handling anomalies was not kept for the one series that it changes." in said


def test_cleaning_that_was_kept_against_the_measure_is_said_to_raise_the_error(tmp_path: Path) -> None:
    frame = judged(tmp_path, ("a", 1.0, 1.2, None, None, "outliers", "always"))
    said = guard_section(frame)
    assert "was kept for the one series that it changes; it raises its error by" in text_of(said)
    assert '<b class="poor">20 %</b>' in said
    assert "20.0 % higher" in said


def test_cleaning_kept_for_none_of_many_says_none(tmp_path: Path) -> None:
    rows = [(name, 1.0, 1.1, None, None, "none", "") for name in "abc"]
    assert "was kept for none of the 3 series that it changes." in text_of(guard_section(judged(tmp_path, *rows)))


def test_series_come_with_the_largest_gain_first_each_dot_in_its_place(tmp_path: Path) -> None:
    # Gains 0.5 and -0.25; the scale reaches 0.5 * 1.06 to either side: 50 + 50 * 0.5 / 0.53 = 97.2 and 26.4 per cent.
    frame = judged(
        tmp_path, ("a", 1.0, 1.25, None, None, "none", ""), ("b", 1.0, 0.5, None, None, "outliers", "halved")
    )
    section = guard_section(frame)
    assert section.index(">b</a>") < section.index(">a</a>")
    assert '<i style="left:97.2%"></i>' in section
    assert '<i style="left:26.4%"></i>' in section
    assert '<b style="left:26.4%;width:23.6%"></b>' in section
    assert '<li class="kept" title="halved">' in section
    assert "1 → 0.500, outliers kept" in section


def test_of_many_series_the_ends_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    rows = [(f"s{n:03d}", 1.0, 0.5 + n / 200, None, None, "outliers", "") for n in range(100)]
    section = guard_section(judged(tmp_path, *rows))
    assert section.count("<li class") == 31
    assert "70 series between" in section
    assert ">s014</a>" in section
    assert ">s015</a>" not in section
    assert ">s084</a>" not in section
    assert ">s085</a>" in section


def test_without_anything_to_clean_the_page_is_calm(tmp_path: Path) -> None:
    section = guard_section(judged(tmp_path, ("a", 1.0, None, None, None, "none", "")))
    assert "all are forecast as observed" in section


def test_a_run_that_was_told_what_to_keep_says_that_nothing_was_measured(tmp_path: Path) -> None:
    told = ("a", None, None, None, None, "outliers+anomalies", "not measured: the mode is always")
    section = text_of(guard_section(judged(tmp_path, told)))
    assert "What cleaning brings was not measured: the mode is always." in section
    assert "as observed" not in section


def test_an_error_of_nought_has_no_gain(tmp_path: Path) -> None:
    frame = judged(tmp_path, ("a", 0.0, 0.0, None, None, "none", ""))
    assert frame["best_gain"].to_list() == [None]
    assert "enough windows" in guard_section(frame)


def test_a_run_without_a_guard_says_so(results: Path, tmp_path: Path) -> None:
    shutil.copy(results / "stats.parquet", tmp_path / "stats.parquet")
    assert judgements(read_results(tmp_path)) is None
    assert "was not measured" in guard_section(None)


def test_names_and_reasons_stay_text(tmp_path: Path) -> None:
    section = guard_section(judged(tmp_path, ('<b>"a', 1.0, 0.5, None, None, "outliers", '"><script>')))
    assert "<script>" not in section
    assert '<b>"a' not in section
    assert 'href="#series=%3Cb%3E%22a"' in section
