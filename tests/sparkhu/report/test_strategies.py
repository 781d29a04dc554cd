import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from sparkhu.report.accuracy import read_accuracy
from sparkhu.report.overview import build_overview
from sparkhu.report.reading import read_results
from sparkhu.report.strategies import fill_errors, handling_errors, standings, strategies_section
from tests.sparkhu.report.fake_cleaning import EVIL_STRATEGY


def frame(rows: Sequence[tuple[object, ...]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=list(columns), orient="row")


def test_ranks_and_regrets_are_those_worked_by_hand() -> None:
    # a: mean 1 (rank 1, regret 0), last 2 (rank 2, regret 1). b: mean 3 (rank 2, regret 2), last 1 (rank 1, regret 0).
    # c: both 4, so both share rank 1.5 and have no regret.
    # mean: rank (1 + 2 + 1.5) / 3 = 1.5, regrets 0, 2, 0: median 0; 90 % quantile at 1.8 of 0, 0, 2: 0.8 * 2 = 1.6.
    # last: rank (2 + 1 + 1.5) / 3 = 1.5, regrets 1, 0, 0: median 0; 90 % quantile 0.8.
    errors = frame(
        [("a", "mean", 1.0), ("a", "last", 2.0), ("b", "mean", 3.0), ("b", "last", 1.0)]
        + [("c", name, 4.0) for name in ("mean", "last")],
        "unique_id",
        "strategy",
        "error",
    )
    chosen = frame([("a", "mean"), ("b", "last"), ("c", "mean"), ("d", "drop")], "unique_id", "strategy")
    rows = {row["strategy"]: row for row in standings(errors, chosen).iter_rows(named=True)}

    assert list(rows) == ["mean", "last", "drop"]
    assert rows["mean"] == {"strategy": "mean", "chosen": 2, "series": 3, "rank": 1.5, "regret": 0.0, "far": 1.6}
    assert rows["last"] == {"strategy": "last", "chosen": 1, "series": 3, "rank": 1.5, "regret": 0.0, "far": 0.8}
    assert rows["drop"] == {"strategy": "drop", "chosen": 1, "series": 0, "rank": None, "regret": None, "far": None}


def test_beside_a_perfect_strategy_others_have_no_regret_that_could_be_named() -> None:
    errors = frame([("a", "mean", 0.0), ("a", "last", 2.0)], "unique_id", "strategy", "error")
    table = standings(errors, frame([("a", "mean")], "unique_id", "strategy"))
    assert dict(table.select("strategy", "regret").rows()) == {"mean": 0.0, "last": None}


def test_errors_of_filling_are_weighted_as_the_choice_weighs_them(tmp_path: Path) -> None:
    # (1 * 3 + 5 * 1) / 4 = 2; a weight of 0 and an error that is no number count for nothing.
    rows = [
        ("a", "mean", 1.0, 3.0),
        ("a", "mean", 5.0, 1.0),
        ("a", "mean", 90.0, 0.0),
        ("a", "mean", float("nan"), 1.0),
    ]
    frame(rows, "unique_id", "strategy", "mae", "weight").write_parquet(tmp_path / "scores.parquet")
    errors = fill_errors(read_results(tmp_path))
    assert errors is not None
    assert errors.collect().rows() == [("a", "mean", 2.0)]


def test_errors_of_handling_weigh_spikes_and_clean_points_as_the_choice_does(tmp_path: Path) -> None:
    # A tenth of the points are anomalies: 0.1 * 2 + 0.9 * 1 = 1.1; to leave them costs 0.1 * 5 + 0.9 * 0 = 0.5.
    rows = [("a", "ema", 2.0, 1.0, 0.1), ("a", "leave", 5.0, 0.0, 0.1), ("b", "ema", None, None, None)]
    scores = frame(rows, "unique_id", "strategy", "error", "collateral", "share")
    scores.write_parquet(tmp_path / "handling_scores.parquet")
    errors = handling_errors(read_results(tmp_path))
    assert errors is not None
    assert dict(errors.collect().select("strategy", "error").rows()) == {"ema": pytest.approx(1.1), "leave": 0.5}


def test_errors_of_handling_without_a_share_are_those_at_the_spikes(tmp_path: Path) -> None:
    frame([("a", "clip", 0.5)], "unique_id", "strategy", "error").write_parquet(tmp_path / "handling_scores.parquet")
    errors = handling_errors(read_results(tmp_path))
    assert errors is not None
    assert errors.collect().rows() == [("a", "clip", 0.5)]


def test_a_strategy_that_is_scored_and_no_candidate_is_named_as_such(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    record = {"step": "pool_fills", "started": "2026-01-01", "params": {"variants": ["linear", "mean"], "choice": ""}}
    scored = frame([("a", name, 1.0) for name in ("linear", "mean", "mode")], "unique_id", "strategy", "mae")
    scored.write_parquet(folder / "scores.parquet")
    (folder / "history.json").write_text(json.dumps([record]))
    opened = read_results(folder)
    section = strategies_section(opened, build_overview(opened, read_accuracy(opened.metrics)))
    fills = section.partition("Handling anomalies")[0]
    assert "Scored, but not among the candidates of this run: mode." in fills
    assert re.findall(r'<th scope="row">(\w+)<span class="beside">not a candidate</span>', fills) == ["mode"]
    (folder / "history.json").write_text("[]")
    opened = read_results(folder)
    section = strategies_section(opened, build_overview(opened, read_accuracy(opened.metrics)))
    assert "not a candidate" not in section


def test_a_strategy_counts_as_chosen_only_where_there_are_anomalies(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    clean = pl.read_parquet(folder / "clean.parquet")
    first = clean["unique_id"][0]
    clean.with_columns(is_anomaly=pl.col("is_anomaly") & (pl.col("unique_id") == first)).write_parquet(
        folder / "clean.parquet"
    )
    section = section_of(folder)
    assert '<th scope="row">clip</th><td class="num">1</td>' in section
    assert '<th scope="row">leave</th><td class="num">0</td>' in section


def section_of(folder: Path) -> str:
    opened = read_results(folder)
    return strategies_section(opened, build_overview(opened, read_accuracy(opened.metrics)))


def test_the_section_gives_one_table_for_gaps_and_one_for_anomalies(results: Path) -> None:
    section = section_of(results)
    assert section.count("<table") == 2
    names = re.findall(r'<th scope="row">(.*?)</th>', section)
    assert names[:5] == ["linear", "last", "next", "mean", "median"]
    assert names[5:7] == ["clip", "leave"]
    assert EVIL_STRATEGY not in section


def test_a_run_without_scores_says_so(tmp_path: Path) -> None:
    frame([("a",)], "unique_id").write_parquet(tmp_path / "stats.parquet")
    section = section_of(tmp_path)
    assert "No scores.parquet" in section
    assert "No handling_scores.parquet" in section


def test_where_nothing_was_scored_the_page_is_calm(tmp_path: Path) -> None:
    scores = pl.DataFrame(
        schema={"unique_id": pl.String, "strategy": pl.String, "mae": pl.Float64, "error": pl.Float64}
    )
    for name in ("scores", "handling_scores", "choices", "handling"):
        scores.write_parquet(tmp_path / f"{name}.parquet")
    assert section_of(tmp_path).count("Nothing had to be scored.") == 2
