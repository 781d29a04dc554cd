"""Snapshots: what was known of a series as of a moment, and what was observed behind a cutoff."""

from datetime import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.snapshots import (
    LAST_VALUES,
    PARTS_SCHEMA,
    SNAPSHOT_SCHEMA,
    TARGETS_SCHEMA,
    known_since,
    take_parts,
    take_snapshots,
    take_targets,
)
from sparkhu.steps.description import describe_values
from sparkhu.summaries import HISTORY_SCHEMA as SUMMARISED
from tests.sparkhu.made_shard import hours

HISTORY_SCHEMA = {**SUMMARISED, "known_until": TIME}
STATS = ("n", "share_missing", "mean", "std", "min", "q1", "median", "q3", "max")


def clean_rows(series: dict[str, list[float | None]], late: dict[int, float] | None = None) -> pl.DataFrame:
    """Make hourly clean rows; a null is a gap that was filled with 0; `late` dates hours that arrived later."""
    rows = [
        {
            "unique_id": name,
            "ds": hours(hour),
            "y": 0.0 if value is None else value,
            "y_raw": value,
            "available_at": hours((late or {}).get(hour, hour)),
            "is_outlier": value is not None and value > 100,
            "is_anomaly": False,
            "fill_strategy": "mean" if value is None else None,
            "trend": float(hour),
            "seasonal": 0.5,
            "resid": None,
        }
        for name, values in series.items()
        for hour, value in enumerate(values)
    ]
    floats = dict.fromkeys(("y", "y_raw", "trend", "seasonal", "resid"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides={"ds": TIME, "available_at": TIME, "fill_strategy": pl.String, **floats})


def scalers_of(names: list[str], at: datetime) -> pl.DataFrame:
    return (
        pl.DataFrame({"unique_id": names}, schema={"unique_id": pl.String})
        .with_columns(
            scaler=pl.lit("standard"),
            center=pl.lit(1.0),
            scale=pl.lit(2.0),
            version=pl.lit("abc"),
            available_at=pl.lit(at),
        )
        .with_columns(pl.col("available_at").cast(TIME))
    )


def made(clean: pl.DataFrame, fitted: float = 0) -> dict[str, Any]:
    """Make what a run says of the series beside its rows: scalers known at an hour."""
    names = clean["unique_id"].unique(maintain_order=True).to_list()
    one = pl.DataFrame({"unique_id": names}, schema={"unique_id": pl.String})
    return {
        "stats": describe_values(clean.select("unique_id", "ds", y="y_raw")).select("unique_id", *STATS),
        "profile": one.with_columns(
            period_label=pl.lit("1h"),
            season_length=pl.lit(24, pl.Int64),
            decision=pl.lit("regular"),
            version=pl.lit(3, pl.Int64),
        ),
        "seasons": one.with_columns(trend_strength=pl.lit(0.25), seasonal_strength=pl.lit(None, pl.Float64)),
        "scalers": scalers_of(names, hours(fitted)),
    }


def test_a_snapshot_holds_the_last_observed_values_and_what_the_run_says_of_the_series() -> None:
    # Observed 1, 3, -, 5 and a gap at 04:00. n = 3 of 5 rows, so 2/5 missing; mean (1+3+5)/3 = 3;
    # std = √((4+0+4)/2) = 2; quartiles of 1, 3, 5: 2, 3, 4. The last observed instant is 03:00. The latest arrival of
    # any row, 04:00, is the moment.
    clean = clean_rows({"a": [1, 3, None, 5, None]})
    (row,) = take_snapshots(clean, **made(clean)).to_dicts()
    assert row == {
        "unique_id": "a",
        "available_at": hours(4),
        "last_ds": hours(3),
        "last_value": 5.0,
        "n": 3,
        "missing_share": 0.4,
        "mean": 3.0,
        "std": 2.0,
        "min": 1.0,
        "q1": 2.0,
        "median": 3.0,
        "q3": 4.0,
        "max": 5.0,
        "period_label": "1h",
        "season_length": 24,
        "decision": "regular",
        "decision_version": 3,
        "trend_strength": 0.25,
        "seasonal_strength": None,
        "scaler": "standard",
        "center": 1.0,
        "scale": 2.0,
        "scaler_version": "abc",
        "last_values": [1.0, 3.0, 5.0],
    }


def test_the_last_values_are_at_most_24_and_the_oldest_stands_first() -> None:
    # 30 values 0 … 29: those of the hours 6 … 29 are the last 24.
    clean = clean_rows({"a": [float(k) for k in range(30)]})
    (values,) = take_snapshots(clean.reverse(), **made(clean))["last_values"].to_list()
    assert values == [float(k) for k in range(6, 30)]
    assert len(values) == LAST_VALUES


def test_one_moment_holds_for_all_series_and_is_that_of_the_latest_arrival() -> None:
    # Hour 1 came at 09:00 (a late revision), the scaler was known at 07:00, everything else earlier.
    clean = clean_rows({"a": [1, 2], "b": [5]}, late={1: 9})
    table = take_snapshots(clean, **made(clean, fitted=7))
    assert table["available_at"].to_list() == [hours(9), hours(9)]
    assert known_since(clean, scalers_of(["a"], hours(11))) == hours(11)


RUN = ("period_label", "season_length", "decision", "decision_version", "trend_strength")
SCALED = ("scaler", "center", "scale", "scaler_version")
STATISTICS = ("n", "missing_share", "mean", "std", "min", "q1", "median", "q3", "max")


def absent(row: dict[str, object], *names: str) -> bool:
    """Say whether all of these fields are null, or, where not, that all of them are there."""
    missing = [row[name] is None for name in names]
    assert all(missing) or not any(missing)
    return all(missing)


@pytest.mark.parametrize(
    ("late", "fitted", "last", "without"),
    [
        # Hours 0, 1, 2; the moment is 03:00. Whichever came later, it may have moved the end of the training part.
        ({}, 1, 3, set()),
        ({2: 3}, 1, 3, set()),
        ({2: 8}, 1, 2, {STATISTICS, RUN, SCALED}),
        ({0: 8}, 1, 3, {STATISTICS, RUN, SCALED}),
        ({}, 5, 3, {SCALED}),
    ],
)
def test_what_became_known_behind_the_moment_is_left_out(
    late: dict[int, float], fitted: float, last: float, without: set[tuple[str, ...]]
) -> None:
    clean = clean_rows({"a": [1, 2, 3]}, late=late)
    (row,) = take_snapshots(clean, **made(clean, fitted), moment=hours(3)).to_dicts()
    assert (row["available_at"], row["last_value"], row["last_values"][-1]) == (hours(3), last, last)
    assert {names for names in (STATISTICS, RUN, SCALED) if absent(row, *names)} == without


def test_a_series_that_was_not_known_at_the_moment_has_no_snapshot() -> None:
    clean = clean_rows({"a": [1, 2], "b": [3]}, late={0: 5, 1: 5})
    assert take_snapshots(clean, **made(clean), moment=hours(4)).is_empty()
    assert take_parts(clean, scalers=made(clean)["scalers"], moment=hours(4)).schema == pl.Schema(PARTS_SCHEMA)
    empty = clean.clear()
    assert take_snapshots(empty, **made(empty), moment=hours(4)).schema == pl.Schema(SNAPSHOT_SCHEMA)


def test_parts_are_told_where_all_rows_were_known() -> None:
    clean, scalers = clean_rows({"a": [1, 2, 3]}, late={2: 8}), scalers_of(["a"], hours(0))
    assert take_parts(clean, scalers=scalers, moment=hours(3)).is_empty()
    (after,) = take_parts(clean, scalers=scalers, moment=hours(8)).to_dicts()
    assert (after["ds"], after["trend"], after["is_outlier"]) == (hours(2), 2.0, False)


def test_with_a_history_statistics_and_last_values_are_those_that_it_tells() -> None:
    # Hour 2 is not told by clean rows; by 03:00 hours 0 and 1 were known, as 10 and 20 then, and 7 values in all days.
    clean = clean_rows({"a": [1, 2], "b": [1, 2]})
    told = {
        "n": 7, "mean": 15.0, "std": 5.0, "min": 1.0, "max": 20.0, "start": hours(-50), "missing_share": 0.25,
        "q1": 12.5, "median": 15.0, "q3": 17.5, "last_ds": hours(1), "last_value": 20.0, "last_values": [10.0, 20.0],
        "known_until": hours(3),
    }  # fmt: skip
    nothing = dict.fromkeys(told)
    history = pl.DataFrame(
        [{"unique_id": "a", **told}, {"unique_id": "b", **nothing}, {"unique_id": "gone", **told}],
        schema=HISTORY_SCHEMA,
    )
    (row,) = take_snapshots(clean, **made(clean, 1), history=history, moment=hours(3)).to_dicts()
    kept = told.keys() - {"start", "known_until"}
    assert {name: row[name] for name in kept} == {name: told[name] for name in kept}
    assert (row["unique_id"], row["decision"], row["center"]) == ("a", "regular", 1.0)
    assert take_parts(clean, scalers=made(clean)["scalers"], history=history, moment=hours(3)).height == 2

    # A value that was withdrawn at 03:30 stands in no clean row, and yet the run saw that it is not there.
    late = history.with_columns(known_until=pl.lit(hours(3.5)).cast(TIME))
    (after,) = take_snapshots(clean, **made(clean, 1), history=late, moment=hours(3)).to_dicts()
    assert {name: after[name] for name in kept} == {name: told[name] for name in kept}
    assert absent(after, *RUN, *SCALED)
    assert take_parts(clean, scalers=made(clean)["scalers"], history=late, moment=hours(3)).is_empty()
    with pytest.raises(InputError, match="column 'known_until' is missing"):
        take_snapshots(clean, **made(clean), history=history.drop("known_until"), moment=hours(3))


@pytest.mark.parametrize(("late", "fields"), [({}, (False, False)), ({2: 8}, (False, True))])
def test_a_scaler_that_was_fitted_on_what_other_series_chose_waits_for_all_of_them(
    late: dict[int, float], fields: tuple[bool, bool]
) -> None:
    # Of a and b cleaning may change b, if the models say so; these have seen hour 2 of c too.
    clean = pl.concat([clean_rows({"a": [1, 2], "b": [1, 2]}), clean_rows({"c": [1, 2, 3]}, late=late)])
    names = {"unique_id": ["a", "b", "c"], "candidates": ["none", "outliers", "anomalies"]}
    table = take_snapshots(clean, **made(clean), cleaning=pl.DataFrame(names), moment=hours(3))
    assert tuple(absent(row, *SCALED) for row in table.to_dicts()[:2]) == fields
    assert table["decision"].to_list()[:2] == ["regular"] * 2


def null_or_same(table: pl.DataFrame, before: pl.DataFrame) -> bool:
    """Say whether each field of a table is null or that of the same row of another table."""
    rows = {row["unique_id"]: row for row in before.to_dicts()}
    return all(value in (None, rows[row["unique_id"]][name]) for row in table.to_dicts() for name, value in row.items())


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.none() | st.integers(0, 9).map(float), min_size=1, max_size=12),
    late=st.dictionaries(st.integers(0, 11), st.integers(0, 30).map(float), max_size=6),
    other=st.integers(10, 99).map(float),
    share=st.floats(0, 1),
    moment=st.integers(0, 30),
    kept=st.integers(0, 12),
)
def test_no_field_tells_of_what_became_known_later(
    values: list[float | None], late: dict[int, float], other: float, share: float, moment: int, kept: int
) -> None:
    def taken(clean: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Take both tables, of a run whose split, statistics, scaler, parts and flags see all rows of theirs."""
        fit = clean.head(round(share * clean.height))
        mean, latest = fit["y_raw"].mean(), fit["available_at"].max()
        beside = made(clean)
        seen = pl.col("y_raw").fill_null(0.0).sum()
        clean = clean.with_columns(trend=seen, is_anomaly=seen > 50)
        scalers = beside["scalers"].with_columns(center=pl.lit(mean, pl.Float64), available_at=pl.lit(latest, TIME))
        beside["scalers"] = scalers
        beside["seasons"] = beside["seasons"].with_columns(trend_strength=pl.lit(mean, pl.Float64))
        return (
            take_snapshots(clean, **beside, moment=hours(moment)),
            take_parts(clean, scalers=scalers, moment=hours(moment)),
        )

    clean = clean_rows({"a": values}, late=late)
    later = pl.col("available_at") > hours(moment)
    changed = clean.with_columns(
        pl.when(later).then(pl.lit(other)).otherwise(name).alias(name) for name in ("y", "y_raw")
    )
    for one, same in zip(taken(clean), taken(changed), strict=True):
        assert one.equals(same)

    # With any number of the later rows, one at least, all stays; without them fields are told that were null.
    some = clean.filter(~later | (later.cum_sum() <= max(kept, 1)))
    for one, same in zip(taken(clean), taken(some), strict=True):
        assert one.equals(same)
    for one, before in zip(taken(clean), taken(clean.filter(~later)), strict=True):
        assert null_or_same(one, before)


def test_a_moment_without_a_zone_is_refused() -> None:
    clean = clean_rows({"a": [1]})
    with pytest.raises(InputError, match="moment must have a zone"):
        take_snapshots(clean, **made(clean), moment=datetime(2030, 1, 1))


def test_what_the_run_does_not_know_of_a_series_is_null() -> None:
    clean = clean_rows({"a": [1, 2], "b": [None, None]})
    nothing = {name: table.clear() for name, table in made(clean).items()}
    table = take_snapshots(clean, **nothing)
    assert table["unique_id"].to_list() == ["a"], "b was never observed"
    assert table.drop("unique_id", "available_at", "last_ds", "last_value", "last_values").row(0) == (None,) * 19
    assert table.schema == pl.Schema(SNAPSHOT_SCHEMA)


def test_nothing_known_gives_no_snapshot() -> None:
    clean = clean_rows({"a": [1]}).clear()
    with pytest.raises(InputError, match="no row that was ever known"):
        known_since(clean, scalers_of([], hours(0)))


@pytest.mark.parametrize(("table", "column"), [("stats", "q3"), ("profile", "decision"), ("scalers", "center")])
def test_a_missing_column_is_named(table: str, column: str) -> None:
    clean = clean_rows({"a": [1]})
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        take_snapshots(clean, **{**made(clean), table: made(clean)[table].drop(column)})


def test_the_parts_are_those_of_the_newest_clean_point_and_are_dated_by_the_snapshot() -> None:
    # a: 04:00 is a gap that was filled with 0, so it is the newest clean point. b ends with 200, an outlier.
    clean = clean_rows({"a": [1, 3, None, 5, None], "b": [1, 200]})
    first, second = take_parts(clean.reverse(), scalers=scalers_of(["a"], hours(0))).to_dicts()
    assert first == {
        "unique_id": "a",
        "available_at": hours(4),
        "ds": hours(4),
        "y": 0.0,
        "trend": 4.0,
        "seasonal": 0.5,
        "resid": None,
        "is_outlier": False,
        "is_anomaly": False,
        "fill_strategy": "mean",
    }
    assert (second["ds"], second["y"], second["is_outlier"], second["available_at"]) == (
        hours(1),
        200.0,
        True,
        hours(4),
    )


def test_a_point_without_a_value_is_no_newest_point() -> None:
    clean = clean_rows({"a": [1, 2]}).with_columns(y=pl.when(pl.col("ds") < hours(1)).then("y"))
    table = take_parts(clean, scalers=scalers_of(["a"], hours(0)))
    assert table["ds"].to_list() == [hours(0)]
    assert table.schema == pl.Schema(PARTS_SCHEMA)


def cutoffs_of(*asked: tuple[str, float, int]) -> pl.DataFrame:
    rows = [(name, hours(hour), horizon) for name, hour, horizon in asked]
    return pl.DataFrame(rows, schema={"unique_id": pl.String, "cutoff": TIME, "horizon": pl.Int64}, orient="row")


def test_the_truth_behind_a_cutoff_is_known_when_the_last_of_it_is() -> None:
    # a at 0 … 4: 1, 3, -, 5, 7; hour 3 came at 09:00. Behind 00:00, 2 steps: 3 and a gap, known at 02:00.
    # Behind 01:00, 3 steps: gap, 5, 7, known at 09:00 when the 5 came. Behind 03:00 only one row stands.
    clean = clean_rows({"a": [1, 3, None, 5, 7], "b": [10, 20]}, late={3: 9})
    asked = cutoffs_of(("a", 1, 3), ("a", 3, 2), ("a", 0, 2), ("b", 0, 1), ("c", 0, 1))
    table = take_targets(clean.reverse(), asked)
    assert table.rows() == [
        ("a", hours(1), hours(4), hours(9), [None, 5.0, 7.0]),
        ("a", hours(0), hours(2), hours(2), [3.0, None]),
        ("b", hours(0), hours(1), hours(1), [20.0]),
    ]
    assert table.schema == pl.Schema(TARGETS_SCHEMA)


def test_gaps_alone_are_no_truth_and_a_row_that_was_dropped_counts_from_its_own_time() -> None:
    # Behind 00:00: a gap alone. Behind 01:00: 4, whose cleaned value was dropped (no available_at): known at its ds.
    clean = clean_rows({"a": [1, None, 4]}).with_columns(
        available_at=pl.when(pl.col("ds") < hours(2)).then("available_at")
    )
    assert take_targets(clean, cutoffs_of(("a", 0, 1), ("a", 1, 1))).rows() == [
        ("a", hours(1), hours(2), hours(2), [4.0])
    ]


def test_a_horizon_of_no_step_is_refused() -> None:
    with pytest.raises(InputError, match="horizon must be at least 1 step, got 0"):
        take_targets(clean_rows({"a": [1, 2]}), cutoffs_of(("a", 0, 0)))


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.none() | st.integers(0, 9).map(float), min_size=1, max_size=12),
    late=st.dictionaries(st.integers(0, 11), st.integers(12, 40).map(float), max_size=4),
    cutoff=st.integers(-1, 12),
    horizon=st.integers(1, 5),
)
def test_targets_equal_a_loop_over_the_rows(
    values: list[float | None], late: dict[int, float], cutoff: int, horizon: int
) -> None:
    clean = clean_rows({"a": values, "z": [1.0] * 20}, late=late)
    rows = [(h, v) for h, v in enumerate(values) if h > cutoff][:horizon]
    known = len(rows) == horizon and any(v is not None for _, v in rows)
    expected = [(hours(max(late.get(h, h) for h, _ in rows)), [v for _, v in rows])] if known else []
    found = take_targets(clean, cutoffs_of(("a", cutoff, horizon)))
    assert found.select("available_at", "truth").rows() == expected
