"""Facts about the gate: which windows candidates are compared on, and that none is worse than seasonal naive there."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from sparkhu.evaluation.backtest import SCHEMA
from sparkhu.evaluation.gate import CHAMPION, COMMON, RUN, Gate, Standing, judge, score_gate, with_test
from sparkhu.evaluation.reigning import Reigning, reigning_of
from sparkhu.models.base import Floats, Inputs
from sparkhu.models.bundle import Bundle
from sparkhu.models.naive import SeasonalNaive
from sparkhu.sections import Promotion
from sparkhu.steps.normalisation import fit_scalers
from sparkhu.training.parts import CHOOSE
from sparkhu.training.windows import FrameSource, assemble
from tests.sparkhu.made_shard import MadeShard, hours, made_shard, profile_of, sequences_of, shard_of

MODELS = ("linear", "seasonal_naive")
SEEN = Standing("3", told="it can forecast 1 of 1 series", takes_part=True)


@dataclass(frozen=True)
class Oldest:
    """Forecasts the oldest point that it looks at, and so many of its own scales more."""

    input_size: int
    horizon: int = 2
    more: float = 100.0
    name: str = "oldest"

    def predict(self, inputs: Inputs) -> Floats:
        return np.repeat(inputs.values[:, :1] + self.more, self.horizon, axis=1)

    def for_evaluation(self) -> "Oldest":
        return replace(self, more=1.0)

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def bundle_of(made: MadeShard, model: Oldest, *, trained_until: float = 70, **changes: Any) -> Bundle:
    """What an earlier run left: its own look-back, groups and scalers, fitted on what it trained on."""
    own = made.profile.with_columns(
        group=pl.lit("own"),
        input_size=model.input_size,
        train_end=pl.lit(hours(trained_until)).cast(pl.Datetime("us", "UTC")),
    ).with_columns(**changes)
    scalers = fit_scalers(made.sequences, own).frames["scalers"].with_columns(scale=pl.col("scale") * 3)
    found = SimpleNamespace(flavor="oldest", models={"oldest": {"own": model}}, profile=own, scalers=scalers)
    return cast(Bundle, found)


def reigning(made: MadeShard, model: Oldest, **changes: Any) -> Reigning:
    found, told = reigning_of(bundle_of(made, model, **changes), made.profile)
    assert found is not None, told
    return found


def by_hand(made: MadeShard, champion: Reigning, look_back: int, borders: tuple[int, int]) -> float:
    """The champion's mean absolute error on series a, hour by hour: the point `look_back` hours ago plus its scale."""
    values = made.sequences.filter(unique_id="a")["y"].to_numpy()
    scale = champion.scalers.filter(unique_id="a")["scale"][0]
    errors = [
        abs(values[first + step] - values[first - look_back] - scale) for first in range(*borders) for step in (0, 1)
    ]
    trained = made.sequences.filter(unique_id="a").filter(pl.col("ds") < hours(70))["y"]
    return float(np.mean(errors)) / float(trained.std(ddof=0))


@pytest.mark.parametrize("look_back", [3, 9])
def test_the_champion_is_scored_with_its_own_look_back_its_own_scaler_and_its_evaluation_weights(
    look_back: int,
) -> None:
    made = made_shard("a", borders=(70, 90, 100))
    shard, champion = assemble(*made), reigning(made, Oldest(look_back))
    naive = {name: {"1h/3": SeasonalNaive(4, 2, 3)} for name in MODELS}
    scores = score_gate(shard, models=naive, reigning=champion)
    chosen = shard.table.filter(part=CHOOSE)
    first = 70, 70 + chosen.height
    gate = judge(scores, models=MODELS, promotion=Promotion(), standing=SEEN)
    assert gate.reigning.score == pytest.approx(by_hand(made, champion, look_back, first))
    assert (gate.windows, gate.series) == (chosen.height, 1)


def test_windows_that_the_champion_has_seen_are_compared_for_nobody() -> None:
    made = made_shard("a", "b", borders=(70, 90, 100))
    shard, naive = assemble(*made), {name: {"1h/3": SeasonalNaive(4, 2, 3)} for name in MODELS}
    champion = reigning(made, Oldest(4), trained_until=73)
    scores = score_gate(shard, models=naive, reigning=champion)
    every = shard.table.filter(part=CHOOSE).height
    counts = {key: part["windows"].sum() for key, part in scores.partition_by("set", "model", as_dict=True).items()}
    assert counts[COMMON, CHAMPION] == counts[COMMON, "seasonal_naive"] == every - 2 * 3
    assert counts[RUN, "seasonal_naive"] == every

    seen = score_gate(shard, models=naive, reigning=reigning(made, Oldest(4), trained_until=95))
    gate = judge(seen, models=MODELS, promotion=Promotion(), standing=SEEN)
    assert (gate.reigning.score, gate.reigning.gives_way, gate.windows) == (None, False, every)
    assert gate.reigning.note is not None
    assert f"compared on 0 of {every} windows, of 0 of 2 series, and 50% are asked for" in gate.reigning.note


