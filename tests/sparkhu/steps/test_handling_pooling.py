"""Pooling of anomaly handling."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.handling import NO_ANOMALIES, handle
from sparkhu.steps.handling_injection import SCORES
from sparkhu.steps.handling_pooling import (
    BY_NAME,
    BY_SCORE,
    BY_TIE,
    HANDLING,
    LAYERED,
    check_handling,
    choose_handling,
    pool_handling,
    with_leave,
)
from sparkhu.steps.handling_strategies import ORDER
from sparkhu.steps.result import StepResult
from tests.sparkhu.steps.handled import decomposed, hour, limits, profile

SHORT = (
    "not measured: fewer than 10 clean points in the training part, or its one limit is 0, so no spikes; {} by default"
)


def scores(
    *errors: tuple[str, float | None, float | None], share: float = 0.1, size: float = 9.0, name: str = "a"
) -> pl.DataFrame:
    rows = [(name, strategy, 20, size, error, beside, share) for strategy, error, beside in errors]
    return pl.DataFrame(rows, schema=SCORES, orient="row")


def choose(table: pl.DataFrame, anomalies: int = 1, **options: Any) -> tuple[Any, ...]:
    series = pl.DataFrame({"unique_id": ["a"], "anomalies": [anomalies]})
    return choose_handling(series, table, **options).row(0)


def layered(frame: pl.DataFrame, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = frame["unique_id"].unique(maintain_order=True).to_list() or ["a"]
    results = [handle(frame, profile(*names), limits(*names), strategy=name, **options).frames for name in LAYERED]
    rows = pl.concat([frame, *[one["handled"] for one in results]], how="horizontal")
    return rows, pl.concat([one["scores"] for one in results])


def pooled(frame: pl.DataFrame, **options: Any) -> StepResult:
    return pool_handling(*layered(frame), **options)


def test_hand_worked_choice() -> None:
    # A tenth is flagged. clip: 0.1·4 + 0.9·0 = 0.4; ema: 0.1·1 + 0.9·0.5 = 0.55.
    table = scores(("clip", 4.0, 0.0), ("ema", 1.0, 0.5))
    assert choose(table) == ("a", "clip", pytest.approx(0.4), "ema", BY_SCORE)


def test_hand_worked_other_shares_turn_the_choice() -> None:
    # Half is flagged. clip: 0.5·4 = 2; ema: 0.5·1 + 0.5·0.5 = 0.75.
    table = scores(("clip", 4.0, 0.0), ("ema", 1.0, 0.5), share=0.5)
    assert choose(table) == ("a", "ema", pytest.approx(0.75), "clip", BY_SCORE)


@pytest.mark.parametrize(
    ("above", "chosen", "reason"), [(0.0, "clip", BY_TIE), (0.9e-8, "clip", BY_TIE), (2e-8, "seasonal_mean", BY_SCORE)]
)
def test_a_tie_within_a_billionth_goes_to_the_simpler(above: float, chosen: str, reason: str) -> None:
    choice = choose(scores(("seasonal_mean", 1.0, 0.0), ("clip", 1.0 + above, 0.0)))
    other = {"clip": "seasonal_mean", "seasonal_mean": "clip"}[chosen]
    assert (choice[1], choice[3], choice[4]) == (chosen, other, reason)


def test_the_order_of_simplicity() -> None:
    assert ORDER == ("leave", "clip", "ema_flagged", "seasonal_mean", "ema")
    for place in range(4):
        table = scores(*[(name, 1.0, 0.0) for name in reversed(ORDER[place:])])
        assert choose(table)[1::2] == (ORDER[place], ORDER[place + 1])


def test_what_was_not_measured_is_not_chosen() -> None:
    table = scores(("ema", None, None), ("clip", 3.0, 0.0))
    assert choose(table)[1:4] == ("clip", pytest.approx(0.3), None)


def test_only_variants_are_chosen() -> None:
    table = scores(("clip", 1.0, 0.0), ("seasonal_mean", 2.0, 0.0), ("leave", 9.0, 0.0))
    assert choose(table, variants=["leave", "seasonal_mean"])[1:4] == ("seasonal_mean", pytest.approx(0.2), "leave")


@pytest.mark.parametrize(("variants", "fallback"), [(ORDER, "leave"), (("ema", "seasonal_mean"), "seasonal_mean")])
def test_a_series_that_was_not_measured_takes_the_simplest(variants: Any, fallback: str) -> None:
    assert choose(scores(), variants=variants) == ("a", fallback, None, None, SHORT.format(fallback))


def test_strategies_are_measured_where_one_limit_alone_is_given() -> None:
    # One anomaly behind the training part; the spikes of 1.5 · 5 = 7.5 are up, and clip takes them back to 5.
    frame = decomposed([0.0] * 60 + [9.0], flagged=[60], level=20.0)
    bounds = limits("a", low=None, high=5.0)
    ended = profile("a", train_end=60)
    results = [handle(frame, ended, bounds, strategy=name).frames for name in LAYERED]
    rows = pl.concat([frame, *[one["handled"] for one in results]], how="horizontal")
    found = pool_handling(rows, pl.concat([one["scores"] for one in results]))
    assert found.frames["handling"].select("strategy", "error", "reason").row(0) == (
        "ema_flagged",
        0.0,
        "the simplest of those with the lowest error on injected spikes",
    )
    errors = {name: error for _, name, _, _, error, *_ in found.frames["scores"].rows()}
    assert errors == {"leave": 7.5, "clip": 5.0, "ema_flagged": 0.0, "seasonal_mean": 0.0, "ema": None}


def test_a_series_without_anomalies_is_left() -> None:
    table = scores(("clip", 1.0, 0.0), ("ema", 2.0, 0.0))
    for choice in ("", "clip", "drop"):
        assert choose(table, anomalies=0, choice=choice) == ("a", "leave", None, None, "no anomalies")


def test_a_strategy_by_name_is_taken_for_all() -> None:
    table = scores(("clip", 1.0, 0.0), ("ema", 2.0, 0.0))
    assert choose(table, choice="ema") == ("a", "ema", pytest.approx(0.2), "clip", BY_NAME)
    assert choose(table, choice="clip") == ("a", "clip", pytest.approx(0.1), "ema", BY_NAME)
    assert choose(table, choice="drop") == ("a", "drop", None, "clip", BY_NAME)
    assert choose(scores(), choice="ema") == ("a", "ema", None, None, BY_NAME)


def test_each_series_has_its_own_choice_in_the_order_of_the_shard() -> None:
    table = pl.concat([scores(("clip", 2.0, 0.0), ("ema", 1.0, 0.0)), scores(("clip", 1.0, 0.0), name="b")])
    series = pl.DataFrame({"unique_id": ["b", "c", "a", "d"], "anomalies": [1, 1, 2, 0]})
    got = choose_handling(series, table)
    assert got.schema == pl.Schema(HANDLING)
    assert got["unique_id"].to_list() == ["b", "c", "a", "d"]
    assert got["strategy"].to_list() == ["clip", "leave", "ema", "leave"]


def test_reasons() -> None:
    assert BY_NAME == "chosen by name"
    assert BY_SCORE == "lowest error on injected spikes"
    assert BY_TIE == "the simplest of those with the lowest error on injected spikes"


def test_to_leave_misses_by_the_size_and_changes_nothing() -> None:
    table = pl.concat([scores(("ema", 1.0, 2.0), name="b"), scores(("ema", 4.0, 5.0), ("clip", 3.0, 0.0))])
    got = with_leave(table)
    assert got.schema == pl.Schema(SCORES)
    assert got.select("unique_id", "strategy", "error", "collateral").rows() == [
        ("a", "leave", 9.0, 0.0),
        ("a", "clip", 3.0, 0.0),
        ("a", "ema", 4.0, 5.0),
        ("b", "leave", 9.0, 0.0),
        ("b", "ema", 1.0, 2.0),
    ]
    assert got.filter(strategy="leave")["share"].to_list() == [0.1, 0.1]


def spiked(name: str = "a", size: int = 60) -> pl.DataFrame:
    """A calm series with an anomaly of 9 at row 30 and one of −9 at row 45."""
    resid = np.random.default_rng(4).normal(size=size).clip(-1, 1)
    resid[30], resid[45] = 9.0, -9.0
    return decomposed(resid.tolist(), level=5.0, flagged=[30, 45], name=name, parts_at=70)


@pytest.mark.parametrize("name", ["clip", "ema_flagged", "seasonal_mean"])
def test_flagged_rows_take_the_layer_of_the_strategy(name: str) -> None:
    frame = spiked()
    rows, _ = layered(frame)
    result = pooled(frame, choice=name)
    handled = result.frames["handled"]
    assert handled.schema == pl.Schema(
        {"handled": pl.Float64(), "handled_available_at": TIME, "anomaly_strategy": pl.String()}
    )
    at = pl.int_range(pl.len()).is_in([30, 45])
    assert handled.filter(at)["handled"].to_list() == rows.filter(at)[name].to_list()
    assert handled.filter(at)["handled_available_at"].to_list() == [hour(70), hour(70)]
    assert handled.filter(at)["anomaly_strategy"].to_list() == [name, name]
    rest, own = handled.filter(~at), frame.filter(~at)
    assert rest["handled"].equals(own["y"])
    assert rest["handled_available_at"].equals(own["available_at"])
    assert rest["anomaly_strategy"].null_count() == 58
    assert json.loads(result.ledger["counts"][0]) == {"anomalies": 2, "changed": 2}


def test_smoothing_changes_every_row() -> None:
    frame = spiked()
    rows, _ = layered(frame)
    result = pooled(frame, choice="ema")
    handled = result.frames["handled"]
    assert handled["handled"].to_list() == rows["ema"].to_list()
    assert handled["handled_available_at"].to_list() == frame["ds"].to_list()
    assert handled["anomaly_strategy"].unique().to_list() == ["ema"]
    assert json.loads(result.ledger["counts"][0]) == {"anomalies": 2, "changed": 60}


def test_dropped_rows_have_no_value_and_are_known_with_their_flag() -> None:
    frame = spiked()
    result = pooled(frame, choice="drop")
    handled = result.frames["handled"]
    assert handled["handled"].is_null().arg_true().to_list() == [30, 45]
    assert handled["anomaly_strategy"].is_not_null().arg_true().to_list() == [30, 45]
    assert handled["anomaly_strategy"][30] == "drop"
    assert handled["handled_available_at"].gather([29, 30, 45]).to_list() == [hour(29), hour(70), hour(70)]
    early = pooled(frame.with_columns(parts_available_at=pl.lit(hour(1)).cast(TIME)), choice="drop")
    assert early.frames["handled"]["handled_available_at"][30] == hour(30)


def test_left_rows_are_untouched() -> None:
    frame = spiked()
    result = pooled(frame, choice="leave")
    assert result.frames["handled"]["handled"].equals(frame["y"], check_names=False)
    assert result.frames["handled"]["anomaly_strategy"].null_count() == 60
    assert result.frames["handling"].row(0)[1] == "leave"
    assert json.loads(result.ledger["counts"][0]) == {"anomalies": 2, "changed": 0}


def test_rows_without_a_value_stay_without() -> None:
    frame = spiked().with_columns(
        pl.when(pl.int_range(pl.len()) != 10).then(name).alias(name) for name in ("y", "y_raw", "available_at")
    )
    handled = pooled(frame, choice="clip").frames["handled"]
    assert handled.row(10) == (None, None, None)


def test_a_series_without_anomalies_stays() -> None:
    frame = pl.concat([spiked("a"), decomposed([0.0] * 40, name="b")])
    result = pooled(frame)
    assert result.ledger["status"].to_list() == ["ok", "ok"]
    assert result.ledger["reason"].to_list() == [None, None]
    assert result.frames["handling"]["strategy"][1] == "leave"
    assert result.frames["handling"]["reason"][1] == NO_ANOMALIES
    assert result.frames["handled"]["anomaly_strategy"].is_not_null().arg_true().to_list() == [30, 45]


def test_the_lowest_error_over_all_points_wins() -> None:
    result = pooled(spiked(size=400))
    table = result.frames["scores"].with_columns(
        total=pl.col("share") * pl.col("error") + (1 - pl.col("share")) * pl.col("collateral")
    )
    assert table["strategy"].to_list() == list(ORDER)
    best = table.sort("total").row(0, named=True)
    [chosen] = result.frames["handling"].rows(named=True)
    assert chosen["strategy"] == best["strategy"]
    assert chosen["error"] == pytest.approx(best["total"], rel=1e-12)
    assert chosen["reason"] == BY_SCORE


def test_results_do_not_depend_on_the_shard() -> None:
    parts = [spiked("a"), spiked("b", 90), spiked("c", 300)]
    both, alone = pooled(pl.concat(parts)).frames, [pooled(part).frames for part in parts]
    for name in both:
        assert both[name].equals(pl.concat([one[name] for one in alone]))


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    result = pooled(spiked().clear())
    assert result.frames["handling"].schema == pl.Schema(HANDLING)
    assert result.frames["scores"].schema == pl.Schema(SCORES)
    assert result.frames["handled"].schema.names() == ["handled", "handled_available_at", "anomaly_strategy"]
    assert all(frame.is_empty() for frame in result.frames.values())
    assert result.ledger.is_empty()


@pytest.mark.parametrize("variants", [[], ["clip", "clip"], ["clip", "drop"], ["clp"]])
def test_variants_that_cannot_be_used_are_refused(variants: list[str]) -> None:
    with pytest.raises(
        InputError, match=r"^variants must be some of leave, clip, .*, each once, got \[.*drop can only"
    ):
        check_handling(variants=variants, choice="")


@pytest.mark.parametrize("choice", ["ema", "clp"])
def test_a_choice_that_is_no_variant_is_refused(choice: str) -> None:
    with pytest.raises(InputError, match=f"^choice must be .* one of leave, clip, drop, got '{choice}'.$"):
        check_handling(variants=["leave", "clip"], choice=choice)
    check_handling(variants=["leave", "clip"], choice="clip")
    check_handling(variants=["clip"], choice="drop")


def test_parameters_are_checked_by_each_function() -> None:
    series = pl.DataFrame({"unique_id": ["a"], "anomalies": [1]})
    for options in ({"variants": ["x"]}, {"choice": "x"}):
        with pytest.raises(InputError):
            choose_handling(series, scores(), **options)
        with pytest.raises(InputError):
            pooled(spiked(), **options)


@pytest.mark.parametrize("column", ["unique_id", "anomalies"])
def test_missing_columns_of_the_series_are_named(column: str) -> None:
    series = pl.DataFrame({"unique_id": ["a"], "anomalies": [1]})
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        choose_handling(series.drop(column), scores())


@pytest.mark.parametrize("column", ["unique_id", "strategy", "error", "collateral", "share"])
def test_missing_columns_of_the_scores_are_named(column: str) -> None:
    series = pl.DataFrame({"unique_id": ["a"], "anomalies": [1]})
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        choose_handling(series, scores().drop(column))


@pytest.mark.parametrize(
    "column", ["ds", "y", "available_at", "parts_available_at", "is_anomaly", *LAYERED, "ema_available_at"]
)
def test_missing_columns_of_the_rows_are_named(column: str) -> None:
    rows, table = layered(spiked())
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        pool_handling(rows.drop(column), table)


def test_missing_sizes_are_named() -> None:
    rows, table = layered(spiked())
    with pytest.raises(InputError, match="column 'size' is missing"):
        pool_handling(rows, table.drop("size"))


def test_only_the_variants_given_are_pooled() -> None:
    assert pooled(spiked(), variants=["ema_flagged"]).frames["handling"]["strategy"].to_list() == ["ema_flagged"]
