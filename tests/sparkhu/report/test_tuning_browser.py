"""The pictures of a tuning in a real browser."""

import itertools
from typing import Any

import pytest

from tests.sparkhu.report.fake_tuning import EVIL_VALUE
from tests.sparkhu.report.viewports import PHONE

FIRST, SECOND = "#tuning [data-study='0']", "#tuning [data-study='1']"


def opened(page: Any, study: str = FIRST) -> Any:
    """Bring a study into view and wait for its pictures."""
    page.locator(study).scroll_into_view_if_needed()
    page.wait_for_selector(f"{study} .chart[data-drawn] .scatterlayer .trace")
    return page.locator(study)


def test_the_objective_is_drawn_trial_by_trial_beside_the_defaults(page: Any) -> None:
    chart = opened(page).locator(".chart")
    assert (chart.locator(".xtitle").text_content(), chart.locator(".ytitle").text_content()) == (
        "trial",
        "validation MSE",
    )
    assert set(chart.locator(".annotation-text").all_text_contents()) == {"best so far", "defaults"}
    traces = dict(chart.evaluate("one => one.data.map((trace) => [trace.name, trace.x.length])"))
    marks = {"trial": 20, "stopped early": 1, "off the scale": 1, "without a result": 2, "best": 1}
    assert traces == {"best so far": 24, **marks}
    assert chart.locator(".points path.point").count() == 25
    assert chart.locator(".lines path").count() == 1
    key = " ".join(page.locator(f"{FIRST} .key").first.inner_text().split())
    assert key == "a trial stopped early off the scale: 7.5 without a result"


def test_a_line_a_trial_leads_through_its_parameters_to_its_objective(page: Any) -> None:
    tried = opened(page).locator(".parallel")
    assert tried.locator("path.trial").count() == 21
    assert tried.locator("path.best").count() == 1
    assert tried.locator("path.failed").count() == 2
    assert tried.locator("path.usual").count() == 1
    names = tried.locator("text.name").evaluate_all("all => all.map((one) => one.firstChild.data)")
    assert names == ["strength (log)", "shrink_to", "look_back", "validation MSE"]
    ticks = tried.locator(".axis").first.locator(".tick")
    assert ticks.all_text_contents() == ["0.001", "0.01", "0.1", "1", "10"]
    heights = ticks.evaluate_all("all => all.map((one) => Number(one.getAttribute('y')))")
    steps = [above - below for below, above in itertools.pairwise(heights)]
    assert steps == [pytest.approx(steps[0])] * 4  # by the logarithm, decades are evenly apart
    better = "all => all.map((one) => parseInt(one.style.getPropertyValue('--good')))"
    shades = tried.locator("path.trial").evaluate_all(better)
    assert shades == sorted(shades)  # the better a trial, the later it is drawn, and the stronger
    assert shades[0] == 0
    assert shades[-1] > 80


def test_a_line_that_is_pointed_at_says_which_trial_it_is(page: Any) -> None:
    tried = opened(page).locator(".parallel")
    assert tried.locator(".read").inner_text() == "Point at a line to read its trial."
    tried.locator("g:has(> path.best) > path.near").dispatch_event("pointerenter")
    best = page.locator(f"{FIRST} .figures dt").first.inner_text().rpartition(" ")[2]
    said = tried.locator(".read").inner_text()
    assert said.startswith(f"trial {best}: validation MSE 0.4")
    assert " · strength 0.0" in said
    tried.locator("g:has(> path.failed) > path.near").first.dispatch_event("pointerenter")
    assert f": failed ({EVIL_VALUE}) · strength " in tried.locator(".read").inner_text()
    assert tried.locator("g.shown").count() == 1


def test_a_folded_group_is_drawn_when_it_is_opened(page: Any) -> None:
    opened(page)
    assert page.locator(f"{SECOND} .chart").count() == 0
    page.locator("#tuning summary").nth(1).click()
    assert opened(page, SECOND).locator("path.trial").count() == 37


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_on_a_phone_the_axes_lie_one_below_the_other_and_nothing_is_cut_off(page: Any) -> None:
    study = opened(page)
    boxes = [line.bounding_box() for line in study.locator(".axis line").all()]
    assert all(box["height"] < 2 and box["width"] > 300 for box in boxes)
    assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert (
        max(page.locator("#tuning .wide").evaluate_all("all => all.map((box) => box.scrollWidth - box.clientWidth)"))
        <= 0
    )
    said = study.locator(".told").bounding_box()
    assert said["y"] < study.locator(".chart").bounding_box()["y"]
