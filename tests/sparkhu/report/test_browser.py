"""The report in a real browser."""

import csv
import io
import json
import re
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.report import write_report
from tests.sparkhu.report.fake_cleaning import EVIL_CATEGORY, EVIL_STRATEGY, EVIL_UNIT
from tests.sparkhu.report.fake_results import EVIL, write_results
from tests.sparkhu.report.viewports import PHONE, WIDE


def first_cells(page: Any, table: str = "series") -> list[str]:
    return page.locator(f"#{table} .scroll tbody tr:not(.space) td:first-child").all_inner_texts()


CHARTS = "#cards .chart, [data-study='0'] .chart"
ALL_DRAWN = f"""() => {{ const all = [...document.querySelectorAll("{CHARTS}")];
  return all.length === 13 && all.every((chart) => chart.dataset.drawn); }}"""
"""Six cards of two charts each, and the study that is not folded."""
WIDTHS = (
    f"""() => [...document.querySelectorAll("{CHARTS}")].map((chart) => chart.querySelector(".main-svg").clientWidth)"""
)


def test_charts_are_drawn_without_being_scrolled_to(page: Any) -> None:
    page.wait_for_function(ALL_DRAWN)
    assert page.evaluate("scrollY") == 0
    assert page.locator(".chart[data-drawn] .scatterlayer .trace").count() > 13
    assert page.locator("[data-study='1'] .chart").count() == 0  # folded
    assert page.locator(".chart[data-drawn] .xtitle").first.text_content() == "trial"
    card = page.locator("#cards .card").first
    assert card.locator(".chart[data-drawn] .xtitle").first.text_content() == "time (UTC)"
    assert card.locator(".chart[data-drawn] .ytitle").first.text_content() == "load_kw (kW)"


def test_cards_that_are_asked_for_are_drawn_too(page: Any) -> None:
    page.wait_for_function(ALL_DRAWN)
    page.get_by_text("Show 6 more of 6").click()
    page.wait_for_function("() => document.querySelectorAll('#cards .chart[data-drawn]').length === 24")


def test_charts_fit_the_paper_and_the_page_again_afterwards(page: Any) -> None:
    page.wait_for_function(ALL_DRAWN)
    before = page.evaluate(WIDTHS)
    page.evaluate(f"() => addEventListener('beforeprint', () => {{ window.onPaper = ({WIDTHS})(); }})")
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("onPaper") == [660] * 13
    page.wait_for_function(f"(before) => String(({WIDTHS})()) === String(before)", arg=before)


def test_paper_shows_the_rows_of_a_table_that_are_built_and_no_room_for_the_others(page: Any) -> None:
    table = page.locator("#ledger .scroll")
    table.locator(".space:visible").first.wait_for()
    page.emulate_media(media="print")
    assert table.locator(".space:visible").count() == 0
    rows = table.locator("tbody tr:not(.space)").count()
    assert rows * 32 <= table.bounding_box()["height"] < (rows + 4) * 32


def far_forecast(folder: Path, high: float, *, evaluated: bool = True) -> Path:
    """A report of a series between 0 and 10, whose 95 % interval goes from -5 to `high` where its forecast ends."""
    hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "1h", time_zone="UTC", eager=True)
    pl.DataFrame({"unique_id": "a", "ds": hours, "y": [float(hour % 11) for hour in range(49)]}).write_parquet(
        folder / "clean.parquet"
    )
    bounds = {"lo_80": [2.0, 1.0], "hi_80": [7.0, 8.0], "lo_95": [1.0, -5.0], "hi_95": [8.0, high]}
    made = {"model": ["linear"] * 2, "y_hat": [4.0, 5.0], **bounds}
    ahead = hours.tail(2) + timedelta(hours=2)
    table = pl.DataFrame({"unique_id": ["a", "a"], "cutoff": [hours[-1]] * 2, "ds": ahead, **made})
    table.write_parquet(folder / "forecasts.parquet")
    if evaluated:
        (folder / "metrics.json").write_text(json.dumps({"champion": "linear", "linear": {"mae": 1.0}}))
    write_report(folder, folder / "report.html")
    return folder / "report.html"


