"""The step that handles anomalies with one strategy."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.handling import NO_ANOMALIES, NO_LIMITS, NONE_TO_FIT, handle
from sparkhu.steps.handling_injection import SCORES, score
from sparkhu.steps.handling_strategies import ORDER, Clip
from sparkhu.steps.result import StepResult
from tests.sparkhu.steps.handled import decomposed, hour, limits, profile, rows_of


def done(frame: pl.DataFrame, strategy: str, train_end: float | None = None, **options: Any) -> StepResult:
    names = frame["unique_id"].unique(maintain_order=True).to_list()
    return handle(frame, profile(*names, train_end=train_end), limits(*names), strategy=strategy, **options)


def ledger(result: StepResult) -> list[tuple[str, str | None, dict[str, int]]]:
    return [(row["status"], row["reason"], json.loads(row["counts"])) for row in result.ledger.iter_rows(named=True)]


def test_hand_worked_layer_of_clip() -> None:
    # 5 above level 10 becomes 10 + 2; it is flagged by parts that were known at hour 6.
    result = done(decomposed([0.0, 5.0, 0.0], level=10.0, flagged=[1], parts_at=6), "clip")
    layer = result.frames["handled"]
    assert layer.schema == pl.Schema({"clip": pl.Float64(), "clip_available_at": TIME})
    assert layer.rows() == [(None, None), (12.0, hour(6)), (None, None)]
    assert ledger(result) == [("ok", None, {"anomalies": 1, "changed": 1, "left": 0})]


def test_hand_worked_layer_of_smoothing() -> None:
    # α = 0.25: 4; 0.25·8 + 0.75·4 = 5.
    result = done(decomposed([4.0, 8.0], flagged=[1]), "ema", alpha=0.25)
    assert result.frames["handled"].rows() == [(4.0, hour(0)), (5.0, hour(1))]
    assert ledger(result) == [("ok", None, {"anomalies": 1, "changed": 2, "left": 0})]


def test_the_average_weighs_the_newest_point_by_three_tenths() -> None:
    result = done(decomposed([10.0, 20.0, 99.0], flagged=[2]), "ema_flagged")
    assert result.frames["handled"]["ema_flagged"].to_list() == [None, None, pytest.approx(13.0, abs=1e-12)]


def test_scores_are_those_of_the_strategy() -> None:
    frame = decomposed([0.0, 5.0, *[0.0] * 30], flagged=[1])
    assert done(frame, "clip").frames["scores"].equals(score(rows_of(frame), "clip", Clip()))


def test_an_anomaly_with_nothing_to_put_in_its_place_is_counted_as_left() -> None:
    result = done(decomposed([9.0, 1.0, 9.0], flagged=[0, 2]), "ema_flagged")
    assert ledger(result) == [("ok", None, {"anomalies": 2, "changed": 1, "left": 1})]


def test_a_series_without_limits_is_skipped_and_reasons_are_told() -> None:
    frame = pl.concat(
        [
            decomposed([0.0] * 4, name="calm"),
            decomposed([0.0, 0.0, 0.0, 9.0], flagged=[3], name="late"),
            decomposed([None] * 4, name="plain"),
            decomposed([0.0] * 4, name="half"),
        ]
    )
    table = pl.concat([limits("calm", "late"), limits("half", high=None)])
    ids = ("calm", "late", "plain", "half")
    results = {n: handle(frame, profile(*ids, train_end=3), table, strategy=n) for n in ORDER[1:]}
    none, one = {"anomalies": 0, "changed": 0, "left": 0}, {"anomalies": 1, "changed": 1, "left": 0}
    calm, plain = ("ok", None, none), ("skipped", NO_LIMITS, none)
    for name in ("clip", "ema_flagged", "seasonal_mean"):
        assert ledger(results[name]) == [calm, ("ok", None, one), plain, calm]
    late = ("ok", NONE_TO_FIT, {"anomalies": 1, "changed": 0, "left": 1})
    assert ledger(results["ema"]) == [calm, late, plain, calm]


def test_reasons_say_what_is_missing() -> None:
    assert NO_ANOMALIES == "no anomalies"
    assert NO_LIMITS == "no limits, so nothing is an anomaly"
    assert NONE_TO_FIT == "no anomaly in the training part, so the series is not smoothed"


@pytest.mark.parametrize("name", ORDER[1:])
def test_rows_that_are_not_flagged_stay_as_they_are(name: str) -> None:
    rng = np.random.default_rng(1)
    frame = decomposed(rng.normal(size=200).tolist(), flagged=[50, 120])
    value = done(frame, name).frames["handled"][name]
    assert value.is_not_null().arg_true().to_list() == (list(range(200)) if name == "ema" else [50, 120])


@pytest.mark.parametrize("name", ORDER[1:])
def test_no_value_is_known_before_its_row(name: str) -> None:
    rng = np.random.default_rng(1)
    frame = decomposed(rng.normal(size=90).tolist(), flagged=[5, 50, 80])
    made = frame.hstack(done(frame, name, train_end=40).frames["handled"]).drop_nulls(name)
    assert made.height >= 3
    assert (made[f"{name}_available_at"] >= made["available_at"]).all()


@pytest.mark.parametrize("name", ORDER[1:])
def test_an_empty_shard_gives_typed_empty_frames(name: str) -> None:
    result = done(decomposed([0.0]).clear(), name)
    assert result.frames["handled"].schema == pl.Schema({name: pl.Float64(), f"{name}_available_at": TIME})
    assert result.frames["scores"].schema == pl.Schema(SCORES)
    assert result.frames["handled"].is_empty()
    assert result.ledger.is_empty()


def test_further_columns_do_not_matter() -> None:
    frame = decomposed([0.0, 5.0, 0.0], flagged=[1])
    extra = frame.with_columns(low=pl.lit(9.0), number=pl.lit("x"), price=pl.lit(1))
    assert done(extra, "clip").frames["handled"].equals(done(frame, "clip").frames["handled"])


def test_parameters_are_checked() -> None:
    frame = decomposed([0.0])
    with pytest.raises(InputError, match="strategy must be one of"):
        done(frame, "drop")
    with pytest.raises(InputError, match="alpha must be"):
        done(frame, "ema", alpha=0.0)
