import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.report import write_report
from sparkhu.report.reading import DOCUMENTS, REQUIRED
from tests.sparkhu.report.fake_cleaning import EVIL_CATEGORY, EVIL_STRATEGY, EVIL_UNIT, NEW_COLUMNS, NEW_TABLES
from tests.sparkhu.report.fake_results import EVIL, write_results

ALL_FILES = [*[f"{name}.parquet" for name in REQUIRED], *[f"{name}.json" for name in DOCUMENTS]]


class Elements(HTMLParser):
    """All start tags of a page, and the ids of its inert data elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_report_of_twelve_series_is_one_file_under_three_megabytes(report: Path) -> None:
    assert report.stat().st_size < 3_000_000


def test_the_report_loads_nothing(report: Path) -> None:
    elements = Elements(report.read_text(encoding="utf-8")).found

    assert not [tag for tag, attributes in elements if {"src", "srcset", "action", "data"} & attributes.keys()]
    assert not [tag for tag, _ in elements if tag in ("link", "iframe", "object", "embed", "base", "img")]
    links = [attributes["href"] for tag, attributes in elements if tag == "a"]
    assert all(href and href.startswith("#") for href in links)


def test_the_page_mentions_no_web_address(report: Path) -> None:
    assert re.findall(r"https?://[^\s\"'<]*", report.read_text(encoding="utf-8")) == []


def test_the_policy_forbids_everything_but_the_pages_own_two_scripts(report: Path) -> None:
    elements = Elements(report.read_text(encoding="utf-8")).found
    policy = next(a["content"] for tag, a in elements if tag == "meta" and a.get("http-equiv"))

    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("'sha256-") == 2
    assert "script-src 'unsafe-inline'" not in policy


def test_a_series_named_like_a_script_stays_text(report: Path) -> None:
    text = report.read_text(encoding="utf-8")

    assert not [hostile for hostile in (EVIL, EVIL_STRATEGY, EVIL_UNIT, EVIL_CATEGORY) if hostile in text]
    assert "<img" not in text
    plain_scripts = [a for tag, a in Elements(text).found if tag == "script" and "type" not in a]
    assert len(plain_scripts) == 1


def test_running_twice_gives_the_same_bytes(results: Path, report: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    write_report(results, again)

    assert again.read_bytes() == report.read_bytes()


@pytest.mark.parametrize("name", [name for name in ALL_FILES if name != "run.json"])
def test_a_part_without_its_file_is_left_out_and_said_so(results: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    (folder / name).unlink()
    write_report(folder, tmp_path / "report.html")

    assert f"Not in this run: {name}." in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REQUIRED)
def test_an_empty_table_makes_a_report(results: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    pl.read_parquet(folder / f"{name}.parquet").clear().write_parquet(folder / f"{name}.parquet")
    write_report(folder, tmp_path / "report.html")

    assert (tmp_path / "report.html").stat().st_size > 1_000_000


@pytest.mark.parametrize("name", ALL_FILES)
def test_one_file_alone_makes_a_report(results: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(results / name, folder / name)
    write_report(folder, tmp_path / "report.html")

    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("Not in this run: ") == 1


def test_results_of_an_older_run_make_a_report_that_says_what_they_lack(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "older")
    for name in NEW_TABLES:
        (folder / f"{name}.parquet").unlink()
    clean = pl.read_parquet(folder / "clean.parquet").drop(NEW_COLUMNS)
    clean.write_parquet(folder / "clean.parquet")
    write_report(folder, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert f"Not in this run: {', '.join(f'{name}.parquet' for name in NEW_TABLES)}." in text
    assert "No cleaning.parquet in this run: what cleaning brought was not measured." in text
    assert 'id="parts-' not in text


def test_the_report_of_a_forecast_has_no_part_that_only_training_fills(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "forecast"
    folder.mkdir()
    for name in ("clean", "forecasts", "ledger", "quarantine", "duplicates"):
        shutil.copy(results / f"{name}.parquet", folder)
    shutil.copy(results / "history.json", folder)
    write_report(folder, tmp_path / "trained.html")
    steps = json.loads((folder / "history.json").read_text())
    steps.append({**steps[-1], "step": "forecast_new", "inputs": [steps[-1]["step"]]})
    (folder / "history.json").write_text(json.dumps(steps))
    write_report(folder, tmp_path / "forecast.html")
    trained, forecast = ((tmp_path / f"{name}.html").read_text("utf-8") for name in ("trained", "forecast"))

    parts = [[a["id"] for tag, a in Elements(text).found if tag == "section"] for text in (trained, forecast)]
    of_training = ["accuracy", "cleaning", "strategies", "tuning"]
    assert [name for name in parts[0] if name not in parts[1]] == of_training
    assert not [name for name in of_training if f'href="#{name}"' in forecast]
    assert all(f'href="#{name}"' in forecast for name in parts[1])
    assert "How good it is, the report of the run that trained it says." in forecast
    assert "No errors of models in this run" in trained


def test_a_folder_that_is_not_there_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere' does not exist"):
        write_report(tmp_path / "nowhere", tmp_path / "report.html")


def test_a_folder_without_results_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no result"):
        write_report(tmp_path, tmp_path / "report.html")


def test_a_missing_column_is_named(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    pl.read_parquet(folder / "forecasts.parquet").drop("y_hat").write_parquet(folder / "forecasts.parquet")
    with pytest.raises(InputError, match=r"forecasts\.parquet' lacks column 'y_hat'; it has unique_id, cutoff"):
        write_report(folder, tmp_path / "report.html")


@pytest.mark.parametrize(("text", "message"), [("{", "is no JSON"), ("[]", "holds a JSON list, expected dict")])
def test_a_broken_document_is_named(results: Path, tmp_path: Path, text: str, message: str) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    (folder / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=f"metrics.json' {message}"):
        write_report(folder, tmp_path / "report.html")


def test_a_file_that_is_no_parquet_is_named(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    (folder / "stats.parquet").write_text("no table")
    with pytest.raises(InputError, match=r"stats\.parquet' cannot be read as Parquet"):
        write_report(folder, tmp_path / "report.html")


def test_a_report_that_fails_leaves_nothing_behind(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("sparkhu.report.page.packed_chart_library", fail)
    with pytest.raises(OSError, match="no space"):
        write_report(results, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_the_report_imports_neither_plotly_nor_pandas() -> None:
    import subprocess
    import sys

    code = "import sys, sparkhu.report; print({'plotly', 'pandas', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_ten_thousand_series_stay_small_and_quick(tmp_path: Path) -> None:
    import time

    folder = write_results(tmp_path / "results", series=10_000, points=1000)
    begin = time.perf_counter()
    write_report(folder, tmp_path / "report.html")

    assert time.perf_counter() - begin < 60
    assert (tmp_path / "report.html").stat().st_size < 15_000_000
