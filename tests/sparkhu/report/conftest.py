from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkhu.report import write_report
from tests.sparkhu.report.fake_results import write_results

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
