"""Decomposition of a shard: seasons, training part, missing values, ledger."""

import json
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.seasonal import MSTL, STL

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.decomposition import check_decomposition, decompose, decompose_mstl, decompose_stl
from sparkhu.steps.result import StepResult
from tests.sparkhu.made_shard import hours

Floats = npt.NDArray[np.float64]


def wave(count: int, *periods: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    rows = np.arange(count)
    return np.asarray(
        50 + 0.02 * rows + sum(3 * np.sin(2 * np.pi * rows / period) for period in periods) + rng.normal(size=count)
    )


def series(values: Floats | list[float | None], name: str = "a") -> pl.DataFrame:
    ds = [hours(i) for i in range(len(values))]
    y = pl.Series(values, dtype=pl.Float64).fill_nan(None)
    return pl.DataFrame({"unique_id": [name] * len(y), "ds": ds, "y": y, "available_at": ds}, schema=SCHEMA)


def profile(
    *names: str, train: int | None = None, label: str | None = "1h", season: int | None = 24, zone: str = "UTC"
) -> pl.DataFrame:
    end = hours(train) if train is not None else None
    return pl.DataFrame({"unique_id": names}, schema={"unique_id": pl.String}).with_columns(
        period_label=pl.lit(label, pl.String),
        season_length=pl.lit(season, pl.Int64),
        train_end=pl.lit(end).cast(TIME),
        zone=pl.lit(zone),
    )


def entry(result: StepResult) -> tuple[str, str | None, dict[str, int]]:
    ((_, status, reason, counts),) = result.ledger.rows()
    return status, reason, json.loads(counts)


def way(result: StepResult) -> tuple[str, list[int]]:
    return result.frames["seasons"].select("method", "seasons").row(0)


@pytest.mark.parametrize("robust", [False, True])
def test_the_public_stl_is_that_of_statsmodels(robust: bool) -> None:
    values = wave(120, 24)
    fit = STL(values, period=24, robust=robust).fit()
    parts = decompose_stl(series(values), 24, robust=robust)
    for name, theirs in (("trend", fit.trend), ("seasonal", fit.seasonal), ("resid", fit.resid)):
        np.testing.assert_allclose(parts[name], theirs, rtol=0, atol=1e-8)
    assert parts.columns == [*SCHEMA, "trend", "seasonal", "resid"]


@pytest.mark.parametrize("robust", [False, True])
def test_the_public_mstl_is_that_of_statsmodels(robust: bool) -> None:
    values = wave(130, 7, 28)
    fit = MSTL(values, periods=(7, 28), stl_kwargs={"robust": robust}).fit()
    parts = decompose_mstl(series(values), [28, 7], robust=robust)
    for name, theirs in (
        ("trend", fit.trend), ("seasonal_7", fit.seasonal[:, 0]), ("seasonal_28", fit.seasonal[:, 1]),
        ("seasonal", fit.seasonal.sum(axis=1)), ("resid", fit.resid),
    ):  # fmt: skip
        np.testing.assert_allclose(parts[name], theirs, rtol=0, atol=1e-8)


def test_the_public_functions_are_exact_and_robust_by_default() -> None:
    values = wave(480, 96)
    assert decompose_stl(series(values), 96).equals(decompose_stl(series(values), 96, robust=True, fast=False))
    assert not decompose_stl(series(values), 96).equals(decompose_stl(series(values), 96, fast=True))
    assert decompose_mstl(series(values), [6, 24]).equals(
        decompose_mstl(series(values), [6, 24], robust=True, fast=False)
    )


def test_a_season_that_does_not_fit_a_series_is_null_there() -> None:
    frame = pl.concat([series(wave(60, 7)), series(wave(40, 7), "b"), series(wave(10), "c")])
    parts = decompose_mstl(frame, [7, 28])
    rows = parts.group_by("unique_id", maintain_order=True).agg(pl.col("^seasonal.*$", "trend").count())
    assert rows.rows() == [("a", 60, 60, 60, 60), ("b", 40, 40, 40, 0), ("c", 10, 0, 0, 0)]
    np.testing.assert_allclose(parts["seasonal"][60:100], parts["seasonal_7"][60:100])


def test_a_pandas_frame_gives_a_pandas_frame() -> None:
    parts = decompose_stl(series(wave(30, 7)).to_pandas(), 7)
    assert isinstance(parts, pd.DataFrame)
    assert parts["trend"].notna().all()


def test_hand_worked_a_line_with_a_season_of_two() -> None:
    # 10 + 3·i and +2, −2 in turn: local lines hold the line, the mean of +2 and −2 is 0, so STL gives both back.
    values = [10 + 3.0 * i + (2 if i % 2 == 0 else -2) for i in range(20)]
    parts = decompose(series(values), profile("a", season=2)).frames["parts"]
    np.testing.assert_allclose(parts["trend"], [10 + 3.0 * i for i in range(20)], atol=1e-9)
    np.testing.assert_allclose(parts["seasonal"], [2.0, -2.0] * 10, atol=1e-9)
    np.testing.assert_allclose(parts["resid"], 0, atol=1e-9)


def test_hand_worked_a_null_between_values_stands_on_their_line() -> None:
    # 0 2 4 . 8 10 …: between 4 and 8 the line has 6, which is also the trend of the line 2·i; nothing remains to judge.
    # The nulls at the ends have no neighbour on one side: they are left out.
    values: list[float | None] = [None, 0.0, 2.0, 4.0, None, *(2.0 * i for i in range(4, 15)), None, None]
    result = decompose(series(values), profile("a", label=None, season=None))
    parts = result.frames["parts"]
    np.testing.assert_allclose(parts["trend"][1:16], [2.0 * i for i in range(15)], atol=1e-9)
    assert parts["trend"].is_null().to_list() == [True] + [False] * 15 + [True, True]
    assert parts["resid"].is_null().to_list() == [True] + [False] * 3 + [True] + [False] * 11 + [True, True]
    assert parts["parts_available_at"].is_null().to_list() == parts["trend"].is_null().to_list()
    assert parts["seasonal"].null_count() == 18
    assert entry(result)[2] == {"interpolated": 1, "left_out": 3}


def test_missing_values_are_interpolated_for_the_decomposition() -> None:
    values = wave(60, 7)
    values[[10, 11, 30]] = np.nan
    filled = pd.Series(values).interpolate().to_numpy()
    parts = decompose_stl(series(values), 7, robust=False)
    fit = STL(filled, period=7).fit()
    np.testing.assert_allclose(parts["trend"], fit.trend, atol=1e-8)
    np.testing.assert_allclose(parts["seasonal"], fit.seasonal, atol=1e-8)
    assert parts["resid"].is_null().arg_true().to_list() == [10, 11, 30]


def test_training_rows_come_from_the_training_part_and_later_ones_from_all() -> None:
    values = wave(200, 24)
    result = decompose(series(values), profile("a", train=120), robust=False, fast=False)
    parts = result.frames["parts"]
    before, after = STL(values[:120], period=24).fit(), STL(values, period=24).fit()
    for name in ("trend", "seasonal", "resid"):
        np.testing.assert_allclose(parts[name][:120], getattr(before, name), atol=1e-8)
        np.testing.assert_allclose(parts[name][120:], getattr(after, name)[120:], atol=1e-8)
    assert parts["parts_available_at"].to_list() == [hours(119)] * 120 + [hours(199)] * 80
    assert way(result) == ("stl", [24])
    assert entry(result) == ("ok", None, {"interpolated": 0, "left_out": 0})


def test_the_training_part_does_not_feel_what_comes_later() -> None:
    values = wave(200, 24)
    later = values.copy()
    later[120:] = 1e6
    one, other = (decompose(series(each), profile("a", train=120)) for each in (values, later))
    assert one.frames["parts"][:120].equals(other.frames["parts"][:120])
    assert one.frames["seasons"].equals(other.frames["seasons"])


def test_parts_are_known_when_the_latest_value_they_used_is() -> None:
    late = pl.when(pl.int_range(pl.len()) == 5).then(pl.col("ds") + timedelta(days=9)).otherwise("ds")
    unused = pl.when(pl.int_range(pl.len()) == 7).then(pl.col("ds") + timedelta(days=99)).otherwise("available_at")
    values = wave(60, 24)
    values[7] = np.nan
    frame = series(values).with_columns(available_at=late).with_columns(available_at=unused)
    parts = decompose(frame, profile("a", train=50)).frames["parts"]
    assert parts["parts_available_at"].unique().to_list() == [hours(5 + 9 * 24)]


def test_several_seasons_go_to_mstl_and_are_those_that_fit_the_training_part() -> None:
    values = wave(600, 24, 168)
    for train, found in ((504, ("mstl", [24, 168])), (503, ("stl", [24])), (48, ("stl", [24])), (47, ("trend", []))):
        assert way(decompose(series(values), profile("a", train=train))) == found
    parts = decompose(series(values), profile("a", train=504), robust=False, fast=False).frames["parts"]
    fit = MSTL(values, periods=(24, 168)).fit()
    np.testing.assert_allclose(parts["trend"][504:], fit.trend[504:], atol=1e-8)
    np.testing.assert_allclose(parts["seasonal"][504:], fit.seasonal.sum(axis=1)[504:], atol=1e-8)


def test_two_cycles_are_enough_of_seasons_that_are_stated() -> None:
    assert way(decompose(series(wave(400, 24, 168)), profile("a", train=336), seasons=(24, 168))) == ("mstl", [24, 168])


def test_the_method_can_be_stated() -> None:
    values = wave(400, 24, 168)
    assert way(decompose(series(values), profile("a"), method="stl")) == ("stl", [24])
    assert way(decompose(series(values), profile("a", season=12), method="mstl")) == ("mstl", [12])
    assert way(decompose(series(values), profile("a", season=12))) == ("stl", [12])


def test_stated_seasons_hold_and_are_not_replaced_by_detected_ones() -> None:
    values = wave(100, 10)
    assert way(decompose(series(values), profile("a"), seasons=(20, 10))) == ("mstl", [10, 20])
    result = decompose(series(values), profile("a"), seasons=(60,))
    assert way(result) == ("trend", [])
    reason = "trend only: two seasons of 60 points do not fit into the 100 of the training part"
    assert entry(result)[:2] == ("skipped", reason)


def test_a_season_is_detected_where_the_calendar_has_none_that_fits() -> None:
    values = wave(100, 10)
    assert way(decompose(series(values), profile("a", label="1y", season=1))) == ("stl", [10])
    assert way(decompose(series(values), profile("a", season=60))) == ("stl", [10])


def test_without_a_season_there_is_a_trend_alone() -> None:
    values = np.random.default_rng(5).normal(size=60)
    result = decompose(series(values), profile("a", label="1y", season=1))
    parts = result.frames["parts"]
    assert way(result) == ("trend", [])
    assert entry(result)[:2] == (
        "skipped",
        "trend only: neither the calendar nor the autocorrelation shows a season",
    )
    assert parts["seasonal"].null_count() == 60
    np.testing.assert_allclose(parts["trend"] + parts["resid"], values, atol=1e-12)


def test_a_series_next_to_empty_is_not_decomposed() -> None:
    result = decompose(series([None, 1.0, 2.0, *[3.0] * 30]), profile("a", train=3))
    assert entry(result) == ("skipped", "fewer than 3 values in the training part", {"interpolated": 0, "left_out": 33})
    assert way(result) == ("none", [])
    assert result.frames["parts"].null_count().row(0) == (33, 33, 33, 33)
    assert way(decompose(series([1.0, 4.0, 2.0]), profile("a"))) == ("trend", [])


def test_a_series_without_a_value_is_not_decomposed() -> None:
    result = decompose(series([None] * 5), profile("a"))
    assert entry(result)[:2] == ("skipped", "fewer than 3 values in the training part")
    assert decompose_stl(series([None] * 5), 2)["trend"].null_count() == 5


def test_switched_off_nothing_is_decomposed() -> None:
    result = decompose(series(wave(60, 24)), profile("a"), method="none")
    assert entry(result) == ("skipped", "decomposition is off", {"interpolated": 0, "left_out": 60})
    assert result.frames["parts"].null_count().row(0) == (60, 60, 60, 60)
    assert result.frames["seasons"].rows() == [("a", "none", [], None, None)]


def test_strengths_are_those_of_the_training_part() -> None:
    # max(0, 1 − Var(R) / Var(T + R)) and max(0, 1 − Var(R) / Var(S + R)).
    values = wave(200, 24)
    seasons = decompose(series(values), profile("a", train=120), robust=False, fast=False).frames["seasons"]
    fit = STL(values[:120], period=24).fit()
    for name, part in (("trend_strength", fit.trend), ("seasonal_strength", fit.seasonal)):
        assert seasons[name][0] == pytest.approx(max(0, 1 - np.var(fit.resid) / np.var(part + fit.resid)), abs=1e-8)


def test_a_trend_alone_has_no_seasonal_strength_and_a_constant_none_at_all() -> None:
    line = decompose(series([float(i * i) for i in range(30)]), profile("a", season=1)).frames["seasons"]
    assert line["trend_strength"][0] > 0.9
    assert line["seasonal_strength"][0] is None
    constant = decompose(series([4.0] * 60), profile("a")).frames["seasons"]
    assert constant.rows() == [("a", "stl", [24], None, None)]


def test_robust_keeps_a_spike_out_of_trend_and_season() -> None:
    values = 50 + 3 * np.sin(2 * np.pi * np.arange(240) / 24)
    values[100] += 40
    plain, robust = (
        decompose(series(values), profile("a", season=24), seasons=(24,), robust=each).frames["parts"]["resid"][100]
        for each in (False, True)
    )
    assert robust == pytest.approx(40, abs=0.1)
    assert plain < 35


def test_the_step_is_fast_and_robust_by_default() -> None:
    # Five seasons of 96 points: of fewer, fast is exact.
    frame, stated = series(wave(500, 96)), {"seasons": (96,)}
    by_default = decompose(frame, profile("a"), **stated).frames["parts"]
    assert by_default.equals(decompose(frame, profile("a"), robust=True, fast=True, **stated).frames["parts"])
    assert not by_default.equals(decompose(frame, profile("a"), fast=False, **stated).frames["parts"])


@given(st.permutations(["a", "b", "c", "d"]), st.booleans())
def test_sharding_does_not_matter(order: list[str], robust: bool) -> None:
    lengths = {"a": 60, "b": 2, "c": 130, "d": 30}
    parts = {name: series(wave(lengths[name], 12, seed=len(name)), name) for name in order}
    table = profile(*order, train=40, season=12)
    whole = decompose(pl.concat([parts[name] for name in order]), table, robust=robust)
    alone = [decompose(parts[name], table, robust=robust) for name in order]
    for frame in ("parts", "seasons"):
        assert whole.frames[frame].equals(pl.concat([one.frames[frame] for one in alone]))
    assert whole.ledger.equals(pl.concat([one.ledger for one in alone]))


@given(st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=0, max_size=60), st.integers(0, 60))
def test_parts_add_up_wherever_there_is_a_value(values: list[float | None], train: int) -> None:
    frame = series(values)
    parts = decompose(frame, profile(*(["a"] if values else []), train=train, season=6)).frames["parts"]
    total = parts.select(pl.col("trend") + pl.col("seasonal").fill_null(0.0) + pl.col("resid")).to_series()
    known = total.is_not_null()
    np.testing.assert_allclose(total.filter(known), frame["y"].filter(known), atol=1e-9 * 1e6)
    assert parts["resid"].is_null().to_list() == (parts["trend"].is_null() | frame["y"].is_null()).to_list()
    assert parts["parts_available_at"].is_null().to_list() == parts["trend"].is_null().to_list()


