from datetime import timedelta

import numpy as np
import polars as pl

from sparkhu.backtesting.fitting import fit_fold
from sparkhu.backtesting.folds import Ett, Fold, Rolling
from sparkhu.backtesting.forecasts import at_cutoff
from sparkhu.backtesting.preparing import cut, prepare
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.windows import FrameSource
from sparkhu.tuning.space import Space
from tests.sparkhu.backtesting.made_rows import made_rows, rows_of, values_of
from tests.sparkhu.made_shard import hours


class Looking:
    """A recipe that fits nothing, and remembers all that it can look at."""

    name = "looking"
    space: Space = ()

    def __init__(self) -> None:
        self.instants: list[pl.Series] = []
        self.finite = 0

    def fit(self, data: TrainingData, settings: Settings, *, seed: int) -> Fitted:
        for read in data.shards:
            shard = read()
            assert isinstance(shard.source, FrameSource)
            rows = shard.source.rows()
            self.instants += [
                rows["ds"],
                rows["available_at"],
                *[shard.table[name] for name in shard.table.columns[2:8]],
            ]
            self.instants += [shard.series["train_end"] - timedelta(hours=1)]
            self.finite += int(np.isfinite(shard.source.given).sum())
        return Fitted({}, [])


def fold_of(rows: pl.DataFrame, horizon: int = 10, folds: int = 1) -> Fold:
    return Rolling(folds=folds, horizon=horizon).plan(rows).folds[0]


def test_rows_behind_the_cutoff_and_those_known_only_behind_it_are_cut() -> None:
    rows = made_rows("a", n=10).with_columns(
        available_at=pl.when(pl.col("ds") == hours(3)).then(hours(6)).otherwise("ds")
    )
    assert cut(rows, hours(5))["ds"].to_list() == [hours(0), hours(1), hours(2), hours(4)]
    assert cut(rows, hours(6))["ds"].to_list() == [hours(hour) for hour in range(6)]


def test_nothing_that_a_recipe_can_reach_lies_behind_the_cutoff() -> None:
    rows, looking = made_rows("a", "b"), Looking()
    fold = fold_of(rows, folds=2)
    fit_fold(rows, [looking], fold)
    assert looking.finite == 2 * 380
    assert max(instants.max() for instants in looking.instants) < fold.cutoff  # type: ignore[type-var]


def test_a_gap_is_closed_by_the_last_value_before_it_also_at_the_end() -> None:
    values = values_of(100, 0)
    values[[40, 41, 88, 89]] = np.nan
    rows = rows_of({"a": values}).filter(pl.col("ds") != hours(41))
    prepared = prepare(cut(rows, hours(90)), fold_of(rows))
    closed = prepared.rows.filter(pl.col("y_raw").is_null())
    assert closed["ds"].to_list() == [hours(hour) for hour in (40, 41, 88, 89)]
    assert closed["y"].to_list() == [values[39], values[39], values[87], values[87]]
    assert closed["available_at"].to_list() == closed["ds"].to_list()


def test_a_value_that_is_revised_later_is_looked_at_as_it_was_known() -> None:
    rows = made_rows("a", n=60)
    revised = rows.filter(pl.col("ds") == hours(20)).with_columns(y=pl.lit(-1.0), available_at=pl.lit(hours(55)))
    both = pl.concat([rows, revised]).sort("ds", "available_at")
    known = prepare(cut(both, hours(50)), fold_of(rows)).rows
    assert known.filter(pl.col("ds") == hours(20))["y"].to_list() == [values_of(60, 0)[20]]
    later = prepare(cut(both, hours(55)), fold_of(rows)).rows
    assert later.filter(pl.col("ds") == hours(20))["y"].to_list() == [-1.0]


def test_series_that_cannot_be_forecast_are_left_out_with_the_reason() -> None:
    whole = made_rows("whole", n=100)
    others = {"few": (80, 100), "ended": (0, 70), "late": (95, 100)}
    parts = [
        made_rows(name, n=100).filter(pl.col("ds").is_between(hours(first), hours(last), closed="left"))
        for name, (first, last) in others.items()
    ]
    rows = pl.concat([whole, *parts])
    fold = fold_of(rows)
    assert fold.cutoff == hours(90)
    prepared = prepare(cut(rows, fold.cutoff), fold)
    reasons = dict(prepared.left_out.select("unique_id", "reason").iter_rows())
    assert reasons.keys() == {"few", "ended", "late"}
    assert reasons["few"].startswith("10 values before the cutoff")
    assert reasons["ended"].startswith("its last value lies 21 points before the cutoff")
    assert reasons["late"].startswith("no value before the cutoff")
    assert prepared.shard.series["unique_id"].to_list() == ["whole"]


def test_the_scaler_is_that_of_the_training_part_and_the_final_part_chooses() -> None:
    rows = made_rows("a")
    prepared = prepare(cut(rows, hours(390)), fold_of(rows))
    trained = values_of(400, 0)[:350]
    assert prepared.profile["train_end"].to_list() == [hours(350)]
    assert prepared.profile["valid_end"].to_list() == [hours(390)]
    assert np.isclose(prepared.scalers["center"][0], trained.mean())
    assert np.isclose(prepared.scalers["scale"][0], trained.std())


def test_under_ett_all_of_validation_chooses() -> None:
    rows = made_rows("a", n=20 * 720)
    (fold,) = Ett(horizon=6, input_size=24).plan(rows).folds
    table = prepare(cut(rows, fold.cutoff), fold).shard.table
    parts = dict(table["part"].value_counts().iter_rows())
    assert parts == {"train": 12 * 720 - 29, "choose": 4 * 720 - 5, "other": 5}
    chosen = table.filter(pl.col("part") == "choose")
    assert (chosen["targets_from"].min(), chosen["targets_until"].max()) == (hours(12 * 720), hours(16 * 720 - 1))


def test_values_are_scaled_as_the_protocol_says() -> None:
    rows = made_rows("a")
    (fold,) = Rolling(folds=1, horizon=10, scaler="power").plan(rows).folds
    assert prepare(cut(rows, fold.cutoff), fold).scalers["lambda"].null_count() == 0


def test_a_forecast_of_months_follows_the_calendar_of_the_series() -> None:
    ends = pl.date_range(pl.date(2019, 1, 31), pl.date(2024, 1, 31), "1mo", eager=True).dt.month_end()
    rows = (
        made_rows("a", n=len(ends)).with_columns(ds=ends.cast(pl.Datetime("us", "UTC"))).with_columns(available_at="ds")
    )
    fold = fold_of(rows, horizon=3)
    batch = at_cutoff(fit_fold(rows, [], fold))
    assert pl.Series(batch.ds[0]).cast(pl.Datetime("us", "UTC")).to_list() == rows["ds"].tail(3).to_list()