@pytest.mark.parametrize(
    ("high", "top", "label", "said"),
    [
        (20.0, pytest.approx(21.5), "95 %", None),  # 0.06 of -5 to 20 is air
        (1e6, pytest.approx(26.8), "95 % ↑", "The intervals go beyond the axis, up to 1,000,000."),
        (1e30, pytest.approx(26.8), "95 % ↑", "The intervals go beyond the axis, up to 1e+30."),
    ],
)
def test_the_axis_of_a_forecast_shows_the_curve_whatever_its_interval_is(
    browser: Any, tmp_path: Path, high: float, top: float, label: str, said: str | None
) -> None:
    opened = browser.new_page(viewport=WIDE)
    opened.goto(far_forecast(tmp_path, high).as_uri())
    chart = opened.locator("#cards .chart").nth(1)
    chart.locator(".annotation-text").first.wait_for()
    low, highest = chart.evaluate("one => one.layout.yaxis.range")
    assert highest == top  # 10, and 1.5 times what lies between 0 and 10, and air
    assert -7 < low < -5
    assert set(chart.locator(".annotation-text").all_text_contents()) == {"linear", "80 %", label}
    notes = opened.locator("#cards figure .note").all_inner_texts()
    assert notes == ([said] if said else [])
    opened.close()


def test_no_button_of_a_chart_sends_it_away(page: Any) -> None:
    page.locator("#charts .card").first.scroll_into_view_if_needed()
    page.wait_for_selector(".chart[data-drawn] .modebar-btn", state="attached")
    buttons = page.locator(".chart[data-drawn] .modebar-btn").evaluate_all("all => all.map(one => one.dataset.title)")
    assert set(buttons) == {"Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"}


def test_the_forecast_has_two_fans_and_labels_on_its_lines(page: Any) -> None:
    page.locator("#charts .card").first.scroll_into_view_if_needed()
    chart = page.locator("#charts .card").first.locator(".chart").nth(1)
    chart.scroll_into_view_if_needed()
    chart.locator(".annotation-text").first.wait_for()
    labels = set(chart.locator(".annotation-text").all_text_contents())
    assert labels == {"linear", "80 %", "95 %", "seasonal naive", "last value"}
    assert chart.locator(".fills path.js-fill").count() == 2


def test_the_only_model_of_a_run_that_evaluated_nothing_has_its_intervals_drawn(browser: Any, tmp_path: Path) -> None:
    opened = browser.new_page(viewport=WIDE)
    opened.goto(far_forecast(tmp_path, 20.0, evaluated=False).as_uri())
    chart = opened.locator("#cards .chart").nth(1)
    chart.locator(".annotation-text").first.wait_for()
    assert set(chart.locator(".annotation-text").all_text_contents()) == {"linear", "80 %", "95 %"}
    assert chart.locator(".fills path.js-fill").count() == 2
    opened.close()


def test_the_table_sorts_both_ways_and_keeps_empty_values_last(page: Any) -> None:
    head = page.locator("#series th button", has_text="MAE seasonal naive").first
    head.click()
    cells = page.locator("#series .scroll tbody tr:not(.space) td:nth-child(4)")
    falling = cells.all_inner_texts()
    assert falling[-1] == "–"
    assert falling[:-1] == sorted(falling[:-1], reverse=True)
    head.click()
    rising = cells.all_inner_texts()
    assert rising[-1] == "–"
    assert rising[:-1] == falling[-2::-1]
    assert page.locator("#series th[aria-sort=ascending]").count() == 1


def test_the_table_filters_by_text_and_by_comparison(page: Any) -> None:
    box = page.get_by_label("Filter series")
    box.fill("meter_00004")
    assert first_cells(page) == ["meter_00004"]
    assert page.locator("#series output").first.inner_text() == "1 of 13 rows"
    box.fill("coverage_80<0.7")
    assert first_cells(page) == ["meter_00001"]
    box.fill("no such series")
    assert "No row matches." in page.locator("#series tbody").inner_text()


def test_a_line_of_the_summary_filters_the_table_it_leads_to(page: Any) -> None:
    page.get_by_text("1 series failed and left out").click()
    assert first_cells(page, "ledger") == ["empty_meter"]


def test_views_show_other_columns(page: Any) -> None:
    page.get_by_role("button", name="Statistics").click()
    heads = page.locator("#series th").all_inner_texts()
    assert heads[:6] == ["Series", "Type", "Unit", "Group", "Mean", "Median"]


@pytest.mark.parametrize("view", ["Forecast", "Cleaning", "Kept"])
def test_the_first_views_show_all_their_columns_on_a_desk(page: Any, view: str) -> None:
    page.locator("#series .tabs").get_by_role("button", name=view, exact=True).click()
    assert page.locator("#series .scroll").evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    assert page.locator("#series .frame.beyond").count() == 0


