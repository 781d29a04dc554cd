from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkhu.report import write_report
from tests.sparkhu.report.fake_results import write_results
from tests.sparkhu.report.viewports import WIDE

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole results folder of 12 series, and one that failed."""
    return write_results(tmp_path_factory.mktemp("results"), series=12, points=1500)


@pytest.fixture(scope="session")
def report(results: Path) -> Path:
    """Its report."""
    out = results.parent / "report.html"
    write_report(results, out)
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, report: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The opened report; the test fails on any message on the console and on any request beside the file."""
    context = browser.new_context(viewport=getattr(request, "param", WIDE))
    opened = context.new_page()
    trouble: list[str] = []
    opened.on("console", lambda message: trouble.append(message.text))
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
    opened.on("request", lambda sent: sent.url.startswith(("file:", "blob:", "data:")) or trouble.append(sent.url))
    opened.goto(report.as_uri())
    opened.wait_for_selector("html[data-ready]")
    yield opened
    context.close()
    assert trouble == []
