"""Score the models, calibrate their intervals, and say which one should forecast."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.evaluation.backtest import score_shard
from sparkhu.evaluation.conformal import Calibration, borrow, calibrate_shard, calibration_entries, merge_pools
from sparkhu.evaluation.summary import METRICS, choose_champion, metrics_document
from sparkhu.execution import ShardFrames, map_shards, metadata, open_inputs, recorded
from sparkhu.models.base import Models
from sparkhu.models.candidates import LINEAR, NAMES, SEASONAL_NAIVE, candidates, for_evaluation
from sparkhu.shards import Dataset, write_manifest, write_shard
from sparkhu.stages.training import load_models
from sparkhu.training.parts import CHOOSE, TEST

COMPETITORS = (LINEAR, SEASONAL_NAIVE)
DOCUMENT, CHOICE = "metrics.json", "choice.json"


def evaluate_models(
    *,
    sequences: Sequence[Path | str],
    plan: Path | str,
    windows: Path | str,
    scalers: Path | str,
    models: Mapping[str, Path | str],
    out: Path | str,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Choose the champion on validation, calibrate intervals on the windows that chose nothing, score on the test part.

    Args:
        sequences: Evenly spaced rows of all series, and the layer of what forecasters are given.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        models: Folder of the trained models by name.
        out: Folder of the evaluation, to be written: the half-widths of the intervals as a dataset about series,
            `metrics.json`, and `choice.json` with the champion and what it was chosen by.

    Returns:
        What happened, for the artifact's metadata, and the errors over all series, such as `linear_mse`.
    """
    sources = open_inputs({"sequences": sequences, "windows": windows, "scalers": scalers, "profile": plan})
    folders = [*sequences, windows, scalers, plan, *models.values()]
    with recorded("evaluate", inputs=folders, outputs=[out]) as (notes, (draft,)):
        rivals = for_evaluation(candidates(sources["profile"][0].scan().collect(), load_models(models[LINEAR])))
        names = [shard.name for shard in sources["sequences"][0].shards]
        passed = list(map_shards(partial(_calibrate, rivals), sources, step="evaluate"))
        choosing = pl.concat([scores for scores, _ in passed])
        champion = choose_champion(choosing.filter(pl.col("model").is_in(COMPETITORS)), models=COMPETITORS)
        notes.say(champion.note)
        intervals = _write_intervals(draft, names, [calibration for _, calibration in passed])
        test = pl.concat(map_shards(partial(_score, rivals, intervals), sources, step="evaluate"))
        document = metrics_document(test, champion=champion.name, models=NAMES)
        (draft / DOCUMENT).write_text(json.dumps(document, indent=1))
        choice = {"champion": champion.name, "reason": champion.note, "scores": champion.scores}
        (draft / CHOICE).write_text(json.dumps(choice, indent=1))
        notes.entries = calibration_entries(intervals.scan().collect(), model=champion.name)
        notes.rows_in, notes.series_in = sources["sequences"][0].rows, sources["sequences"][0].series
        notes.rows_out = intervals.rows
        notes.counts["test windows"] = document[LINEAR]["windows"]
    errors = {f"{name}_{metric}": document[name][metric] for name in NAMES for metric in METRICS}
    return metadata(out), {name: error for name, error in errors.items() if error is not None}


def _calibrate(models: Models, shard: ShardFrames) -> tuple[pl.DataFrame, Calibration]:
    return score_shard(**shard.frames, models=models, part=CHOOSE), calibrate_shard(**shard.frames, models=models)


def _score(models: Models, intervals: Dataset, shard: ShardFrames) -> pl.DataFrame:
    return score_shard(**shard.frames, models=models, intervals=pl.read_parquet(intervals.file(shard.name)), part=TEST)


def _write_intervals(draft: Path, names: Sequence[str], calibrations: Sequence[Calibration]) -> Dataset:
    """Fill what series lack from the pools of all shards, and write the half-widths beside each series' shard."""
    pools = merge_pools(calibrations)
    shards = [
        write_shard(draft, name, borrow(calibration.table, pools))
        for name, calibration in zip(names, calibrations, strict=True)
    ]
    write_manifest(draft, "series", shards)
    return Dataset(draft, "series", tuple(shards))
