import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from sparkhu.report.accuracy import read_accuracy
from sparkhu.report.drawing import choose_series, drawings, trace
from sparkhu.report.markup import number, percent, seconds
from sparkhu.report.overview import Overview, build_overview
from sparkhu.report.reading import read_results
from sparkhu.report.sections import lineage_section
from sparkhu.report.summary import attention, source_name, summary_section, verdict
from sparkhu.report.tables import CAP, ledger_table, quarantine_table, series_table
from tests.sparkhu.report.fake_results import EVIL, FAILED

METRICS = {
    "champion": "linear",
    "linear": {"mae": 0.3, "mse": 0.2},
    "seasonal_naive": {"mae": 0.4, "mse": 0.3},
    "series": [
        {"unique_id": "a", "group": "g", "linear": {"mae": 0.2}, "seasonal_naive": {"mae": 0.4}},
        {"unique_id": "b", "group": "g", "linear": {"mae": 0.6}, "seasonal_naive": {"mae": 0.4}},
        {"unique_id": "c", "group": "g", "linear": {"mae": 0.1}, "seasonal_naive": {"mae": 0.0}},
    ],
}


def test_the_ratio_is_the_models_error_over_that_of_seasonal_naive() -> None:
    # a: 0.2 / 0.4 = 0.5; b: 0.6 / 0.4 = 1.5; c: nothing to divide by.
    ratios = read_accuracy(METRICS).per_series["ratio"].to_list()
    assert ratios[0] == pytest.approx(0.5)
    assert ratios[1] == pytest.approx(1.5)
    assert ratios[2] is None


def test_a_baseline_that_stayed_champion_is_still_the_yardstick() -> None:
    accuracy = read_accuracy({**METRICS, "champion": "seasonal_naive"})
    assert (accuracy.champion, accuracy.lead) == ("seasonal_naive", "linear")


def test_the_verdict_says_by_how_much_and_on_how_many(results: Path) -> None:
    # 0.3 against 0.4 is 25 % less; better on a alone of the two with a ratio.
    accuracy = read_accuracy(METRICS)
    said = verdict(accuracy, Overview(accuracy.per_series, ()))
    assert "25 % lower error" in said
    assert "0.300 against 0.400" in said
    assert "1 of 2" in said


def test_a_model_worse_than_seasonal_naive_is_called_so() -> None:
    accuracy = read_accuracy({**METRICS, "linear": {"mae": 0.5}, "champion": "seasonal_naive"})
    said = verdict(accuracy, Overview(accuracy.per_series, ()))
    assert '<b class="poor">25 % higher error</b>' in said
    assert "The baseline forecasts in its place." in said


def test_attention_lists_what_was_lost_and_what_is_doubtful(results: Path) -> None:
    opened = read_results(results)
    items = attention(opened, build_overview(opened, read_accuracy(opened.metrics)))
    assert [(item.text, item.target, item.query) for item in items][:4] == [
        ("1 series failed and left out", "ledger", "status=failed"),
        ("1 series skipped by a step that does not apply", "ledger", "status=skipped"),
        ("49 source rows in quarantine", "quarantine", ""),
        ("3 instants with more than one value", "duplicates", ""),
    ]
    alerts = pl.read_parquet(results / "clean.parquet")["is_alert"].sum()
    assert [(item.text, item.query) for item in items][-3:] == [
        ("1 series with under 70 % of values in the 80 % interval", "coverage_80<0.7"),
        (f"12 series at an alert level, {alerts} points in all", "alerts>0"),
        ("1 series whose regularity is now judged otherwise", "decision_change=changed"),
    ]


def test_calm_is_claimed_only_where_a_ledger_says_so(results: Path, tmp_path: Path) -> None:
    shutil.copy(results / "stats.parquet", tmp_path / "stats.parquet")
    accuracy = read_accuracy({})

    def top() -> str:
        opened = read_results(tmp_path)
        return summary_section(opened, accuracy, build_overview(opened, accuracy), "")

    assert "whether a series failed is not known" in top()
    ledger = pl.read_parquet(results / "ledger.parquet").filter(pl.col("status") == "ok")
    ledger.write_parquet(tmp_path / "ledger.parquet")
    assert "Nothing needs attention." in top()