def test_windows_that_the_champion_cannot_look_back_on_are_left_out() -> None:
    made = made_shard("a", borders=(70, 90, 100))
    shard, naive = assemble(*made), {name: {"1h/3": SeasonalNaive(4, 2, 3)} for name in MODELS}
    scores = score_gate(shard, models=naive, reigning=reigning(made, Oldest(73)))
    gate = judge(scores, models=MODELS, promotion=Promotion(), standing=SEEN)
    every = shard.table.filter(part=CHOOSE).height
    assert (gate.windows, gate.reigning.windows, gate.reigning.series) == (every, every - 3, 1)


def test_look_backs_in_own_units_are_the_values_that_forecasters_were_given() -> None:
    made = made_shard("a", "b", scaler="power")
    shard = assemble(*made)
    assert isinstance(shard.source, FrameSource)
    read = shard.source.own_histories(shard.table, 3)
    names = shard.series["unique_id"].gather(shard.table["code"])
    cutoffs = pl.DataFrame({"unique_id": names, "ds": shard.table["cutoff"]})
    last = cutoffs.join(made.sequences, on=["unique_id", "ds"], how="left", maintain_order="left")["y"]
    assert read[:, -1].tolist() == last.to_list()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period_label": pl.lit("2h")}, "0 of 3 series, 3 are of another period"),
        ({"horizon": pl.lit(5)}, "0 of 3 series, 3 are of another horizon"),
        ({"unique_id": pl.format("{}x", "unique_id")}, "0 of 3 series, 3 are unknown to it"),
        ({"group": pl.when(unique_id="a").then(pl.lit("own"))}, "1 of 3 series, 2 are unknown to it"),
    ],
)
def test_a_champion_of_other_series_cannot_stand_for_those_of_the_run(changes: dict[str, pl.Expr], told: str) -> None:
    made = made_shard("a", "b", "c")
    bundle = bundle_of(made, Oldest(4))
    renamed = bundle.profile.with_columns(**changes)
    scalers = bundle.scalers.with_columns(unique_id=renamed["unique_id"])
    found = SimpleNamespace(flavor="oldest", models=bundle.models, profile=renamed, scalers=scalers)
    champion, why = reigning_of(cast(Bundle, found), made.profile)
    assert champion is None
    assert why.endswith(told)


def scored(*rows: tuple[str, str, str, float, int]) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema=["set", "unique_id", "model", "absolute", "points"], orient="row")
    sums = {
        name: pl.lit(0).cast(kind) for name, kind in SCHEMA.items() if kind.is_numeric() and name not in table.columns
    }
    more = table.with_columns(group=pl.lit("g"), **sums).with_columns(
        squared=pl.col("absolute") ** 2, windows=pl.lit(1)
    )
    return more.select("set", *[pl.col(name).cast(kind) for name, kind in SCHEMA.items()])


def test_candidates_are_compared_over_all_points_on_what_all_could_do() -> None:
    # Over all points linear has (10 + 10) / 15, seasonal naive (20 + 2) / 15; the mean over series would say otherwise.
    rows = [("a", "linear", 10.0, 10), ("a", "seasonal_naive", 20.0, 10), ("b", "linear", 10.0, 5)]
    run = [(RUN, *row) for row in [*rows, ("b", "seasonal_naive", 2.0, 5)]]
    gate = judge(scored(*run), models=MODELS, promotion=Promotion())
    assert (gate.champion, gate.scores) == ("linear", {"linear": 20 / 15, "seasonal_naive": 22 / 15})
    assert gate.ratio == pytest.approx(20 / 22)
    squared = judge(scored(*run), models=MODELS, promotion=Promotion(metric="mse"))
    assert squared.scores == {"linear": 200 / 15, "seasonal_naive": 404 / 15}


def both(which: str, names: str, *, linear: float, naive: float) -> list[tuple[str, str, str, float, int]]:
    """Windows of as many series, one each, with these errors over ten points."""
    return [
        (which, series, model, error, 10)
        for series in names
        for model, error in (("linear", linear), ("seasonal_naive", naive))
    ]


