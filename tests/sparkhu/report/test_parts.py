import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.report.parts import ROUGH, SMOOTH, decomposition

NONE = (None, None)


def rows(trend: object, seasonal: object, resid: object, anomaly: object = None, n: int | None = None) -> pl.DataFrame:
    height = n or len(np.asarray(resid))
    ds = pl.Series(np.arange(height) * 60_000_000).cast(pl.Datetime("us", "UTC"))
    frame = pl.DataFrame({"ds": ds})
    return frame.with_columns(
        trend=pl.lit(None, pl.Float64) if trend is None else pl.Series(np.asarray(trend, float), nan_to_null=True),
        seasonal=pl.lit(None, pl.Float64) if seasonal is None else pl.Series(np.asarray(seasonal, float)),
        resid=pl.lit(None, pl.Float64) if resid is None else pl.Series(np.asarray(resid, float), nan_to_null=True),
        is_anomaly=pl.lit(False) if anomaly is None else pl.Series(np.asarray(anomaly, bool)),
    )


def test_short_parts_are_given_whole() -> None:
    drawn = decomposition(rows([1.0, 2.0], [0.5, -0.5], [0.0, 0.25], [False, True]), (-0.2, 0.2))
    assert drawn is not None
    assert drawn["trend"] == {"t": [0, 60_000_000], "y": [1.0, 2.0]}
    assert drawn["seasonal"]["y"] == [0.5, -0.5]
    assert drawn["resid"]["y"] == [0.0, 0.25]
    assert (drawn["anomalies"], drawn["limits"]) == ([1], [-0.2, 0.2])


def test_a_series_that_was_not_decomposed_has_no_parts() -> None:
    assert decomposition(rows(None, None, None, n=3), NONE) is None


@pytest.mark.parametrize("seasonal", [None, [0.0, 0.0, 0.0]])
def test_a_season_that_is_not_there_is_no_panel(seasonal: object) -> None:
    drawn = decomposition(rows([1.0, 2.0, 3.0], seasonal, [0.0, 0.1, 0.0]), NONE)
    assert drawn is not None
    assert drawn["seasonal"] is None
    assert drawn["limits"] == [None, None]


def test_an_anomaly_without_a_remainder_is_not_marked() -> None:
    drawn = decomposition(rows([1.0, 2.0, 3.0], None, [0.0, float("nan"), 9.0], [False, True, True]), NONE)
    assert drawn is not None
    assert drawn["anomalies"] == [2]


def test_no_line_bridges_a_stretch_without_values() -> None:
    resid = np.zeros(10_000)
    resid[4000:4200] = np.nan
    drawn = decomposition(rows(np.ones(10_000), None, resid), NONE)
    assert drawn is not None
    minutes = (np.cumsum(drawn["resid"]["t"]) // 60_000_000).tolist()
    shown = dict(zip(minutes, drawn["resid"]["y"], strict=True))
    assert [shown[at] for at in (3999, 4000, 4199, 4200)] == [0.0, None, None, 0.0]


@settings(max_examples=25, deadline=None)
@given(st.integers(700, 4000), st.data())
def test_spikes_and_anomalies_survive_the_thinning(n: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(n)
    resid, anomaly = rng.normal(size=n).round(2), np.zeros(n, bool)
    anomaly[data.draw(st.lists(st.integers(0, n - 1), max_size=30))] = True
    resid[data.draw(st.integers(0, n - 1))] = 50.0
    drawn = decomposition(rows(np.arange(n), np.sin(np.arange(n)), resid, anomaly), NONE)

    assert drawn is not None
    assert max(drawn["resid"]["y"]) == 50.0
    assert min(drawn["resid"]["y"]) == resid.min()
    assert len(drawn["anomalies"]) == anomaly.sum()
    assert [drawn["resid"]["y"][at] for at in drawn["anomalies"]] == resid[anomaly].tolist()
    assert len(drawn["resid"]["y"]) <= ROUGH + 2 + anomaly.sum()
    assert len(drawn["trend"]["y"]) <= SMOOTH + 2