def test_the_overview_has_every_series_once_with_what_happened_to_it(results: Path) -> None:
    opened = read_results(results)
    frame = build_overview(opened, read_accuracy(opened.metrics)).frame
    clean = pl.read_parquet(results / "clean.parquet").filter(pl.col("unique_id") == EVIL)
    row = frame.row(by_predicate=pl.col("unique_id") == EVIL, named=True)

    assert frame["unique_id"].n_unique() == frame.height == 13
    assert row["points"] == 1500
    assert row["outliers"] == clean["is_outlier"].sum()
    assert row["gaps"] == clean["is_gap"].sum()
    assert row["filled"] == clean["fill_strategy"].count()
    assert (row["quarantined"], row["duplicates"], row["strategy"]) == (5, 6, "linear")
    assert frame.row(by_predicate=pl.col("unique_id") == FAILED, named=True)["status"] == "failed at validate"
    ratios = frame["ratio"].drop_nulls()
    assert ratios.to_list() == ratios.sort(descending=True).to_list()


def test_the_last_of_several_profiles_counts(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    profile = pl.read_parquet(folder / "profile.parquet")
    pl.concat([profile, profile.with_columns(period_label=pl.lit("2h"))]).write_parquet(folder / "profile.parquet")
    frame = build_overview(read_results(folder), read_accuracy({})).frame

    assert frame.height == 13
    assert set(frame["period_label"].drop_nulls()) == {"2h"}


def test_up_to_a_hundred_series_are_all_drawn() -> None:
    frame = pl.DataFrame({"unique_id": [f"{n:03d}" for n in range(100)]})
    assert choose_series(Overview(frame, ())) == (frame["unique_id"].to_list(), [])


def test_of_more_the_worst_and_an_even_sample_are_drawn() -> None:
    ids = [f"{n:04d}" for n in range(1000)]
    worst, sample = choose_series(Overview(pl.DataFrame({"unique_id": ids}), ()))
    assert worst == ids[:50]
    assert (len(set(sample)), sample[0], sample[-1]) == (50, "0050", "0999")


def test_a_trace_keeps_spikes_flags_and_gap_borders(results: Path) -> None:
    rows = pl.read_parquet(results / "clean.parquet").filter(pl.col("unique_id") == "meter_00000")
    drawn = trace(rows, 600)

    assert len(drawn["t"]) < 1500
    assert len(drawn["outliers"]) == drawn["outlying"] == rows["is_outlier"].sum()
    assert len(drawn["filled"]) == drawn["fills"] == rows["fill_strategy"].count()
    raw = [value for value in drawn["raw"] if value is not None]
    assert max(raw) == pytest.approx(rows["y_raw"].max(), rel=1e-5)
    assert min(raw) == pytest.approx(rows["y_raw"].min(), rel=1e-5)
    first, last = drawn["gaps"][0]
    assert drawn["raw"][first] is not None
    assert drawn["raw"][last] is not None
    assert set(drawn["raw"][first + 1 : last]) == {None}


def test_times_are_exact_to_the_microsecond() -> None:
    instants = pl.Series([1_700_000_000_000_001, 1_700_000_000_250_001]).cast(pl.Datetime("us", "UTC"))
    frame = pl.DataFrame({"ds": instants, "y": [1.0, 2.0]}).with_columns(
        y_raw="y",
        **dict.fromkeys(("is_gap", "is_outlier", "is_anomaly", "is_alert"), pl.lit(False)),
        **dict.fromkeys(("fill_strategy", "anomaly_strategy"), pl.lit(None, dtype=pl.String)),
    )
    assert trace(frame, 600)["t"] == [1_700_000_000_000_001, 250_000]


def test_a_drawing_holds_the_latest_forecast_and_scores_best_first(results: Path) -> None:
    opened = read_results(results)
    ((drawing, _),) = drawings(opened, read_accuracy(opened.metrics), ["meter_00003"])
    assert list(drawing["forecast"]["models"]) == ["last_value", "linear", "seasonal_naive"]
    assert [len(drawing["forecast"]["models"]["linear"][key]) for key in ("t", "y", "lo_80", "hi_95")] == [24] * 4
    assert [name for name, _ in drawing["scores"]] == ["linear", "last", "next", "mean", "median"]
    # weights 1, 1/4, 1/12 and errors 1.4 * (1, 4^0.3, 12^0.3): (1 + 4^0.3 / 4 + 12^0.3 / 12) * 1.4 / (4 / 3)
    expected = 1.4 * (1 + 4**0.3 / 4 + 12**0.3 / 12) / (1 + 1 / 4 + 1 / 12)
    assert drawing["scores"][0][1] == pytest.approx(expected, rel=1e-5)
    assert [name for name, _ in drawing["errors"]] == ["linear", "seasonal_naive", "last_value"]


def test_large_tables_are_capped_and_failures_come_first(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    ledger = pl.read_parquet(folder / "ledger.parquet")
    pl.concat([ledger.filter(pl.col("status") == "ok")] * 30 + [ledger]).write_parquet(folder / "ledger.parquet")
    table = ledger_table(read_results(folder))

    assert table is not None
    assert (table.shown, table.total) == (CAP, 300 * 30 + 302)
    assert table.document["data"][2][:3] == ["failed", "skipped", "ok"]


def test_tables_are_strict_json(results: Path) -> None:
    opened = read_results(results)
    overview = build_overview(opened, read_accuracy(opened.metrics))
    quarantine = quarantine_table(opened)
    assert quarantine is not None
    for table in (series_table(overview), quarantine):
        json.dumps(table.document, allow_nan=False)
        assert {len(column) for column in table.document["data"]} == {table.shown}


def test_the_source_is_named_by_its_file(results: Path) -> None:
    assert source_name(read_results(results)) == "energy.csv"


def test_without_run_json_the_history_says_the_same(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    (folder / "run.json").unlink()
    opened = read_results(folder)
    section = lineage_section(opened)

    assert source_name(opened) == "energy.csv"
    assert opened.left_out() == []
    assert "9f" * 32 in section
    assert "0.1.0+3f2a9c1b7d04" in section
    assert "<code>load_kw</code>" in section
    assert "period 1h found from the data" in section


def test_without_run_and_history_the_folder_names_the_report(results: Path, tmp_path: Path) -> None:
    shutil.copy(results / "stats.parquet", tmp_path / "stats.parquet")
    opened = read_results(tmp_path)

    assert source_name(opened) == tmp_path.name
    assert "are not known" in lineage_section(opened)


def test_of_many_sources_the_first_fifty_are_listed(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    sources = [{"uri": f"part-{n:03d}.csv"} for n in range(80)]
    (folder / "run.json").write_text(json.dumps({"sources": sources}))
    section = lineage_section(read_results(folder))

    assert "part-049.csv" in section
    assert "part-050.csv" not in section
    assert "and 30 more" in section


def test_numbers_have_the_digits_they_deserve() -> None:
    values = [number(v) for v in (0.98, 12.345, 123.4, 12345.6, 0.0, -0.00123, None)]
    assert values == ["0.980", "12.3", "123", "12,346", "0", "-0.00123", "–"]
    assert [percent(v) for v in (0.806, 0.004, 0.996, 1.0, None)] == ["81 %", "0.4 %", "99.6 %", "100 %", "–"]
    assert [seconds(v) for v in (0.0124, 59.94, 61, 7384)] == ["12 ms", "59.9 s", "1 min 1 s", "2 h 3 min"]
