"""Score the models, calibrate their intervals, and say which one should forecast."""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.evaluation.backtest import score_shard
from sparkhu.evaluation.conformal import Calibration, borrow, calibrate_shard, calibration_entries, merge_pools
from sparkhu.evaluation.summary import METRICS, choose_champion, metrics_document
from sparkhu.execution import metadata, recorded
from sparkhu.models.base import Models
from sparkhu.models.candidates import LINEAR, SEASONAL_NAIVE, candidates, for_evaluation
from sparkhu.shards import Dataset, write_manifest, write_shard
from sparkhu.stages.storing import Stored, map_buckets
from sparkhu.stages.training import load_further, load_models
from sparkhu.training.parts import CHOOSE, TEST, Late
from sparkhu.training.windows import ShardWindows

STANDING = (LINEAR, SEASONAL_NAIVE)
DOCUMENT, CHOICE = "metrics.json", "choice.json"


def evaluate_models(
    *,
    table: Path | str,
    plan: Path | str,
    windows: Path | str,
    scalers: Path | str,
    models: Mapping[str, Path | str],
    out: Path | str,
    further: Path | str | None = None,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Choose the champion on validation, calibrate intervals on the windows that chose nothing, score on the test part.

    Args:
        table: What `store_sequences` wrote: where the windows are looked up.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        models: Folder of the trained models by name.
        out: Folder of the evaluation, to be written: the half-widths of the intervals as a dataset about series,
            `metrics.json`, and `choice.json` with the champion and what it was chosen by.
        further: What `train_models` wrote; None: no more models.

    Returns:
        What happened, for the artifact's metadata, and the errors over all series, such as `linear_mse`.

    Raises:
        SparkhuError: The table is missing or damaged, or lacks points of a window.
    """
    stored = Stored.open(table=table, plan=plan, windows=windows, scalers=scalers)
    folders: list[Path | str] = [*stored.folders, *models.values(), *([further] if further else [])]
    with recorded("evaluate", inputs=folders, outputs=[out]) as (notes, (draft,)):
        more = load_further(further) if further else {}
        rivals = for_evaluation(candidates(stored.plan.scan().collect(), load_models(models[LINEAR]), more))
        passed = list(map_buckets(partial(_calibrate, rivals), stored, step="evaluate"))
        choosing = _in_order(scores for _, scores, _, _ in passed)
        competitors, left_out = _competitors(choosing, list(more))
        champion = choose_champion(choosing.filter(pl.col("model").is_in(competitors)), models=competitors)
        for message in (champion.note, *left_out, Late.added(late for *_, late in passed).note()):
            if message:
                notes.say(message)
        intervals = _write_intervals(draft, {name: calibration for name, _, calibration, _ in passed})
        test = _in_order(map_buckets(partial(_score, rivals, intervals), stored, step="evaluate"))
        document = metrics_document(test, champion=champion.name, models=list(rivals))
        (draft / DOCUMENT).write_text(json.dumps(document, indent=1))
        choice = {"champion": champion.name, "reason": champion.note, "scores": champion.scores}
        (draft / CHOICE).write_text(json.dumps(choice, indent=1))
        notes.entries = calibration_entries(intervals.scan().sort("unique_id", "step").collect(), model=champion.name)
        notes.rows_in, notes.series_in = stored.rows, stored.plan.series
        notes.rows_out = intervals.rows
        notes.counts["test windows"] = document[LINEAR]["windows"]
    errors = {f"{name}_{metric}": document[name][metric] for name in rivals for metric in METRICS}
    return metadata(out), {name: error for name, error in errors.items() if error is not None}


def _competitors(choosing: pl.DataFrame, further: list[str]) -> tuple[list[str], list[str]]:
    """Give the models that the champion is chosen from, the simplest last, and what is said of those that are not.

    A further model takes part where it was scored on every series that the others were: what it lacks would else
    leave series out of the comparison of all.
    """
    scored = {name: frozenset(choosing.filter(pl.col("model") == name)["unique_id"]) for name in (*further, *STANDING)}
    wanted = scored[LINEAR] & scored[SEASONAL_NAIVE]
    lacks = {name: len(wanted - scored[name]) for name in further if not wanted <= scored[name]}
    told = [
        f"{name} does not compete: it scores {len(wanted) - n:,} of {len(wanted):,} series" for name, n in lacks.items()
    ]
    return [*[name for name in further if name not in lacks], LINEAR, SEASONAL_NAIVE], told


def _in_order(scores: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Put the scores of buckets together in the order of the series, which is that of every sum over them."""
    return pl.concat(scores).sort("unique_id", "model")


def _calibrate(models: Models, name: str, windows: ShardWindows) -> tuple[str, pl.DataFrame, Calibration, Late]:
    scores, calibration = score_shard(windows, models=models, part=CHOOSE), calibrate_shard(windows, models=models)
    return name, scores, calibration, Late.of(windows.table, windows.series)


def _score(models: Models, intervals: Dataset, name: str, windows: ShardWindows) -> pl.DataFrame:
    return score_shard(windows, models=models, intervals=pl.read_parquet(intervals.file(name)), part=TEST)


def _write_intervals(draft: Path, calibrations: Mapping[str, Calibration]) -> Dataset:
    """Fill what series lack from the pools of all buckets, and write the half-widths bucket by bucket."""
    pools = merge_pools(calibrations.values())
    shards = [write_shard(draft, name, borrow(calibration.table, pools)) for name, calibration in calibrations.items()]
    write_manifest(draft, "series", shards)
    return Dataset(draft, "series", tuple(shards))
