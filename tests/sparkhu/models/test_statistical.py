"""Statistical models against statsforecast itself: what they fit, and what happens where they cannot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.models import statistical
from sparkhu.models.base import Histories, Inputs, newest
from sparkhu.models.loading import load_model
from sparkhu.models.statistical import POINTS, Statistical, fitted_with, known_points
from tests.sparkhu.window_inputs import inputs

pytest.importorskip("statsforecast")
from statsforecast import models

SERIES = np.random.default_rng(0).normal(0, 0.3, 60) + np.tile([1.0, 4.0, 2.0, 7.0], 15) + np.arange(60) / 20


def longer(history: np.ndarray, size: int = 8) -> Inputs:
    """Windows whose history is known beyond their input."""
    missing = np.full((len(history), max(POINTS - history.shape[1], 0)), np.nan)
    every = np.hstack([missing, history])
    return replace(inputs(history[:, -size:]), longer=lambda points: every[:, -points:])


@pytest.mark.parametrize(
    ("method", "reference"),
    [
        ("ets", models.AutoETS(season_length=4)),
        ("mstl", models.MSTL(season_length=4, trend_forecaster=models.AutoETS(model="ZZN"))),
        ("theta", models.AutoTheta(season_length=4)),
    ],
)
def test_forecasts_are_those_of_the_library_on_the_whole_history(method: statistical.Method, reference: object) -> None:
    found = Statistical(method, 8, 5, 4).predict(longer(SERIES[None, :]))
    np.testing.assert_array_equal(found, [reference.forecast(y=SERIES, h=5)["mean"]])  # type: ignore[attr-defined]


def test_all_theta_models_are_tried_below_a_thousand_points_only() -> None:
    assert type(fitted_with("theta", 4, POINTS - 1)) is models.AutoTheta
    assert type(fitted_with("theta", 4, POINTS)) is models.DynamicOptimizedTheta


def test_only_the_last_thousand_points_are_looked_at() -> None:
    history = np.concatenate([np.full(50, 1e6), np.resize(SERIES, POINTS)])[None, :]
    model = Statistical("theta", 8, 3, 4)
    np.testing.assert_array_equal(model.predict(longer(history)), model.predict(longer(history[:, 50:])))


def test_missing_values_shorten_the_series_or_are_filled_on_a_line() -> None:
    assert known_points(np.array([np.nan, 1.0, np.nan, 3.0, np.nan])).tolist() == [1, 2, 3, 3]
    assert known_points(np.full(3, np.nan)).tolist() == []
    assert np.isnan(Statistical("ets", 8, 3, 4).predict(inputs(np.full((1, 8), np.nan)))).all()


def test_a_series_shorter_than_two_seasons_is_fitted_without_one() -> None:
    found = Statistical("ets", 7, 2, 4).predict(inputs(SERIES[None, :7]))
    with np.errstate(all="ignore"):
        wanted = models.AutoETS(season_length=1).forecast(y=SERIES[:7], h=2)["mean"]
    np.testing.assert_array_equal(found, [wanted])


def test_a_fit_that_fails_leaves_its_window_without_a_forecast_and_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        def forecast(self, y: np.ndarray, h: int) -> dict[str, np.ndarray]:
            if y[0] > 5:
                raise ZeroDivisionError("no variance")
            return {"mean": np.append(np.full(h - 1, y[0]), np.inf if y[0] > 3 else 0)}

    monkeypatch.setattr(statistical, "fitted_with", lambda *_: Failing())
    values = np.repeat([[1.0], [4.0], [9.0]], 8, axis=1)
    found = Statistical("ets", 8, 2, 4).predict(inputs(values))
    np.testing.assert_array_equal(found, [[1, 0], [np.nan, np.nan], [np.nan, np.nan]])
    told = "ets could not be fitted to 1 windows; the first: ZeroDivisionError('no variance')"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", told)]


def test_memory_that_runs_out_ends_the_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def forecast(self, **_: object) -> None:
            raise MemoryError

    monkeypatch.setattr(statistical, "fitted_with", lambda *_: Failing())
    with pytest.raises(MemoryError):
        Statistical("ets", 8, 2, 4).predict(inputs(np.ones((1, 8))))


def test_no_more_histories_are_read_at_once_than_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistical, "WINDOWS_AT_ONCE", 2)
    values, asked = np.vstack([SERIES, SERIES + 1, SERIES + 2]), []

    def read(windows: pl.DataFrame, points: int) -> np.ndarray:
        asked.append(windows["row"].to_list())
        return newest(values[windows["row"].to_numpy()], points)

    model = Statistical("theta", 8, 3, 4)
    given = replace(inputs(values[:, -8:]), longer=Histories(read, pl.DataFrame({"row": [0, 1, 2]})))
    np.testing.assert_array_equal(model.predict(given), model.predict(longer(values)))
    assert asked == [[0, 1], [2]]


def test_it_is_saved_and_loaded_and_keeps_nothing_back_for_evaluation(tmp_path: Path) -> None:
    model = Statistical("mstl", 8, 3, 4)
    model.save(tmp_path)
    assert load_model(tmp_path) == model == model.for_evaluation()
    assert model.name == "mstl"


def test_another_method_is_refused() -> None:
    with pytest.raises(InputError, match="method must be one of ets, mstl, theta, got 'arima'"):
        Statistical("arima", 8, 3, 4)  # type: ignore[arg-type]