def test_a_shade_says_that_more_columns_lie_to_the_right_until_the_last_is_seen(page: Any) -> None:
    page.get_by_role("button", name="Statistics").click()
    page.locator("#series .frame.beyond").wait_for(state="attached")
    page.locator("#series .scroll").evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    page.locator("#series .frame:not(.beyond)").wait_for(state="attached")


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_phone_shows_every_column_of_the_strategies(page: Any) -> None:
    cut = "all => all.map((box) => box.scrollWidth - box.clientWidth)"
    assert max(page.locator("#strategies .wide").evaluate_all(cut)) <= 0


def test_errors_of_a_card_say_their_unit(page: Any) -> None:
    page.locator("#charts .card").first.scroll_into_view_if_needed()
    page.locator("#charts .card .behind h4", has_text="injected").first.wait_for()
    titles = page.locator("#charts .card h4").all_inner_texts()
    assert "Error with injected spikes, kW" in titles
    assert "MAE of filling hidden points, kW" in titles


def test_the_csv_holds_the_rows_in_view_with_all_columns(page: Any, tmp_path: Path) -> None:
    page.get_by_label("Filter series").fill("rich")
    with page.expect_download() as download:
        page.locator("#series .save").click()
    saved = tmp_path / "series.csv"
    download.value.save_as(saved)
    with saved.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert download.value.suggested_filename == "series.csv"
    assert [row["unique_id"] for row in rows] == ['Zürich & Söhne, "north"']
    assert rows[0]["points"] == "1500"
    assert float(rows[0]["mean"]) > 0


def test_the_csv_holds_no_text_that_a_spreadsheet_would_run(browser: Any) -> None:
    texts = ["=1+1", "+1", "-2", "@a", "\tb", "\rc", "a=1", '=HYPERLINK("x")', None]
    content = {
        "columns": [{"key": "id", "format": "text"}, {"key": "n", "format": "number"}],
        "data": [texts, [-row - 0.5 for row in range(len(texts))]],
        "order": list(range(len(texts))),
    }
    script = (files("sparkhu.report") / "assets" / "table.js").read_text()
    opened = browser.new_page()
    written = opened.evaluate(f"(content) => {{ {script}; return DataTable.prototype.csv.call(content); }}", content)
    opened.close()
    rows = list(csv.reader(io.StringIO(written, newline="")))
    made = ["'=1+1", "'+1", "'-2", "'@a", "'\tb", "'\rc", "a=1", '\'=HYPERLINK("x")', ""]
    assert rows == [["id", "n"], *[[text, f"{-row - 0.5}"] for row, text in enumerate(made)]]


def test_a_series_opens_at_its_own_address_and_its_name_stays_text(page: Any, report: Path) -> None:
    page.locator("#series .scroll td", has_text="alert").first.click()
    page.wait_for_selector("#opened .chart[data-drawn]")
    assert page.locator("#opened h3").inner_text() == EVIL
    assert "#series=%3Cscript%3E" in page.url


def test_hostile_strategies_units_and_categories_stay_text(page: Any) -> None:
    page.locator("#series .scroll td", has_text="alert").first.click()
    page.wait_for_selector("#opened .chart[data-drawn]")
    page.locator("#opened .parts").click()
    page.wait_for_selector("#opened .y4title")
    card = page.locator("#opened .card")
    assert page.locator("#opened .ytitle").first.text_content() == f"load_kw ({EVIL_UNIT})"
    assert EVIL_UNIT in card.locator(".about").inner_text()
    bars = card.locator(".measure span:first-child").all_text_contents()
    assert EVIL_CATEGORY in bars
    assert EVIL_STRATEGY in bars
    assert page.locator("main img, main script").count() == 0


def test_the_parts_of_a_series_open_on_demand_on_the_same_axis_and_close_again(page: Any) -> None:
    card = page.locator("#charts .card").first
    card.scroll_into_view_if_needed()
    chart = card.locator(".chart").first
    chart.scroll_into_view_if_needed()
    page.wait_for_selector("#charts .card .chart[data-drawn] .trace")
    before = chart.bounding_box()["height"]
    opener = card.get_by_role("button", name="Trend, season, remainder")
    assert opener.get_attribute("aria-expanded") == "false"
    opener.focus()
    page.keyboard.press("Enter")
    chart.locator(".y4title").wait_for()
    assert [chart.locator(f".y{axis}title").text_content() for axis in "234"] == ["trend", "season", "remainder"]
    assert opener.get_attribute("aria-expanded") == "true"
    assert "trend, season and remainder" in chart.get_attribute("aria-label")
    assert chart.locator(".xaxislayer-above, .xtitle").count() >= 1
    assert chart.locator(".xtitle").count() == 1
    notes = {text.split()[0] for text in chart.locator(".annotation-text").all_text_contents()}
    assert notes == {"alert", "limit", "drift"}
    assert chart.bounding_box()["height"] > before + 300
    assert chart.locator("svg.main-svg").first.bounding_box()["height"] > before + 300
    opener.click()
    chart.locator(".y4title").wait_for(state="detached")
    assert chart.bounding_box()["height"] == before


