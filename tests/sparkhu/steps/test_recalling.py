"""Preparation of new data by what a model kept: `hour` is regular, `meter` irregular, on a grid of 90 s."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.cleaning import VARIANTS, clean_inputs
from sparkhu.steps.filling import fill
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.joining import SEQUENCE_SCHEMA, join_series
from sparkhu.steps.outliers import flag_outliers
from sparkhu.steps.pooling import pool_fills
from sparkhu.steps.recalling import Preparation, prepare_new
from sparkhu.steps.result import StepResult
from sparkhu.steps.strategies import STRATEGIES
from sparkhu.steps.training_quartiles import fit_quartiles

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILLS = ("mean", "median", "mode", "last", "next", "linear", "moving_average")
PROFILE = pl.DataFrame(
    {
        "unique_id": ["hour", "meter"],
        "decision": ["regular", "irregular"],
        "period_kind": ["fixed", "fixed"],
        "period_us": [3_600_000_000, 90_000_000],
        "period_label": ["1h", "90s"],
        "n": [1000, 1000],
        "median_gap_us": [3_600_000_000, 90_000_000],
        "season_length": [24, 1],
        "train_end": [START, START],
        "valid_end": [START, START],
        "test_end": [START, START],
    },
    schema_overrides={"train_end": TIME, "valid_end": TIME, "test_end": TIME},
)
STATS = pl.DataFrame(
    {"unique_id": ["hour", "meter"], "fit_q1": [0.0, 0.0], "fit_q3": [10.0, 10.0], "fit_until": [START, START]},
    schema_overrides={"fit_until": TIME},
)
KEPT = pl.DataFrame({"unique_id": ["hour", "meter"], "kept": ["outliers", "outliers"]})
CHOICES = pl.DataFrame(
    {"unique_id": ["hour"], "strategy": ["last"], "fit_value": [None], "fit_available_at": [None]},
    schema_overrides={"fit_value": pl.Float64, "fit_available_at": TIME},
)


def series(values: Sequence[float | None], hours: Sequence[float], name: str = "hour", late: float = 0) -> pl.DataFrame:
    ds = [START + hour * HOUR for hour in hours]
    available = [moment + late * HOUR for moment in ds]
    columns = {"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": available}
    return pl.DataFrame(columns, schema=SCHEMA)


def prepare(*parts: pl.DataFrame, profile: pl.DataFrame = PROFILE, **changes: Any) -> StepResult:
    given = {"stats": STATS, "choices": CHOICES, "cleaning": KEPT, "how": Preparation(), "model": "forecaster"}
    given |= {"source_profile": profile}
    return prepare_new(pl.concat(parts), profile=profile, **{**given, **changes})


def hours_of(moments: pl.Series) -> list[float]:
    return [(moment - START) / HOUR for moment in moments]


def test_hand_worked_regular_series() -> None:
    # Fences at 0 − 1.5·10 = −15 and 10 + 1.5·10 = 25: 26 is out of them, one of 20 points, 5 %. There is no row at
    # hours 3 and 4. All three take the last value known, 2; hour 5 stands in its place an hour late, as it came.
    values = [1.0, 2.0, 26.0, 5.0, *[6.0] * 16]
    hours = [0, 1, 2, *range(5, 22)]
    found = prepare(series(values, hours, late=1)).frames["sequences"]
    assert dict(found.schema) == SEQUENCE_SCHEMA
    head = found.head(6)
    assert hours_of(head["ds"]) == [0, 1, 2, 3, 4, 5]
    assert head["y"].to_list() == [1.0, 2.0, 2.0, 2.0, 2.0, 5.0]
    assert head["y_raw"].to_list() == [1.0, 2.0, 26.0, None, None, 5.0]
    assert hours_of(head["available_at"]) == [1, 2, 3, 3, 4, 6]
    assert head["is_gap"].to_list() == [False, False, False, True, True, False]
    assert head["is_outlier"].to_list() == [False, False, True, False, False, False]
    assert head["fill_strategy"].to_list() == [None, None, "last", "last", "last", None]
    assert found.height == 22


def test_hand_worked_irregular_series() -> None:
    # The grid of 90 s ends at the last row, second 270: cells end at 0, 90, 180, 270; 80 falls into that of 90.
    seconds = [0, 80, 180, 270]
    found = prepare(series([1.0, 2.0, 3.0, 4.0], [second / 3600 for second in seconds], "meter")).frames
    assert [round(3600 * hour) for hour in hours_of(found["sequences"]["ds"])] == [0, 90, 180, 270]
    assert found["sequences"]["y"].to_list() == [1.0, 2.0, 3.0, 4.0]
    assert found["profile"].select("unique_id", "decision", "period_label", "n").rows() == [
        ("meter", "irregular", "90s", 4)
    ]


@pytest.mark.parametrize("kept", ["none", "anomalies"])
def test_hand_worked_outlier_that_was_not_cleaned_in_training(kept: str) -> None:
    # 26 lies beyond the fence of 25 and is flagged, but stands. The gap at hour 3 takes the last value before it that
    # is none, 2, as it did in training: filling looked past outliers there as well.
    values = [1.0, 2.0, 26.0, 5.0, *[6.0] * 16]
    hours = [0, 1, 2, *range(4, 21)]
    cleaning = KEPT.with_columns(kept=pl.lit(kept))
    head = prepare(series(values, hours, late=1), cleaning=cleaning).frames["sequences"].head(5)
    assert head["y"].to_list() == [1.0, 2.0, 26.0, 2.0, 5.0]
    assert head["is_outlier"].to_list() == [False, False, True, False, False]
    assert head["fill_strategy"].to_list() == [None, None, None, "last", None]
    assert hours_of(head["available_at"]) == [1, 2, 3, 3, 5]


@pytest.mark.parametrize("action", ["flag", "null", "clip"])
def test_series_by_series_outliers_are_cleaned_where_that_was_kept(action: Any) -> None:
    values = [1.0, 2.0, 26.0, *[6.0] * 17]
    cleaning = pl.DataFrame({"unique_id": ["meter", "hour"], "kept": ["outliers+anomalies", "none"]})
    parts = series(values, [*range(20)]), series(values, [number / 40 for number in range(20)], "meter")
    how = Preparation(outlier_action=action)
    found = prepare(*parts, cleaning=cleaning, how=how).frames["sequences"].filter("is_outlier")
    cleaned = {"flag": 2.0, "null": 2.0, "clip": 25.0}[action]
    assert found.select("unique_id", "y", "y_raw").rows() == [("hour", 26.0, 26.0), ("meter", cleaned, 26.0)]
    unknown = prepare(*parts, cleaning=cleaning.clear(), how=how).frames["sequences"]
    assert unknown.filter("is_outlier")["y"].to_list() == [26.0, 26.0]


def test_both_ways_stand_side_by_side_in_the_order_of_their_names() -> None:
    found = prepare(series([1.0, 2.0], [0, 1]), series([3.0, 4.0], [0, 0.025], "meter"))
    assert found.frames["sequences"].select("unique_id", "y").rows() == [
        ("hour", 1.0),
        ("hour", 2.0),
        ("meter", 3.0),
        ("meter", 4.0),
    ]
    assert found.frames["profile"]["unique_id"].to_list() == ["hour", "meter"]
    assert found.ledger.rows() == [("hour", "ok", None, "{}"), ("meter", "ok", None, "{}")]


def test_the_order_of_the_models_tables_plays_no_part() -> None:
    parts = series([1.0, 2.0], [0, 1]), series([3.0, 4.0], [0, 0.025], "meter")
    turned = prepare(*parts, profile=PROFILE.reverse(), stats=STATS.reverse(), choices=CHOICES.reverse())
    assert_frame_equal(turned.frames["sequences"], prepare(*parts).frames["sequences"])
    assert turned.frames["profile"]["unique_id"].to_list() == ["hour", "meter"]


def test_a_series_that_the_model_does_not_know_is_failed_and_left_out() -> None:
    found = prepare(series([7.0], [0], "elsewhere"), series([1.0, 2.0], [0, 1]))
    reason = "model 'forecaster' does not know it; train with it first"
    assert found.ledger.rows() == [("elsewhere", "failed", reason, "{}"), ("hour", "ok", None, "{}")]
    assert found.frames["sequences"]["unique_id"].unique().to_list() == ["hour"]
    assert found.frames["profile"]["unique_id"].to_list() == ["hour"]


@pytest.mark.parametrize(("minutes", "fails"), [(5, True), (29, True), (30, False), (61, False)])
def test_points_that_stand_closer_than_those_of_the_model_fail(minutes: int, fails: bool) -> None:
    # A model of hours that were made of five minutes would take twelve rows for twelve hours.
    dense = series([float(number % 3) for number in range(9)], [number * minutes / 60 for number in range(9)])
    found = prepare(dense, series([3.0, 4.0], [0, 0.001], "meter"))
    reason = "its points stand closer than every 1h, the model's period; bring it to that first"
    assert found.ledger.rows() == [
        ("hour", "failed" if fails else "ok", reason if fails else None, "{}"),
        ("meter", "ok", None, "{}"),
    ]
    assert ("hour" in found.frames["sequences"]["unique_id"]) is not fails


def test_a_series_that_the_new_data_lack_is_in_no_table() -> None:
    found = prepare(series([1.0, 2.0], [0, 1]))
    assert found.frames["profile"]["unique_id"].to_list() == ["hour"]
    assert found.ledger["unique_id"].to_list() == ["hour"]


def test_borders_of_the_training_are_forgotten() -> None:
    # They lie before the new data: whatever came after them must not count as unseen.
    found = prepare(series([1.0, 2.0], [0, 1]), series([3.0, 4.0], [0, 0.025], "meter")).frames["profile"]
    assert found.select("train_end", "valid_end", "test_end").rows() == [(None, None, None)] * 2
    assert found.schema["train_end"] == TIME


def test_no_rows_give_typed_tables() -> None:
    found = prepare(series([], []))
    assert found.frames["sequences"].schema == pl.Schema(SEQUENCE_SCHEMA)
    assert found.frames["profile"].height == 0
    assert found.ledger.height == 0


def test_the_parameters_of_the_training_are_those_of_every_part() -> None:
    values, hours = [0.0, 26.0, *[4.0] * 18], [*range(19), 22]

    def rows(**how: Any) -> pl.DataFrame:
        return prepare(series(values, hours), how=Preparation(**how)).frames["sequences"]

    assert rows()["is_outlier"].sum() == 1
    assert rows(outlier_width=1.6)["is_outlier"].sum() == 0  # 10 + 1.6·10 is 26 itself: not beyond
    assert rows(outlier_action="flag_only")["y"][1] == 26.0
    assert rows(outlier_action="clip")["y"][1] == 25.0
    assert rows()["y"][1] == 0.0
    assert rows()["y"].tail(4).to_list() == [4.0] * 4
    assert rows(max_gap_points=2)["y"].tail(4).to_list() == [None, None, None, 4.0]
    assert rows(max_gap_points=3)["y"].tail(4).to_list() == [4.0] * 4


@pytest.mark.parametrize(("share", "second"), [(0.05, 0.0), (0.04, 26.0)])
def test_outliers_beyond_the_share_of_the_training_are_kept(share: float, second: float) -> None:
    # The last is the second of twenty: 1 + 0.05·20 = 2 may be changed, 1 + 0.04·20 = 1.8 may not.
    found = prepare(series([*[4.0] * 17, 0.0, 26.0, 26.0], [*range(20)]), how=Preparation(max_outlier_share=share))
    assert found.frames["sequences"]["is_outlier"].sum() == 2
    assert found.frames["sequences"]["y"][19] == second


@given(st.lists(st.sampled_from([4.0, 26.0]), min_size=2, max_size=30), st.data())
def test_what_is_done_to_a_new_point_does_not_depend_on_later_ones(values: list[float], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(values)))
    whole, early = (prepare(series(part, [*range(len(part))])).frames["sequences"] for part in (values, values[:cut]))
    assert_frame_equal(whole.head(cut), early)


@pytest.mark.parametrize(("edge", "first"), [("leave", None), ("nearest", 3.0)])
def test_the_first_points_are_filled_as_in_training(edge: Any, first: float | None) -> None:
    lines = CHOICES.with_columns(strategy=pl.lit("linear"))
    found = prepare(series([None, 3.0, 4.0], [0, 1, 2]), choices=lines, how=Preparation(fill_edge=edge))
    assert found.frames["sequences"]["y"].to_list() == [first, 3.0, 4.0]


def test_a_fill_that_is_known_late_gives_way_to_the_straight_line() -> None:
    averaged = CHOICES.with_columns(strategy=pl.lit("moving_average"))
    frame = series([1.0, 4.0, None, 8.0, 13.0], [*range(5)])
    found = prepare(frame, choices=averaged, how=Preparation(fill_window=2)).frames["sequences"]
    assert found["y"].to_list() == [1.0, 4.0, 6.0, 8.0, 13.0]
    assert found["fill_strategy"].to_list() == [None, None, "linear", None, None]


def test_days_begin_in_the_zone_of_the_training() -> None:
    # In Berlin 31 March 2024 has 23 hours: it begins on the 30th at 23:00 UTC and ends on the 31st at 22:00. It lacks.
    days = [datetime(2024, 3, day, 23, tzinfo=UTC) for day in (28, 29)] + [datetime(2024, 3, 31, 22, tzinfo=UTC)]
    frame = series([1.0, 2.0, 4.0], [(day - START) / HOUR for day in days])
    daily = PROFILE.with_columns(
        period_label=pl.lit("1d"), period_us=pl.lit(86_400_000_000), period_kind=pl.lit("fixed")
    )
    found = prepare(frame, profile=daily, how=Preparation(zone="Europe/Berlin")).frames["sequences"]
    assert found.filter("is_gap")["ds"].to_list() == [datetime(2024, 3, 30, 23, tzinfo=UTC)]


def test_missing_columns_are_named() -> None:
    frame = series([1.0], [0])
    for column in ("unique_id", "ds", "y", "available_at"):
        with pytest.raises(InputError, match=f"'{column}'"):
            prepare(frame.drop(column))


def test_a_preparation_says_what_the_defaults_of_a_run_are() -> None:
    assert replace(Preparation()) == Preparation(
        zone="UTC",
        outlier_width=1.5,
        outlier_action="flag",
        max_outlier_share=0.05,
        fill_edge="leave",
        max_gap_points=0,
        fill_window=5,
    )


def in_training(
    frame: pl.DataFrame, train_end: datetime, choice: str, kept: str = "outliers"
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Prepare as a training run does: what it keeps, by name, and its sequences."""
    ids = frame["unique_id"].unique(maintain_order=True)
    end = pl.lit(train_end).cast(TIME)
    profile = PROFILE.filter(pl.col("unique_id") == "hour").drop("unique_id", "train_end").join(
        ids.to_frame(), how="cross"
    ).with_columns(train_end=end, season_length=1)  # fmt: skip
    stats = fit_quartiles(frame, split="0.7/0.1/0.2", start=None, end=train_end)
    flagged = frame.with_columns(flag_outliers(frame, stats).frames["flags"].get_columns())
    marked = mark_gaps(flagged, profile).frames["observations"]
    made = [fill(marked, profile, strategy=name).frames for name in STRATEGIES]
    layers = pl.concat([marked, *[one["filled"] for one in made]], how="horizontal")
    pooled = pool_fills(layers, pl.concat([one["scores"] for one in made]), choice=choice).frames
    filled = marked.with_columns(pooled["filled"].get_columns())
    joined = join_series(filled, frame.clear(), profile, profile.clear()).frames["sequences"]
    sequences = joined.with_columns(clean_inputs(joined, profile, kept).get_columns())
    cleaning = ids.to_frame().with_columns(kept=pl.lit(kept))
    tables = {
        "profile": profile,
        "source_profile": profile,
        "stats": stats,
        "choices": pooled["choices"],
        "cleaning": cleaning,
    }
    return tables, sequences


