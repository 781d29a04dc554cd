"""The residual-anomaly step with the product's defaults on labelled and on ordinary data."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("anomaly_benchmark", ROOT / "benchmarks" / "anomalies.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_hand_worked_counts_of_one_file(benchmark: ModuleType) -> None:
    # Ten points; flags at 2, 3 and 8: three flagged points in two alarms. The windows hold the points 3 to 5 and 7:
    # the first is caught, the second is not; one flagged point lies inside. Two random points hit the first with
    # 1 − 0.7² = 0.51 and the second with 1 − 0.9² = 0.19, three with 0.657 and 0.271.
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 1, 9), "1h", time_zone="UTC", eager=True)
    rows = pl.DataFrame({"ds": times.dt.cast_time_unit("us"), "y_raw": 1.0}).with_columns(
        is_anomaly=pl.int_range(pl.len()).is_in([2, 3, 8])
    )
    windows = [["2024-01-01 03:00:00", "2024-01-01 05:00:00"], ["2024-01-01 07:00:00", "2024-01-01 07:30:00"]]
    found = benchmark.counted(rows, windows)
    assert found[:7] == (2, 1, 10, 3, 2, 4, 1)
    assert found[7:] == pytest.approx((0.51 + 0.19, 0.657 + 0.271))


def test_points_that_were_not_observed_do_not_count(benchmark: ModuleType) -> None:
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 1, 3), "1h", time_zone="UTC", eager=True)
    rows = pl.DataFrame({"ds": times, "y_raw": [1.0, None, 2.0, 3.0], "is_anomaly": [False, False, True, True]})
    assert benchmark.counted(rows, [])[:7] == (0, 0, 3, 2, 1, 0, 0)


@pytest.mark.slow
def test_labelled_windows_are_caught_with_few_points_flagged(benchmark: ModuleType, evaluation_data: Path) -> None:
    found = benchmark.catch_windows(evaluation_data / "nab")
    total = {name: sum(getattr(one, name) for one in found.values()) for name in benchmark.Found._fields}
    assert len(found) == 7
    assert total["windows"] == 19
    assert total["caught"] >= 12
    assert total["caught"] > 1.5 * total["by_alarms"]
    assert total["flagged"] <= 0.01 * total["points"]
    assert total["inside"] >= 0.5 * total["flagged"]


@pytest.mark.slow
def test_ordinary_series_stay_quiet(benchmark: ModuleType, evaluation_data: Path) -> None:
    flagged = benchmark.flag_source(evaluation_data / "ett" / "ETTh1.csv", benchmark.SourceOptions(wide=True))
    shares = flagged.group_by("unique_id").agg(pl.col("is_anomaly").mean())["is_anomaly"].to_numpy()
    assert len(shares) == 7
    assert np.max(shares) <= 0.005