def test_anomalies_have_a_mark_of_their_own_and_the_key_names_what_was_done(page: Any) -> None:
    card = page.locator("#charts .card").first
    card.scroll_into_view_if_needed()
    page.wait_for_selector("#charts .card .chart[data-drawn] .trace")
    key = card.locator(".key").inner_text()
    assert re.search(r"[678] anomalies", key)
    assert "changed, by clip" in key
    assert "alert level far outside" in key
    assert card.locator("header").inner_text().count("MSTL with seasons 24, 168") == 1


def test_level_changes_are_marked_with_their_size_and_named_in_the_key(page: Any) -> None:
    page.locator("#quality a[data-query='shifts>0']").click()
    assert page.locator("#series output").first.inner_text() == "1 of 13 rows"
    page.locator("#series tbody a").first.click()
    page.wait_for_selector("#opened .card .chart[data-drawn] .trace")
    card = page.locator("#opened .card").first
    key = card.locator(".key").inner_text()
    assert "2 level shifts" in key
    assert "1 drift" in key
    notes = card.locator(".chart").first.locator(".annotation-text").all_text_contents()
    signs = sorted(note.split()[1][0] for note in notes if note.startswith("shift"))
    assert signs == ["+", "−"]
    assert sum(note.startswith("drift +") for note in notes) == 1


def test_a_line_of_the_quality_summary_filters_the_table_and_shows_the_column(page: Any) -> None:
    assert page.get_by_role("button", name="Forecast", exact=True).get_attribute("aria-pressed") == "true"
    page.locator("#quality a[data-query='anomalies>0']").click()
    assert page.get_by_role("button", name="Quality", exact=True).get_attribute("aria-pressed") == "true"
    assert "Anomalies" in page.locator("#series th").all_inner_texts()
    assert page.locator("#series output").first.inner_text() == "12 of 13 rows"


def test_a_series_of_the_guard_opens_its_card(page: Any) -> None:
    name = page.locator("#cleaning li a").first
    name.click()
    page.wait_for_selector("#opened .card h3")
    assert page.locator("#opened h3").inner_text() == name.inner_text()


def test_an_unknown_address_says_so(page: Any) -> None:
    page.evaluate("location.hash = '#series=nobody'")
    page.wait_for_selector("#opened .absent")
    assert page.locator("#opened").inner_text() == "No series is called “nobody”."


def test_a_point_between_gaps_is_drawn_as_a_dot(browser: Any, tmp_path: Path) -> None:
    day = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "1d", time_zone="UTC", eager=True)
    frame = pl.DataFrame({"unique_id": "a", "ds": day, "y": [None, 5.0, None]})
    frame.write_parquet(tmp_path / "clean.parquet")
    write_report(tmp_path, tmp_path / "report.html")
    opened = browser.new_page(viewport=WIDE)
    opened.goto((tmp_path / "report.html").as_uri())
    opened.locator("#charts .card").first.scroll_into_view_if_needed()
    opened.wait_for_selector(".chart[data-drawn]")
    assert opened.locator(".points path.point").count() == 1
    opened.close()


def test_more_cards_come_on_demand(page: Any) -> None:
    assert page.locator("#cards .card").count() == 6
    page.get_by_text("Show 6 more of 6").click()
    assert page.locator("#cards .card").count() == 12
    assert page.locator("#cards .more").count() == 0


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_phone_scrolls_down_only(page: Any) -> None:
    page.locator("#charts .card").first.scroll_into_view_if_needed()
    page.wait_for_selector(".chart[data-drawn]")
    page.locator("#charts .parts").first.click()
    page.wait_for_selector("#charts .y4title")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_table_of_thousands_builds_only_the_rows_in_view(browser: Any, tmp_path: Path) -> None:
    write_report(write_results(tmp_path / "results", series=3000, points=60), tmp_path / "report.html")
    opened = browser.new_page(viewport=WIDE)
    opened.goto((tmp_path / "report.html").as_uri())
    opened.wait_for_selector("html[data-ready]")
    assert opened.locator("#series tbody tr").count() < 60
    opened.locator("#series .scroll").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    opened.get_by_text("empty_meter").first.wait_for()
    assert opened.locator("#series tbody tr").count() < 60
    assert opened.get_by_role("button", name="Sample of 50").count() == 1
    opened.close()