@pytest.mark.parametrize("choice", ["", *FILLS])
def test_new_data_are_prepared_as_the_same_data_were_in_training(choice: str) -> None:
    # `a` has shifted to 60 behind the training part (outliers there, more than the share); `b` has one within it, far
    # off, that its mean must not hold. Both lack a value in the training part and behind it.
    swing = [float(hour % 7) for hour in range(60)]
    shifted: list[float | None] = [*swing[:40], *[60.0 + value for value in swing[40:]]]
    faulty: list[float | None] = [*swing[:9], 500.0, *swing[10:40], *[3.0 + value for value in swing[40:]]]
    for values in (shifted, faulty):
        values[20] = values[52] = values[53] = None
    frame = pl.concat([series(shifted, [*range(60)], "a", late=0.5), series(faulty, [*range(60)], "b")])
    kept, trained = in_training(frame, START + 40 * HOUR, choice)
    found = prepare_new(frame, **kept, how=Preparation(), model="forecaster").frames["sequences"]
    assert_frame_equal(found, trained)
    # The k-th of those behind row 40 is changed while k ≤ 1 + 0.05·(39 + k): 3; of `b` only the fault at row 9 is.
    assert found.filter("is_outlier").group_by("unique_id").len().sort("unique_id").rows() == [("a", 18), ("b", 1)]
    assert found.filter(pl.col("is_outlier") & (pl.col("fill_strategy").is_not_null()))["ds"].to_list() == [
        START + hour * HOUR for hour in (40, 41, 42, 9)
    ]


@given(
    st.lists(st.one_of(st.none(), st.integers(-9, 30).map(float)), min_size=2, max_size=12),
    st.integers(1, 12),
    st.sampled_from(FILLS),
    st.sampled_from(VARIANTS),
)
def test_nothing_is_fitted_on_new_data(values: list[float | None], train: int, choice: str, variant: str) -> None:
    frame = series(values, [*range(len(values))])
    kept, trained = in_training(frame, START + train * HOUR, choice, variant)
    found = prepare_new(frame, **kept, how=Preparation(), model="forecaster").frames["sequences"]
    assert_frame_equal(found, trained)
    assert np.array_equal(found["y_raw"].is_null(), frame["y"].is_null())
