import sys
from collections.abc import Callable
from datetime import datetime
from itertools import count
from types import FrameType
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.backtesting import fitting
from sparkhu.backtesting.folds import Ett, Rolling
from sparkhu.backtesting.leaks import LeakError, other_future
from sparkhu.backtesting.running import backtest
from sparkhu.models.base import Histories, Inputs
from sparkhu.models.naive import LastValue
from sparkhu.training.linear import LinearRecipe
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.windows import FrameSource
from sparkhu.tuning.space import Space
from tests.sparkhu.backtesting.made_rows import made_rows
from tests.sparkhu.made_shard import Floats, hours

ROLLING = Rolling(folds=2, horizon=6, input_size=24)


class Shifted(LastValue):
    """Repeats the last value, moved by a constant."""

    by = 0.0

    def predict(self, inputs: Any) -> Any:
        return super().predict(inputs) + self.by


class Peeking:
    """A recipe that moves its forecasts by what it finds out."""

    name = "peeking"
    space: Space = ()

    def __init__(self, find_out: Callable[[TrainingData], float]) -> None:
        self._find_out = find_out

    def fit(self, data: TrainingData, settings: Settings, *, seed: int) -> Fitted:
        model = Shifted(24, 6, "peeking")
        object.__setattr__(model, "by", self._find_out(data))
        return Fitted(dict.fromkeys(data.seasons, model), [])


def largest_frame_of_the_callers(_: TrainingData) -> float:
    """Climb the stack, and take the mean of the longest table that any caller holds."""
    found: list[pl.DataFrame] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        found += [
            value for value in frame.f_locals.values() if isinstance(value, pl.DataFrame) and "y" in value.columns
        ]
        frame = frame.f_back
    return float(max(found, key=lambda table: table.height)["y"].mean())  # type: ignore[arg-type]


def test_honest_models_pass_and_are_named() -> None:
    result = backtest(made_rows("a", "b"), [LinearRecipe()], ROLLING)
    assert result.metrics["leaks"]["status"] == "none found"
    assert result.metrics["leaks"]["models"] == ["last_value", "linear", "naive2", "seasonal_naive"]


def test_a_recipe_with_a_global_scaler_of_the_whole_frame_is_caught() -> None:
    def scaled_by_all(rows: pl.DataFrame) -> list[Peeking]:
        mean = float(rows["y"].mean())  # type: ignore[arg-type]
        return [Peeking(lambda _: mean)]

    with pytest.raises(LeakError) as caught:
        backtest(made_rows("a", "b"), scaled_by_all, ROLLING)
    assert str(caught.value).startswith(
        f"peeking has seen the future: its forecast of series 'a' from {hours(388)} changes with values behind that "
        "cutoff (2 of 2 series)."
    )


def test_a_recipe_that_climbs_to_rows_of_its_callers_is_caught() -> None:
    with pytest.raises(LeakError, match="peeking has seen the future"):
        backtest(made_rows("a"), [Peeking(largest_frame_of_the_callers)], ROLLING)


def test_a_recipe_that_reads_only_what_it_is_given_passes() -> None:
    def mean_of_windows(data: TrainingData) -> float:
        return float(np.mean([y.mean() for group in data.seasons for _, y in data.windows(group, ("train", "other"))]))

    result = backtest(made_rows("a"), [Peeking(mean_of_windows)], ROLLING)
    assert "peeking" in result.metrics["leaks"]["models"]


def test_rows_that_were_not_cut_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(rows: pl.DataFrame, cutoff: datetime) -> pl.DataFrame:
        # One row too many is in every scaler, gap and window: the mistake of a `<=` in the place of a `<`.
        return rows.filter(pl.col("ds") <= cutoff)

    monkeypatch.setattr(fitting, "cut", late)
    with pytest.raises(LeakError, match="has seen the future: its forecast of series 'a'"):
        backtest(made_rows("a"), [], ROLLING)


def test_a_draw_without_a_seed_is_noticed() -> None:
    calls = count()
    with pytest.raises(LeakError, match="or for draws without a seed"):
        backtest(made_rows("a"), [Peeking(lambda _: float(next(calls)))], ROLLING)


def test_nobody_looks_where_nobody_is_to_look() -> None:
    calls = count()
    result = backtest(made_rows("a"), [Peeking(lambda _: float(next(calls)))], ROLLING, leaks=False)
    assert result.metrics["leaks"] == {"status": "not looked for", "models": []}


def test_another_future_changes_every_value_behind_the_cutoff_and_none_before() -> None:
    rows = made_rows("a", "b", n=30).with_columns(
        available_at=pl.when(pl.col("ds") == hours(3)).then(hours(25)).otherwise("ds")
    )
    changed = other_future(rows, hours(20))
    behind = (rows["ds"] >= hours(20)) | (rows["ds"] == hours(3))
    assert (rows["y"] != changed["y"]).to_list() == behind.to_list()
    assert changed.drop("y").equals(rows.drop("y"))


