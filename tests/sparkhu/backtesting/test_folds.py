import numpy as np
import polars as pl
import pytest

from sparkhu.backtesting.folds import Ett, Rolling, validation_points
from sparkhu.errors import InputError
from tests.sparkhu.backtesting.made_rows import made_rows, rows_of, values_of
from tests.sparkhu.made_shard import hours


def test_the_last_horizon_ends_with_the_data_and_each_fold_is_a_horizon_before_the_next() -> None:
    folds = Rolling(folds=3, horizon=10).plan(made_rows("a", "b")).folds
    assert [fold.cutoff for fold in folds] == [hours(370), hours(380), hours(390)]
    assert [fold.number for fold in folds] == [1, 2, 3]
    assert {(fold.group, fold.period, fold.season_length, fold.horizon) for fold in folds} == {("1h/24", "1h", 24, 10)}


def test_the_median_series_says_where_the_data_ends() -> None:
    rows = rows_of({name: values_of(n, 0) for name, n in (("a", 300), ("b", 305), ("c", 380))})
    (fold,) = Rolling(folds=1, horizon=5).plan(rows).folds
    assert fold.cutoff == hours(300)
    assert fold.members.to_list() == ["a", "b", "c"]


def test_a_horizon_that_is_not_given_is_the_usual_one_or_leaves_three_before_the_first_cutoff() -> None:
    assert {fold.horizon for fold in Rolling().plan(made_rows("a")).folds} == {48}
    assert {fold.horizon for fold in Rolling(folds=3).plan(made_rows("a", n=60)).folds} == {10}


def test_groups_have_folds_of_their_own_and_a_series_without_period_is_told_of() -> None:
    daily = made_rows("daily", n=100).with_columns(
        pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 4, 9)).cast(pl.Datetime("us", "UTC")).alias("ds")
    )
    odd = made_rows("odd", n=40).with_columns(ds=pl.col("ds") + pl.duration(minutes=pl.int_range(40) ** 3 % 977))
    rows = pl.concat([daily, made_rows("hourly"), odd.sort("ds")])
    planned = Rolling(folds=1).plan(rows)
    assert [(fold.group, fold.horizon, fold.members.to_list()) for fold in planned.folds] == [
        ("1d/7", 14, ["daily"]),
        ("1h/24", 48, ["hourly"]),
    ]
    assert planned.left_out["unique_id"].to_list() == ["odd"]
    assert "no period is found" in planned.left_out["reason"][0]


def test_series_without_an_observed_value_are_told_of_and_say_nothing_of_where_the_data_ends() -> None:
    nothing = {name: np.full(400, np.nan) for name in ("x", "y", "z")}
    planned = Rolling(folds=1, horizon=5, period="1h").plan(rows_of({"a": values_of(400, 0), **nothing}))
    (fold,) = planned.folds
    assert (fold.cutoff, fold.members.to_list()) == (hours(395), ["a"])
    reasons = dict(planned.left_out.select("unique_id", "reason").iter_rows())
    assert reasons == dict.fromkeys(("x", "y", "z"), "no value of it was observed")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"folds": 0}, "folds must be at least 1, got 0"), ({"horizon": -1}, "horizon must be positive")],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Rolling(**wrong)  # type: ignore[arg-type]


def test_ett_has_borders_after_12_16_and_20_months_of_30_days() -> None:
    (fold,) = Ett().plan(made_rows("a", n=20 * 720)).folds
    assert (fold.train_end, fold.cutoff, fold.until) == (hours(8640), hours(11520), hours(14400))
    assert (fold.horizon, fold.input_size) == (96, 336)


def test_ett_refuses_a_source_that_is_too_short_and_series_that_differ() -> None:
    with pytest.raises(InputError, match="takes 20 months of 30 days"):
        Ett().plan(made_rows("a", n=20 * 720 - 1))
    odd = made_rows("b", n=100).with_columns(ds=pl.col("ds").dt.offset_by("1d")).gather_every(3)
    with pytest.raises(InputError, match="series of one period"):
        Ett().plan(pl.concat([made_rows("a", n=500), odd]))


def test_four_horizons_choose_but_a_quarter_of_the_series_at_most() -> None:
    assert [validation_points(n, 10) for n in (1000, 160, 100, 2)] == [40, 40, 25, 1]
