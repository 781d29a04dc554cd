"""Level shifts and drifts: found where they were put, and not where a series only wanders, climbs or swings."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from sparkhu.errors import InputError
from sparkhu.frame import TIME
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
from tests.sparkhu.made_shard import hours

Floats = npt.NDArray[np.float64]


def rows(values: Floats, name: str = "a") -> pl.DataFrame:
    """Hourly rows; NaN is a gap. They become available half an hour later."""
    ds = pl.Series([hours(i) for i in range(len(values))], dtype=TIME)
    frame = pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y_raw": values}).with_columns(
        pl.col("y_raw").fill_nan(None), pl.col("unique_id").cast(pl.String)
    )
    return frame.with_columns(y="y_raw", available_at=pl.col("ds") + timedelta(minutes=30))


def profile(*names: str, season: int | None = 24) -> pl.DataFrame:
    return pl.DataFrame({"unique_id": names}, schema={"unique_id": pl.String}).with_columns(
        period_label=pl.lit("1h"), season_length=pl.lit(season, pl.Int64), zone=pl.lit("UTC")
    )


def changes(values: Floats, season: int | None = 24, **settings: float) -> pl.DataFrame:
    found = find_level_changes(rows(values), profile("a", season=season), **settings)  # type: ignore[arg-type]
    return found.frames["level_changes"]


def daily(size: int, seed: int) -> Floats:
    return noise(size, seed) + 10 * np.sin(2 * np.pi * np.arange(size) / 24)


def at(moment: int) -> object:
    return hours(moment)


def noise(size: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=size)


def test_hand_worked_shift() -> None:
    # Twelve points 0 1 0 1 …, twelve 10 11 10 11 …; windows of 3, whose median is what two of them are.
    # Instants 3 to 21: away from the step, the windows differ by +1 (odd) or −1 (even), six times −1 and eight +1; at
    # 10 and 14, where one point of the other side stands in a window, by 0; 10 − 0 at 11, 10 − 1 at 12, 11 − 1
    # at 13. In order: −1 ×6, 0 ×2, +1 ×8, 9, 10, 10: the middle, the 10th of 19, is 1. Distances from it: 0 ×8, 1 ×2,
    # 2 ×6, 8, 9, 9: their 10th is 1, the scale 1.4826. First differences are +1 and −1, and 9 once: more than half
    # are their median, so their deviation is 0 and sets no lower bound. Highest is 11, with (10 − 1) / 1.4826 = 6.0704.
    # Around it, points 8 to 13 less a trend of 1 in 3 points are 0, 2/3, −2/3, 0, 26/3, 28/3: levels 0 and 26/3, points
    # 8 to 11 nearer the one, 12 and 13 nearer the other: it goes over at 12. Two levels miss by 0 + 2/3 + 2/3 + 0 + 0 +
    # 2/3 = 2, a line with the slope 26/9 by 15.1. At 12 the medians are 1 (9 to 11) and 10 (12 to 14): 9, less the
    # middle 1: 8.
    values = np.concatenate([np.tile([0.0, 1.0], 6), np.tile([10.0, 11.0], 6)])
    (shift,) = find_shifts(values, 3, 6.0)
    assert shift.at == 12
    assert shift.size == 8.0
    assert shift.score == pytest.approx(9 / 1.4826)
    assert find_shifts(values, 3, 6.071) == []


def test_hand_worked_drift() -> None:
    # Twenty blocks of four equal points, whose medians rise by 1, −1, 0 three times over, then by 5, 3 five times over.
    # Mean of the nine differences before: 0, of the ten after: 4, of all: 40/19. Beside the two means stay 6·1 + 10·1
    # squares, by 19 − 4 numbers that are fitted: variance 16/15. The ten against the nine: explained is
    # 4² · 10·9/19 = 75.79, so t = √(75.79 / (16/15)) = 8.4292. No other interval explains as much.
    steps = np.concatenate([np.tile([1.0, -1.0, 0.0], 3), np.tile([5.0, 3.0], 5)])
    values = np.repeat(np.concatenate([[0.0], np.cumsum(steps)]), 4)
    drift = find_drift(values, 5.0)
    assert drift is not None
    assert drift.score == pytest.approx(np.sqrt(16 * 90 / 19 * 15 / 16))
    # Block 9 is the last of the level before, in its middle points 38; it goes on to the last point.
    assert (drift.start, drift.end) == (38, 79)
    # The level goes from 0 to 40 and was flat before.
    assert drift.size == pytest.approx(40, abs=1.0)
    assert find_drift(values, 8.43) is None


def test_the_score_of_a_drift_is_the_t_statistic_of_two_samples() -> None:
    # Where the interval is the last ten differences: scipy's t-test with pooled variance has 17 degrees of freedom, for
    # two means; two more numbers, start and end, are fitted here.
    steps = np.concatenate([noise(9, 3) * 0.2, 3 + noise(10, 4) * 0.2])
    drift = find_drift(np.repeat(np.concatenate([[0.0], np.cumsum(steps)]), 5), 5.0)
    assert drift is not None
    t = stats.ttest_ind(steps[9:], steps[:9]).statistic
    assert drift.score == pytest.approx(t * np.sqrt(15 / 17), rel=1e-8)


def test_a_drift_that_ends_is_found_with_both_kinks_and_its_size() -> None:
    level = 5 + 0.01 * np.arange(400) - 12 * np.clip((np.arange(400) - 150) / 100, 0, 1)
    drift = find_drift(level + 0.1 * noise(400), 5.0)
    assert drift is not None
    # Blocks of 20 points: kinks to a block.
    assert abs(drift.start - 150) <= 20
    assert abs(drift.end - 250) <= 20
    assert drift.size == pytest.approx(-12, rel=0.15)


def test_the_points_that_no_block_takes_are_the_first() -> None:
    plain = np.clip(np.arange(80.0) - 40, 0, None)
    whole, longer = find_drift(plain, 5.0), find_drift(np.concatenate([np.full(19, 0.0), plain]), 5.0)
    assert whole is not None
    assert longer is not None
    assert (longer.start, longer.end) == (whole.start + 19, whole.end + 19)
    assert longer[2:] == whole[2:]


@pytest.mark.parametrize("size", [19, 60, 79])
def test_a_drift_needs_four_points_a_block(size: int) -> None:
    assert find_drift(np.clip(np.arange(float(size)) - size / 2, 0, None), 5.0) is None
    assert find_drift(np.clip(np.arange(80.0) - 40, 0, None), 5.0) is not None


def test_shifts_up_and_down_are_placed_to_the_point() -> None:
    values = 0.2 * noise(1000)
    values[300:] += 3.0
    values[700:] -= 5.0
    found = find_shifts(values, 12, 6.0)
    assert [shift.at for shift in found] == [300, 700]
    assert [shift.size for shift in found] == pytest.approx([3, -5], abs=0.3)
    assert all(shift.score > 6 for shift in found)


def test_spikes_are_no_shifts() -> None:
    values = noise(500)
    values[[100, 101, 200, 333]] += 50.0
    assert find_shifts(values, 12, 6.0) == []
    assert find_drift(values, 5.0) is None


def test_a_level_that_returns_is_a_shift_only_where_the_series_is_too_short_to_tell() -> None:
    episode = 0.2 * noise(24 * 32)
    episode[400:430] += 3.0
    assert find_shifts(episode, 24, 6.0) == []
    assert [shift.at for shift in find_shifts(episode[1:], 24, 6.0)] == [399, 429]


def test_fewer_than_eight_windows_tell_nothing() -> None:
    values = 0.2 * noise(80)
    values[40:] += 5.0
    assert [shift.at for shift in find_shifts(values, 10, 6.0)] == [40]
    assert find_shifts(values[:-1], 10, 6.0) == []


def test_constants_lines_and_on_off_signals_have_no_changes() -> None:
    line = 1e6 + 0.1 * np.arange(300.0)
    for values in (np.full(300, 0.1), line, np.tile(np.repeat([0.0, 1.0], 20), 8)):
        assert find_shifts(values, 12, 6.0) == []
        assert find_drift(values, 5.0) is None


def test_the_scale_is_never_below_that_of_independent_noise() -> None:
    # 0 1 3 over and over: three points always have the median 1, so that the differences vary at the step alone. First
    # differences are 1, 2 and −3, a third each: their median is 1, the deviation from it 1. So σ = 1.4826/√2, and the
    # lower bound σ·√(π/3). At the step, whose windows are 0 1 3 and 50 51 53, the difference is 50.
    values = np.concatenate([np.tile([0.0, 1.0, 3.0], 16), np.tile([50.0, 51.0, 53.0], 16)])
    (shift,) = find_shifts(values, 3, 2.0)
    assert (shift.at, shift.size) == (48, 50.0)
    assert shift.score == pytest.approx(50 / (1.4826 / np.sqrt(2) * np.sqrt(np.pi / 3)))


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


def test_a_trend_is_no_shift_and_is_no_part_of_its_size() -> None:
    time = np.arange(24 * 32)
    values = 0.2 * noise(len(time)) - 0.5 * time
    values[400:] += 5.0
    (up,) = find_shifts(values, 24, 6.0)
    (down,) = find_shifts(-values, 24, 6.0)
    assert (up.at, down.at) == (400, 400)
    assert (up.size, down.size) == pytest.approx((5, -5), abs=0.3)


def test_of_two_excursions_within_a_window_the_higher_one_counts() -> None:
    # Up by 4 at 200; eight points on down by 12: in windows of 24 the second is what shows, once.
    values = 0.2 * noise(400)
    values[200:] += 4.0
    values[208:] -= 12.0
    assert [shift.at for shift in find_shifts(values, 24, 6.0)] == [208]


def test_steps_up_and_down_that_touch_are_two_shifts() -> None:
    values = 0.05 * noise(300)
    values[100:125] += 6.0
    found = find_shifts(values, 24, 6.0)
    assert [(shift.at, np.sign(shift.size)) for shift in found] == [(100, 1), (125, -1)]


@pytest.mark.parametrize(("start", "found"), [(80, True), (300, True), (60, False), (340, False)])
def test_a_drift_has_four_blocks_before_it_and_four_in_it(start: int, found: bool) -> None:
    # Blocks of 20 points; a kink outside is found, if at all, as one that begins at the nearest block that can be.
    drift = find_drift(np.clip(np.arange(400.0) - start, 0, None) + 0.01 * noise(400), 5.0)
    assert drift is not None
    assert (abs(drift.start - start) <= 10) is found
    assert 90 <= drift.start <= 310


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


def test_a_steep_climb_is_a_drift_and_not_many_shifts() -> None:
    found = changes(0.5 * noise(960) + 20 * np.clip((np.arange(960) - 240) / 240, 0, 1))
    assert found["kind"].to_list() == ["drift"]


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