def test_the_number_of_threads_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = {"a": 90, "b": 30, "c": 5, "d": 2, "e": 200}
    frame = pl.concat([series(wave(count, 24, seed=count), name) for name, count in lengths.items()])
    profiles = pl.concat([profile(name, train=count - count // 4) for name, count in lengths.items()])
    results = []
    for threads in (1, 4):
        monkeypatch.setattr("polars.thread_pool_size", lambda threads=threads: threads)
        results.append((decompose(frame, profiles), decompose_stl(frame, 24)))
    (one, public), (several, publicly) = results
    for name, table in one.frames.items():
        assert table.equals(several.frames[name])
    assert one.ledger.equals(several.ledger)
    assert public.equals(publicly)


def test_further_columns_do_not_matter() -> None:
    frame = series(wave(60, 24))
    further = frame.with_columns(price=pl.lit("x"), y_raw=pl.lit(1.0))
    assert decompose(further, profile("a")).frames["parts"].equals(decompose(frame, profile("a")).frames["parts"])


def test_a_profile_without_zones_means_utc() -> None:
    frame = series(wave(60, 24))
    result = decompose(frame, profile("a").drop("zone"))
    assert result.frames["parts"].equals(decompose(frame, profile("a", zone="Asia/Seoul")).frames["parts"])


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    result = decompose(series([]), profile())
    assert result.frames["parts"].schema == {
        "trend": pl.Float64, "seasonal": pl.Float64, "resid": pl.Float64, "parts_available_at": TIME,
    }  # fmt: skip
    assert result.frames["seasons"].schema == {
        "unique_id": pl.String, "method": pl.String, "seasons": pl.List(pl.Int64), "trend_strength": pl.Float64,
        "seasonal_strength": pl.Float64,
    }  # fmt: skip
    assert result.ledger.height == 0


def test_unusable_parameters_are_refused() -> None:
    with pytest.raises(InputError, match=r"^method must be one of auto, stl, mstl, none, got 'x13'\.$"):
        check_decomposition(method="x13")
    with pytest.raises(InputError, match="seasons must have 2 points or more, got 1"):
        decompose(series([]), profile(), seasons=(1,))
    with pytest.raises(InputError, match="got 0"):
        decompose_stl(series([1.0]), 0)
    with pytest.raises(InputError, match=r"^seasons must name one season at least, got none\. Give its points: \["):
        decompose_mstl(series([1.0]), [])


def test_missing_columns_are_refused() -> None:
    with pytest.raises(InputError, match="column 'season_length' is missing"):
        decompose(series([1.0]), profile("a").drop("season_length"))
    with pytest.raises(InputError, match="column 'available_at' is missing"):
        decompose(series([1.0]).drop("available_at"), profile("a"))
    with pytest.raises(InputError, match="column 'y' is missing"):
        decompose_stl(series([1.0]).drop("y"), 2)
