"""The published long-horizon protocol on ETTh1: 7 columns, 8640/2880/2880 hours, horizon 96 from 336 points."""

from pathlib import Path

import polars as pl

from sparkhu.evaluation.backtest import score_shard
from sparkhu.evaluation.summary import metrics_document
from sparkhu.frame import TIME
from sparkhu.models.candidates import NAMES, candidates, for_evaluation
from sparkhu.splits import split_times
from sparkhu.steps.normalisation import fit_scalers
from sparkhu.steps.windows import index_windows
from sparkhu.training.gram import gram_shard
from sparkhu.training.groups import plan_groups
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import assemble


def test_the_errors_on_etth1_are_those_that_are_published(evaluation_data: Path) -> None:
    wide = pl.read_csv(evaluation_data / "ett" / "ETTh1.csv", try_parse_dates=True)
    rows = wide.unpivot(index="date", variable_name="unique_id", value_name="y").select(
        "unique_id", pl.col("date").dt.replace_time_zone("UTC").cast(TIME).alias("ds"), pl.col("y").cast(pl.Float64)
    )
    rows = rows.with_columns(available_at="ds", y_raw="y").sort("unique_id", "ds")
    profile = split_times(rows, "8640/2880/2880").with_columns(
        n=pl.lit(17420), period_label=pl.lit("1h"), season_length=pl.lit(24)
    )
    profile = plan_groups(profile, horizon=96, input_size=336).profile
    windows = index_windows(rows, profile).frames["windows"]
    assert windows["valid"].all()
    scalers = fit_scalers(rows, profile).frames["scalers"]
    shard = assemble(rows, windows, scalers, profile)
    linear, _ = fit_groups(gram_shard(shard))
    scores = score_shard(shard, models=for_evaluation(candidates(profile, linear)))
    document = metrics_document(scores, champion="linear", models=NAMES)
    assert document["linear"]["windows"] == 7 * 2785
    assert document["linear"]["mse"] <= 0.372
    assert document["linear"]["mae"] <= 0.393
    assert 1.294 <= document["last_value"]["mse"] <= 1.295
