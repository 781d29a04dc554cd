"""Level shifts and drifts: found where they were put, and not where a series only wanders, climbs or swings."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from sparkhu.errors import InputError
from sparkhu.sections import LevelChanges
from sparkhu.steps.level_changes import (
    CHANGES_SCHEMA,
    check_level_changes,
    find_level_changes,
    window_of,
    without_seasons,
)
from sparkhu.steps.level_drift import find_drift
from sparkhu.steps.level_shifts import find_shifts
from tests.sparkhu.steps.made_levels import Floats, at, changes, daily, noise, profile, rows


def test_constants_lines_and_on_off_signals_have_no_changes() -> None:
    line = 1e6 + 0.1 * np.arange(300.0)
    for values in (np.full(300, 0.1), line, np.tile(np.repeat([0.0, 1.0], 20), 8)):
        assert find_shifts(values, 12, 6.0) == []
        assert find_drift(values, 5.0) is None


def walks(kind: str, size: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    steps = random.normal(size=size)
    time = np.arange(size)
    if kind == "white noise":
        return steps
    if kind == "heavy tails":
        return random.standard_t(3, size)
    if kind == "AR(1), 0.9":
        return lfilter([1], [1, -0.9], steps)
    if kind == "random walk":
        return steps.cumsum()
    if kind == "trend":
        return steps + 0.05 * time
    return steps + 10 * np.sin(2 * np.pi * time / 24) + 5 * np.sin(2 * np.pi * time / 168)


@pytest.mark.parametrize(
    ("kind", "shifts", "drifts"),
    [
        ("white noise", 0, 0),
        ("heavy tails", 0, 0),
        ("AR(1), 0.9", 0, 0),
        ("trend", 0, 0),
        ("seasons", 0, 0),
        # Of 1,000 random walks of 1,000 points 0.1 % have a shift and 1.2 % a drift.
        ("random walk", 1, 2),
    ],
)
def test_series_without_changes_stay_quiet(kind: str, shifts: int, drifts: int) -> None:
    size, count = 800, 60
    values = np.concatenate([walks(kind, size, seed) for seed in range(count)])
    names = [f"s{number:02d}" for number in range(count)]
    frame = pl.concat([rows(values[i * size : (i + 1) * size], name) for i, name in enumerate(names)])
    found = find_level_changes(frame, profile(*names)).frames["level_changes"]
    assert found.filter(kind="shift").height <= shifts
    assert found.filter(kind="drift").height <= drifts


def test_changes_are_told_with_instant_end_size_and_when_they_were_known() -> None:
    time = np.arange(960)
    values = 5 * np.sin(2 * np.pi * time / 24) + 0.5 * noise(960)
    values[200:] += 8.0
    values += 8 * np.clip((time - 480) / 240, 0, 1)
    found = changes(values)
    assert found.schema == CHANGES_SCHEMA
    assert found["kind"].to_list() == ["shift", "drift"]
    shift, drift = found.rows(named=True)
    assert (shift["ds"], shift["ends"]) == (at(200), None)
    assert shift["size"] == pytest.approx(8, abs=0.5)
    # Blocks of 48 points.
    assert abs(drift["ds"] - at(480)) <= timedelta(hours=48)
    assert abs(drift["ends"] - at(720)) <= timedelta(hours=48)
    assert drift["size"] == pytest.approx(8, rel=0.15)
    assert set(found["available_at"]) == {at(959.5)}


def test_the_week_is_taken_out_of_hourly_series_and_windows_hold_a_day() -> None:
    values = 0.2 * noise(24 * 7 * 6) + np.tile(np.repeat([0.0, 6.0], [120, 48]), 6)
    assert changes(values).is_empty()
    values[500:] += 3.0
    assert changes(values)["ds"].to_list() == [at(500)]
    unnamed = profile("a").with_columns(period_label=pl.lit(None, pl.String))
    assert find_level_changes(rows(values), unnamed).frames["level_changes"]["ds"].to_list() != [at(500)]


def test_the_step_and_its_section_have_the_same_defaults() -> None:
    from inspect import signature

    defaults = {name: each.default for name, each in signature(find_level_changes).parameters.items()}
    assert {name: defaults[name] for name in LevelChanges.model_fields} == LevelChanges().model_dump()


def test_rows_stand_in_the_order_of_time() -> None:
    time = np.arange(960)
    values = 0.5 * noise(960) + 8 * np.clip((time - 240) / 240, 0, 1)
    values[800:] -= 9.0
    assert changes(values)["kind"].to_list() == ["drift", "shift"]


def test_gaps_are_passed_over_and_their_rows_never_named() -> None:
    values = 0.3 * noise(600)
    values[300:] += 4.0
    values[298:305] = np.nan
    values[::7] = np.nan
    values[-3:] = np.nan
    found = changes(values, season=None)
    # 305 is the first observed point behind the step, 596 the last of all.
    assert found["ds"].to_list() == [at(305)]
    assert found["available_at"].to_list() == [at(596.5)]


def test_a_season_is_taken_out_where_it_fits_four_times() -> None:
    season = np.tile([0.0, 10.0, -3.0, 4.0, 1.0], 4)
    assert np.ptp(without_seasons(season, [5])) == pytest.approx(0, abs=1e-12)
    assert without_seasons(season[:-1], [5]).tolist() == season[:-1].tolist()
    assert without_seasons(season, []).tolist() == season.tolist()


def test_two_seasons_are_taken_out_one_after_the_other_and_gaps_stay() -> None:
    time = np.arange(24 * 7 * 8)
    values = 10 * np.sin(2 * np.pi * time / 24) + np.tile(np.repeat([0.0, 6.0], [120, 48]), 8)
    values[100:110] = np.nan
    left = without_seasons(values, [24, 168])
    assert np.flatnonzero(np.isnan(left)).tolist() == list(range(100, 110))
    assert np.nanstd(left) < 0.1 * np.nanstd(values)


@pytest.mark.parametrize(
    ("points", "season", "window"),
    [(1000, 24, 24), (1000, 7, 14), (1000, 12, 12), (1000, 13, 13), (1000, None, 12), (1000, 0, 12), (150, 24, 18)],
)
def test_a_window_holds_whole_seasons_and_an_eighth_of_the_points_at_most(
    points: int, season: int | None, window: int
) -> None:
    assert window_of(points, season) == window


def test_a_short_series_is_skipped_with_the_reason_and_the_others_are_counted() -> None:
    long = 0.2 * noise(96)
    long[48:] += 5.0
    short = np.where(np.arange(120) < 95, long[np.arange(120) % 95], np.nan)
    frame = pl.concat([rows(long, "long"), rows(short, "short"), rows(np.full(5, np.nan), "void")])
    result = find_level_changes(frame, profile("long", "short", "void"))
    assert result.frames["level_changes"]["unique_id"].to_list() == ["long"]
    assert result.ledger["status"].to_list() == ["ok", "skipped", "skipped"]
    reason = "fewer than 96 observed points, too few to tell what is usual"
    assert result.ledger["reason"].to_list() == [None, reason, reason]
    assert json.loads(result.ledger["counts"][0]) == {"shifts": 1, "drifts": 0}
    assert json.loads(result.ledger["counts"][1]) == {"shifts": 0, "drifts": 0}


def test_drifts_are_counted() -> None:
    values = 0.2 * noise(400) + np.clip(np.arange(400) - 200, 0, None) * 0.1
    result = find_level_changes(rows(values), profile("a"))
    assert json.loads(result.ledger["counts"][0]) == {"shifts": 0, "drifts": 1}
    drift = result.frames["level_changes"].row(0, named=True)
    assert drift["ends"] == at(399)
    without_zone = find_level_changes(rows(values), profile("a").drop("zone"))
    assert without_zone.frames["level_changes"].equals(result.frames["level_changes"])


def test_settings_are_heeded() -> None:
    values = 0.2 * noise(80)
    values[40:] += 5.0
    assert changes(values).is_empty()
    assert changes(values, window=10)["ds"].to_list() == [at(40)]
    assert changes(values, window=10, shift_width=1000.0).filter(kind="shift").is_empty()
    ramp = 0.2 * noise(400) + np.clip(np.arange(400) - 200, 0, None) * 0.1
    assert changes(ramp, drift_width=1000.0).is_empty()
    result = find_level_changes(rows(values), profile("a"), window=11)
    assert result.ledger["reason"][0].startswith("fewer than 88 observed points")
    assert LevelChanges().model_dump() == {"window": 0, "shift_width": 6.0, "drift_width": 5.0}


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    result = find_level_changes(rows(np.zeros(1)).clear(), profile())
    assert result.frames["level_changes"].schema == CHANGES_SCHEMA
    assert result.ledger.is_empty()


def test_a_series_without_a_profile_is_looked_at_without_a_season() -> None:
    values = 0.2 * noise(200)
    values[120:] += 5.0
    found = find_level_changes(rows(values), profile()).frames["level_changes"]
    assert found["ds"].to_list() == [at(120)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": -1}, "window must be a number of points, or 0 for whole seasons, got -1"),
        ({"shift_width": 0.0}, r"shift_width must be a number above 0, got 0\.0"),
        ({"shift_width": float("nan")}, "shift_width must be a number above 0, got nan"),
        ({"drift_width": float("inf")}, "drift_width must be a number above 0, got inf"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changes(np.zeros(10), **settings)
    check_level_changes(window=0, shift_width=0.5, drift_width=0.5)


@pytest.mark.parametrize("column", ["unique_id", "ds", "y_raw", "available_at"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        find_level_changes(rows(np.zeros(10)).drop(column), profile("a"))


@given(st.integers(0, 10_000), st.sampled_from([2.0**-7, -1.0, 2.0**20]), st.sampled_from([0.0, 256.0]))
def test_changes_follow_shift_and_scale_of_the_values(seed: int, scale: float, level: float) -> None:
    values = np.round(daily(480, seed) * 1024) / 1024
    values[250:] += 9.0
    plain, moved = changes(values), changes(scale * (values + level))
    assert plain.height >= 1
    assert moved.select("kind", "ds", "ends").equals(plain.select("kind", "ds", "ends"))
    assert moved["size"].to_list() == pytest.approx((scale * plain["size"]).to_list(), rel=1e-6)
    assert moved["score"].to_list() == pytest.approx(plain["score"].to_list(), rel=1e-6)


@given(st.integers(0, 10_000), st.integers(0, 400))
def test_other_series_of_the_shard_change_no_bit(seed: int, size: int) -> None:
    values, other = daily(480, seed), walks("random walk", size + 1, seed)
    values[250:] += 9.0
    alone = find_level_changes(rows(values), profile("a"))
    frame = pl.concat([rows(other, "0"), rows(values, "a"), rows(other, "b")])
    together = find_level_changes(frame, profile("b", "a", "0"))
    assert together.frames["level_changes"].filter(unique_id="a").equals(alone.frames["level_changes"])
    assert together.ledger.filter(unique_id="a").equals(alone.ledger)


def test_it_takes_milliseconds_a_thousand_points() -> None:
    # About 2 ms where nothing else runs; the limit leaves room for a busy machine.
    from time import process_time

    frame = rows(walks("seasons", 20_000, 1))
    begun = process_time()
    find_level_changes(frame, profile("a"))
    assert process_time() - begun < 2.0


def test_hourly_loads_have_few_changes(evaluation_data: Path) -> None:
    # Seven series of 17,420 points; loads do change their level, for days, when transformers are switched.
    wide = pl.read_csv(evaluation_data / "ett" / "ETTh1.csv").drop("date")
    frame = pl.concat([rows(wide[name].to_numpy(), name) for name in sorted(wide.columns)])
    found = find_level_changes(frame, profile(*wide.columns)).frames["level_changes"]
    assert found.filter(kind="shift").height <= frame.height / 3000
    assert found.filter(kind="drift").is_empty()