class Late(Shifted):
    """Forecasts nothing before some hour."""

    begin = 0

    def predict(self, inputs: Inputs) -> Floats:
        made: Floats = super().predict(inputs)
        early = (inputs.cutoffs < hours(self.begin)).to_numpy()
        return np.where(early[:, None], np.nan, made)


class LateRecipe(Peeking):
    """Makes a model that forecasts nothing before some hour."""

    def __init__(self, begin: int, find_out: Callable[[TrainingData], float]) -> None:
        super().__init__(find_out)
        self._begin = begin

    def fit(self, data: TrainingData, settings: Settings, *, seed: int) -> Fitted:
        model = Late(24, 6, "peeking")
        object.__setattr__(model, "by", self._find_out(data))
        object.__setattr__(model, "begin", self._begin)
        return Fitted(dict.fromkeys(data.seasons, model), [])


def test_a_model_that_seasonal_naive_stood_in_for_is_checked_in_the_first_fold_that_it_forecasts() -> None:
    with pytest.raises(LeakError, match=f"peeking has seen the future: .* from {hours(394)}".replace("+", r"\+")):
        backtest(made_rows("a"), [LateRecipe(390, largest_frame_of_the_callers)], ROLLING)
    told: list[tuple[int, str]] = []
    recipes = [LateRecipe(390, lambda _: 1.0)]
    result = backtest(made_rows("a"), recipes, ROLLING, told=lambda each: told.append((each.fold.number, each.at)))
    assert "peeking" in result.metrics["leaks"]["models"]
    assert told.count((2, "leaks")) == 2


def test_a_model_that_forecasts_nothing_is_not_named_as_checked_and_costs_no_second_check() -> None:
    told: list[tuple[int, str]] = []
    recipes = [LateRecipe(400, lambda _: 1.0)]
    result = backtest(made_rows("a"), recipes, ROLLING, told=lambda each: told.append((each.fold.number, each.at)))
    assert result.metrics["leaks"]["models"] == ["last_value", "naive2", "seasonal_naive"]
    assert result.metrics["peeking"]["stood_in"] == 2
    assert (2, "leaks") not in told


class Reaching(LastValue):
    """Adds the mean of all that lies where its inputs are read."""

    def predict(self, inputs: Inputs) -> Floats:
        assert isinstance(inputs.longer, Histories)
        source = inputs.longer.read.__self__  # type: ignore[attr-defined]
        return np.asarray(super().predict(inputs) + np.nanmean(source.given))


class ReachingRecipe:
    """A recipe of the model that reaches for all."""

    name = "reaching"
    space: Space = ()

    def fit(self, data: TrainingData, settings: Settings, *, seed: int) -> Fitted:
        return Fitted(dict.fromkeys(data.seasons, Reaching(24, 6, self.name)), [])


ETT = Ett(horizon=6, input_size=24)


def test_under_ett_a_model_that_reaches_for_later_rows_is_caught() -> None:
    with pytest.raises(LeakError, match="reaching has seen the future"):
        backtest(made_rows("a", n=20 * 720), [ReachingRecipe()], ETT)


@pytest.mark.parametrize("reader", ["inputs", "histories"])
def test_under_ett_inputs_that_are_read_a_point_too_late_are_noticed(
    monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    honest = getattr(FrameSource, reader)

    def late(source: FrameSource, windows: pl.DataFrame, size: int) -> Floats:
        # At the cutoff there is no later row, so this passes there.
        last = source.sequences.height - source.sizes.max() - 1
        return np.asarray(honest(source, windows.with_columns((pl.col("offset") + 1).clip(upper_bound=last + 1)), size))

    class FurtherBack(LastValue):
        def predict(self, inputs: Inputs) -> Floats:
            return np.repeat(inputs.history(24)[:, -1:] + inputs.values[:, -1:], 6, axis=1)

    class Recipe(ReachingRecipe):
        def fit(self, data: TrainingData, settings: Settings, *, seed: int) -> Fitted:
            return Fitted(dict.fromkeys(data.seasons, FurtherBack(24, 6, self.name)), [])

    monkeypatch.setattr(FrameSource, reader, late)
    with pytest.raises(LeakError, match="reaching has seen the future"):
        backtest(made_rows("a", n=20 * 720), [Recipe()], ETT)


def test_under_ett_honest_models_pass_with_holes_and_rows_that_arrive_late() -> None:
    rows = made_rows("a", "b", n=20 * 720)
    late, hole = pl.col("ds").dt.hour() == 3, pl.col("ds").dt.hour() == 17
    rows = rows.with_columns(
        available_at=pl.when(late).then(pl.col("ds") + pl.duration(hours=9)).otherwise("ds"),
        y=pl.when(hole).then(None).otherwise("y"),
    )
    result = backtest(rows, [LinearRecipe()], ETT)
    assert result.metrics["leaks"]["models"] == ["last_value", "linear", "seasonal_naive"]
