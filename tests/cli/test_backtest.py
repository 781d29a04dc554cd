"""`sparkhu backtest` as a user types it."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from sparkhu.backtesting import running
from sparkhu.backtesting.leaks import LeakError
from sparkhu.stages import backtesting
from sparkhu.training.known import RECIPES
from sparkhu_cli.main import sparkhu
from tests.sparkhu.backtesting.made_rows import made_rows

FILES = ["forecasts.parquet", "ledger.parquet", "metrics.json", "series.parquet"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = pl.concat([made_rows("a", "b"), made_rows("tiny", n=5)])
    file = tmp_path_factory.mktemp("source") / "load.csv"
    text = rows.select(id="unique_id", time=pl.col("ds").dt.strftime("%Y-%m-%dT%H:%M"), load="y").write_csv()
    file.write_text(text + "a,2024-01-05T00:00,many\n")
    return file


def backtest(*arguments: object) -> Result:
    return CliRunner().invoke(sparkhu, ["backtest", *[str(argument) for argument in arguments]])


def test_a_source_is_backtested_and_the_errors_are_shown_and_kept(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = backtest("--source", source, "--folds", 2, "--horizon", 12, "--out", out)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == FILES
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["protocol"]["folds"], metrics["protocol"]["horizon"], metrics["series"]) == (2, 12, 2)
    forecasts = pl.read_parquet(out / "forecasts.parquet")
    assert forecasts.height == 2 * 2 * 12 * 4
    series = pl.read_parquet(out / "series.parquet").filter(pl.col("model") == "linear")
    assert series["mae"].mean() == pytest.approx(metrics["linear"]["mae"])
    ledger = pl.read_parquet(out / "ledger.parquet").filter(pl.col("step") == "backtest")
    assert dict(ledger.select("unique_id", "status").iter_rows()) == {"a": "ok", "b": "ok", "tiny": "skipped"}
    lines = [line.split() for line in done.output.splitlines()]
    best = next(line for line in lines if "*" in line)
    assert metrics["best"] in best
    assert "✓ 1h/24 fold 2 of 2: from 2024-01-17 04:00, linear" in done.output
    assert "no forecast that was compared changes with what lies behind its cutoff" in done.output
    assert "not compared" not in done.output
    assert "! 1 series left out" in done.output
    assert "1 rows refused" in done.output


def test_the_competition_is_read_from_its_folder(tmp_path: Path) -> None:
    values = made_rows("a", n=100)["y"].to_list()
    for half, numbers in (("train", values), ("test", values[:6])):
        cells = ",".join(f"{number:.2f}" for number in numbers)
        (tmp_path / f"Yearly-{half}.csv").write_text(f"V1,V2\nY1,{cells}\n")
    out = tmp_path / "out"
    done = backtest("--source", tmp_path, "--preset", "m4", "--models", "seasonal_naive", "--out", out)
    assert done.exit_code == 0, done.output
    metrics = json.loads((out / "metrics.json").read_text())
    assert list(metrics["groups"]) == ["1y/1"]
    assert metrics["naive2"]["owa"] == metrics["last_value"]["owa"] == 1.0
    assert "linear" not in metrics


def test_the_folder_of_the_results_may_hold_the_signs_of_patterns(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "m[1]*?"
    done = backtest("--source", source, "--folds", 1, "--horizon", 6, "--models", "last_value", "--out", out)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert pl.read_parquet(out / "forecasts.parquet", glob=False).height == 2 * 6 * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "linear,oracle"], f"'oracle' is no model that can be fitted; there is {', '.join(RECIPES)}"),
        (["--models", "linear,linear"], "--models names 'linear' twice"),
        (["--preset", "m4", "--horizon", "3"], "--horizon is set by the preset m4"),
        (["--preset", "m4", "--zone", "UTC"], "--zone is set by the preset m4"),
        (["--preset", "ett", "--folds", "3"], "--folds is set by the preset ett"),
        (["--preset", "ett", "--scaler", "power"], "--scaler is set by the preset ett"),
        (["--preset", "ett"], "takes 20 months of 30 days"),
        (["--horizon", "500"], "no series can be scored; the first reason: "),
        (["--time", "when"], "when"),
        (["--seed", "-1"], "-1 is not in the range x>=0"),
    ],
)
def test_what_cannot_be_used_ends_with_two_and_leaves_nothing(
    source: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    wide = source.parent / "wide.csv"
    if "ett" in arguments:
        made_rows("a", n=100).pivot("unique_id", index="ds", values="y").write_csv(wide)
        source = wide
    done = backtest("--source", source, *arguments, "--out", tmp_path / "out")
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert not (tmp_path / "out").exists()


def test_a_leak_ends_with_one_and_earlier_results_stay(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaking(*_: object, **__: object) -> None:
        raise LeakError("oracle has seen the future")

    (tmp_path / "metrics.json").write_text("{}")
    monkeypatch.setattr(backtesting, "backtest", leaking)
    done = backtest("--source", source, "--out", tmp_path)
    assert done.exit_code == 1
    assert "oracle has seen the future" in done.output
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"metrics.json": "{}"}


def test_the_results_of_a_run_are_not_written_over(source: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    done = backtest("--source", source, "--out", tmp_path)
    assert done.exit_code == 2
    assert "holds the results of a run" in done.output


def test_without_the_check_it_is_said_that_nobody_looked(source: Path, tmp_path: Path) -> None:
    done = backtest("--source", source, "--folds", 1, "--horizon", 6, "--no-leaks", "--no-intervals", "--out", tmp_path)
    assert "! nobody looked for leaks" in done.output
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["leaks"]["status"] == "not looked for"
    assert metrics["linear"]["pinball"] is metrics["seasonal_naive"]["coverage_80"] is None


def test_models_that_were_not_compared_for_leaks_are_named(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "check_leaks", lambda *_, **__: {"last_value", "seasonal_naive", "naive2"})
    done = backtest("--source", source, "--folds", 1, "--horizon", 6, "--out", tmp_path / "out")
    assert "! not compared, as they forecast nothing there: linear" in done.output
