"""Score the models, calibrate their intervals, and say which one should forecast."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.attempts import scratch_folder
from sparkhu.evaluation.backtest import score_shard
from sparkhu.evaluation.conformal import Calibration, borrow, calibrate_shard, calibration_entries, merge_pools
from sparkhu.evaluation.gate import Gate, judge, score_gate, with_test
from sparkhu.evaluation.reigning import Reigning
from sparkhu.evaluation.summary import METRICS, metrics_document
from sparkhu.execution import metadata, recorded
from sparkhu.models.base import Models
from sparkhu.models.candidates import LINEAR, SEASONAL_NAIVE, candidates, for_evaluation
from sparkhu.sections import Promotion
from sparkhu.shards import Dataset, write_manifest, write_shard
from sparkhu.stages.standing import find_standing
from sparkhu.stages.storing import Stored, map_buckets
from sparkhu.stages.training import load_further, load_models
from sparkhu.training.parts import TEST, Late
from sparkhu.training.windows import ShardWindows

STANDING = (LINEAR, SEASONAL_NAIVE)
DOCUMENT, GATE = "metrics.json", "gate.json"


def evaluate_models(
    *,
    table: Path | str,
    plan: Path | str,
    windows: Path | str,
    scalers: Path | str,
    models: Mapping[str, Path | str],
    out: Path | str,
    further: Path | str | None = None,
    model_name: str = "",
    promotion: Promotion | None = None,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Choose the champion on validation, calibrate intervals on the windows that chose nothing, score on the test part.

    Args:
        table: What `store_sequences` wrote: where the windows are looked up.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        models: Folder of the trained models by name.
        out: Folder of the evaluation, to be written: the half-widths of the intervals as a dataset about series,
            `metrics.json`, and `gate.json` with the best model and what it was compared on.
        further: What `train_models` wrote; None: no more models.
        model_name: Name in the registry whose champion is scored beside the models; empty: none is.
        promotion: What they are compared by; None: as it stands.

    Returns:
        What happened, for the artifact's metadata, and the errors over all series, such as `linear_mse`.

    Raises:
        SparkhuError: The table is missing or damaged, or lacks points of a window.
    """
    stored = Stored.open(table=table, plan=plan, windows=windows, scalers=scalers)
    folders: list[Path | str] = [*stored.folders, *models.values(), *([further] if further else [])]
    settings = promotion or Promotion()
    params = {"model_name": model_name, **settings.plain()}
    with recorded("evaluate", inputs=folders, outputs=[out], params=params) as (notes, (draft,)):
        planned, more = stored.plan.scan().collect(), load_further(further) if further else {}
        rivals = for_evaluation(candidates(planned, load_models(models[LINEAR]), more))
        competitors, left_out = _competitors(rivals, list(more))
        with scratch_folder(draft) as scratch:
            standing, reigning = find_standing(model_name, planned, scratch)
        passed = list(map_buckets(partial(_calibrate, rivals, competitors, reigning), stored, step="evaluate"))
        scores = pl.concat(scores for _, scores, _, _ in passed).sort("set", "unique_id", "model")
        gate = judge(scores, models=competitors, promotion=settings, standing=standing, model_name=model_name)
        late = Late.added(late for *_, late in passed)
        for message in filter(None, (gate.note, *left_out, gate.reigning.note, late.note())):
            notes.say(message)
        intervals = _write_intervals(draft, {name: calibration for name, _, calibration, _ in passed})
        test = _in_order(map_buckets(partial(_score, rivals, intervals), stored, step="evaluate"))
        document = _write_documents(draft, test, with_test(gate, test), list(rivals))
        notes.entries = calibration_entries(intervals.scan().sort("unique_id", "step").collect(), model=gate.champion)
        notes.rows_in, notes.series_in = stored.rows, stored.plan.series
        notes.rows_out = intervals.rows
        notes.counts["test windows"] = document[LINEAR]["windows"]
    errors = {f"{name}_{metric}": document[name][metric] for name in rivals for metric in METRICS}
    return metadata(out), {name: error for name, error in errors.items() if error is not None}


def _competitors(rivals: Models, further: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the models that the champion is chosen from, the simplest last, and what is said of those that are not.

    A further model takes part where it was fitted for every group that the linear one was: a group that one of them
    lacks would else be left out of the comparison of all.
    """
    lacks = {name: sorted(rivals[LINEAR].keys() - rivals[name].keys()) for name in further}
    told = [
        f"{name} does not compete: it was not fitted for {', '.join(lacks[name])}" for name in further if lacks[name]
    ]
    return [*(name for name in further if not lacks[name]), *STANDING], told


def _in_order(scores: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Put the scores of buckets together in the order of the series, which is that of every sum over them."""
    return pl.concat(scores).sort("unique_id", "model")


def _calibrate(
    models: Models, competitors: Sequence[str], reigning: Reigning | None, name: str, windows: ShardWindows
) -> tuple[str, pl.DataFrame, Calibration, Late]:
    scores = score_gate(windows, models={each: models[each] for each in competitors}, reigning=reigning)
    calibration = calibrate_shard(windows, models=models)
    return name, scores, calibration, Late.of(windows.table, windows.series)


def _score(models: Models, intervals: Dataset, name: str, windows: ShardWindows) -> pl.DataFrame:
    return score_shard(windows, models=models, intervals=pl.read_parquet(intervals.file(name)), part=TEST)


def _write_intervals(draft: Path, calibrations: Mapping[str, Calibration]) -> Dataset:
    """Fill what series lack from the pools of all buckets, and write the half-widths bucket by bucket."""
    pools = merge_pools(calibrations.values())
    shards = [write_shard(draft, name, borrow(calibration.table, pools)) for name, calibration in calibrations.items()]
    write_manifest(draft, "series", shards)
    return Dataset(draft, "series", tuple(shards))


def _write_documents(draft: Path, test: pl.DataFrame, gate: Gate, models: Sequence[str]) -> dict[str, Any]:
    """Write what the models were compared on, and their errors, which are given."""
    document = metrics_document(test, champion=gate.champion, models=models, gate=gate.document())
    (draft / DOCUMENT).write_text(json.dumps(document, indent=1))
    (draft / GATE).write_text(json.dumps(gate.document(), indent=1))
    return document