def test_the_best_of_a_run_is_found_on_all_of_its_windows_whatever_the_champion_can_forecast() -> None:
    # Of all four windows linear is the best, of the two of the duel seasonal naive would be.
    run = both(RUN, "ab", linear=1, naive=9) + both(RUN, "cd", linear=6, naive=5)
    common = both(COMMON, "cd", linear=6, naive=5) + [(COMMON, name, CHAMPION, 4.0, 10) for name in "cd"]
    gate = judge(scored(*run, *common), models=MODELS, promotion=Promotion(), standing=SEEN)
    stood = gate.reigning
    assert (gate.champion, gate.windows, gate.scores) == ("linear", 4, {"linear": 0.35, "seasonal_naive": 0.7})
    assert gate.ratio == pytest.approx(0.5)
    assert (stood.score, stood.challenger, stood.yardstick) == (0.4, 0.6, 0.5)
    assert (stood.windows, stood.series, stood.note) == (2, 2, None)
    assert gate.note.endswith("; on 2 of the windows, of 2 series, 0.6 against 0.4 of champion 3")


def test_a_champion_that_can_be_compared_on_too_little_is_not_and_stays() -> None:
    run = both(RUN, "abcde", linear=1, naive=9)
    common = both(COMMON, "ab", linear=1, naive=9) + [(COMMON, name, CHAMPION, 2.0, 10) for name in "ab"]
    gate = judge(scored(*run, *common), models=MODELS, promotion=Promotion(), standing=SEEN)
    assert (gate.reigning.score, gate.reigning.challenger, gate.reigning.gives_way) == (None, None, False)
    assert "2 of 5 windows, of 2 of 5 series, and 50% are asked for" in gate.reigning.told
    # Windows enough, and of one series of three alone.
    few = scored(*run[:6], *common[:2], common[4]).with_columns(
        windows=pl.when(unique_id="a").then(9).otherwise("windows").cast(SCHEMA["windows"])
    )
    assert judge(few, models=MODELS, promotion=Promotion(), standing=SEEN).reigning.score is None


def test_a_tie_goes_to_seasonal_naive_and_without_a_window_it_forecasts() -> None:
    tie = scored((RUN, "a", "linear", 10.0, 10), (RUN, "a", "seasonal_naive", 10.0, 10))
    gate = judge(tie, models=MODELS, promotion=Promotion())
    assert (gate.champion, gate.ratio) == ("seasonal_naive", 1.0)
    nothing = judge(tie.clear(), models=MODELS, promotion=Promotion())
    assert (nothing.champion, nothing.scores, nothing.ratio, nothing.windows) == ("seasonal_naive", {}, None, 0)
    assert nothing.note == "seasonal_naive forecasts: no validation window scores every model"


def test_the_best_model_is_never_worse_than_seasonal_naive_where_it_was_chosen() -> None:
    # A linear map that answers with noise loses against the season, which is all there is to know.
    random = np.random.default_rng(3)
    values = np.tile([0.0, 10.0, 20.0], 40) + random.normal(0, 1, 120)
    made = shard_of(sequences_of({"a": values}), profile_of(["a"], borders=(80, 100, 120)))
    models = {"linear": {"1h/3": Oldest(4).for_evaluation()}, "seasonal_naive": {"1h/3": SeasonalNaive(4, 2, 3)}}
    gate = judge(score_gate(assemble(*made), models=models), models=MODELS, promotion=Promotion())
    assert gate.scores["linear"] > gate.scores["seasonal_naive"]
    assert (gate.champion, gate.ratio) == ("seasonal_naive", 1.0)


def test_errors_are_measured_against_observed_values_only() -> None:
    values = np.tile([0.0, 10.0, 20.0], 40)
    observed = np.where(np.arange(120) % 2 == 0, np.nan, values)
    filled = np.where(np.isnan(observed), 1e6, values)
    made = shard_of(sequences_of({"a": filled}, {"a": observed}), profile_of(["a"], borders=(80, 100, 120)))
    models = {name: {"1h/3": SeasonalNaive(4, 2, 3)} for name in MODELS}
    scores = score_gate(assemble(*made), models=models)
    assert scores["points"].to_list() == (scores["windows"]).to_list()


def test_the_test_part_is_told_beside_and_a_gate_comes_back_from_its_document() -> None:
    tie = scored((RUN, "a", "linear", 5.0, 10), (RUN, "a", "seasonal_naive", 10.0, 10))
    gate = judge(tie, models=MODELS, promotion=Promotion(min_improvement=0.25))
    test = scored(("", "a", "linear", 30.0, 10), ("", "a", "seasonal_naive", 20.0, 10), ("", "b", "linear", 9.0, 1))
    told = with_test(gate, test.drop("set"))
    assert (told.ratio, told.test_ratio) == (0.5, 1.5)
    assert Gate.of(told.document()) == told
