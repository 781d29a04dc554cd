"""Windows that came since training: each once, none that the final fit had, on the grid of training's stride."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.models.bundle import Bundle
from sparkhu.models.candidates import candidates
from sparkhu.steps.windows import index_windows
from sparkhu.training.arrived import KNOWN, arrived, arrived_windows, learnt, left_out, with_known
from sparkhu.training.recipes import TrainingData
from tests.sparkhu.made_shard import hours, profile_of, sequences_of

L, H = 6, 3


def rows_of(low: int, behind: int) -> pl.DataFrame:
    """Rows of one hourly series."""
    values = np.random.default_rng(0).normal(20, 1, 200)
    return sequences_of({"a": values}).slice(low, behind - low).select("unique_id", "ds", "y", "available_at")


def bundle_of(*, trained: int, stride: int = 1) -> Bundle:
    """A bundle whose models were fitted on all windows of the first rows; its test part ends long before them."""
    hour = {"decision": pl.lit("regular"), "period_kind": pl.lit("fixed"), "period_us": pl.lit(3_600_000_000, pl.Int64)}
    profile = profile_of(["a"], borders=(20, 25, 30), sizes=(L, H)).with_columns(
        median_gap_us=pl.lit(3_600_000_000, pl.Int64), **hour
    )
    windows = index_windows(sequences_of({"a": np.ones(trained)}), profile, stride=stride).frames["windows"]
    border = pl.lit(hours(20)).cast(TIME)
    return Bundle(
        folder=Path(),
        name="forecaster",
        flavor="seasonal_naive",
        models=candidates(profile, {}),
        profile=with_known(profile, windows.lazy()),
        source_profile=profile,
        scalers=pl.DataFrame({"unique_id": ["a"], "center": [20.0], "scale": [1.0], "lambda": [None]}).with_columns(
            pl.col("lambda").cast(pl.Float64)
        ),
        stats=pl.DataFrame({"unique_id": ["a"], "fit_q1": [0.0], "fit_q3": [99.0]}).with_columns(fit_until=border),
        choices=pl.DataFrame({"unique_id": ["a"], "strategy": ["linear"]}).with_columns(
            fit_value=pl.lit(None, pl.Float64), fit_available_at=border
        ),
        cleaning=pl.DataFrame({"unique_id": ["a"], "kept": ["none"]}),
        intervals=pl.DataFrame(),
        params={"zone": "UTC", "stride": stride},
        sources=[],
        code="",
    )


def new_windows(bundle: Bundle, low: int, behind: int) -> TrainingData:
    return arrived([partial(arrived_windows, rows_of(low, behind), bundle)], bundle)


def ends_of(data: TrainingData) -> list[int]:
    """The row of the last target of each window."""
    until = data.shards[0]().table["targets_until"]
    return [round((each - hours(0)).total_seconds() / 3600) for each in until]


def test_windows_that_the_final_fit_had_behind_the_test_part_are_not_new() -> None:
    assert ends_of(new_windows(bundle_of(trained=100), 0, 100)) == []
    assert ends_of(new_windows(bundle_of(trained=100), 0, 110)) == list(range(100, 110))


@pytest.mark.parametrize("stride", [1, 4])
def test_runs_one_after_the_other_learn_what_one_training_has(stride: int) -> None:
    # Training over 131 rows has the windows that training over 100 has, and those of both updates behind them.
    bundle = bundle_of(trained=100, stride=stride)
    whole = index_windows(sequences_of({"a": np.ones(131)}), bundle.profile, stride=stride).frames["windows"]
    known = len(whole.filter(pl.col("targets_until") < hours(100)))
    found = []
    for behind in (111, 131):
        data = new_windows(bundle, behind - 40, behind)
        found += ends_of(data)
        bundle = replace(bundle, profile=learnt(bundle.profile, data))
        assert ends_of(new_windows(bundle, behind - 40, behind)) == []
    assert found == [round((end - hours(0)).total_seconds() / 3600) for end in whole["targets_until"][known:]]


def test_points_with_too_little_before_them_are_counted() -> None:
    bundle = bundle_of(trained=100)
    data = new_windows(bundle, 105, 130)
    assert ends_of(data) == list(range(113, 130))
    assert left_out(bundle.profile, data) == 8
    assert left_out(bundle.profile, new_windows(bundle, 100 - L - H + 1, 130)) == 0


def test_a_bundle_that_does_not_say_what_it_knows_is_refused() -> None:
    bundle = bundle_of(trained=100)
    silent = replace(bundle, profile=bundle.profile.drop(KNOWN))
    with pytest.raises(InputError, match=KNOWN):
        arrived_windows(rows_of(0, 120), silent)
