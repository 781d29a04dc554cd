"""Train models over shards."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu import ledger
from sparkhu.errors import SparkhuError
from sparkhu.execution import ShardFrames, map_shards, metadata, open_inputs, recorded
from sparkhu.models.base import Forecaster
from sparkhu.models.loading import load_model
from sparkhu.models.naive import SeasonalNaive
from sparkhu.shards import open_dataset
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.ridge import fit_groups

GROUPS = "groups.json"


def train_linear(
    *, sequences: Sequence[Path | str], plan: Path | str, windows: Path | str, scalers: Path | str, out: Path | str
) -> dict[str, Any]:
    """Fit the linear model of each group: one pass over the shards, their Gram matrices added in order.

    Args:
        sequences: Evenly spaced rows of all series, and the layer of what forecasters are given.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        out: Folder of the models, to be written.

    Returns:
        What happened, for the artifact's metadata.
    """
    sources = open_inputs({"sequences": sequences, "windows": windows, "scalers": scalers, "profile": plan})
    with recorded("train_linear", inputs=[*sequences, windows, scalers, plan], outputs=[out]) as (notes, (draft,)):
        grams = merge(map_shards(_gram_of, sources, step="train_linear"))
        models, messages = fit_groups(grams)
        for message in messages:
            notes.say(message)
        save_models(draft, models)
        planned = sources["profile"][0].scan().select("unique_id", "group").collect()
        served = planned["group"].is_in(list(models))
        notes.entries = ledger.entries(
            planned["unique_id"],
            status=pl.select(pl.when(served).then(pl.lit("ok")).otherwise(pl.lit("skipped"))).to_series(),
            reason=pl.select(
                pl.when(~served.fill_null(False)).then(pl.lit("its group has no training window"))
            ).to_series(),
        )
        notes.rows_in, notes.series_in = sources["sequences"][0].rows, planned.height
        notes.counts["training windows"] = sum(gram.train.windows for gram in grams.values())
    return metadata(out)


def train_seasonal_naive(*, plan: Path | str, out: Path | str) -> dict[str, Any]:
    """Set up the seasonal naive forecast of each group; it has nothing to fit.

    Args:
        plan: One row a series: its group and sizes.
        out: Folder of the models, to be written.

    Returns:
        What happened, for the artifact's metadata.
    """
    with recorded("train_seasonal_naive", inputs=[plan], outputs=[out]) as (notes, (draft,)):
        table = open_dataset(plan).scan().drop_nulls("group").collect()
        sizes = table.group_by("group").agg(pl.col("input_size", "horizon", "season_length").first()).sort("group")
        models = {group: SeasonalNaive(L, H, season or 1) for group, L, H, season in sizes.iter_rows()}
        save_models(draft, models)
        notes.entries = ledger.entries(table["unique_id"])
        notes.series_in = table.height
    return metadata(out)


def save_models(folder: Path, models: Mapping[str, Forecaster]) -> None:
    """Write the fitted model of each group into a folder of its own, and `groups.json` that says which is whose."""
    places = {group: f"{number:03d}" for number, group in enumerate(sorted(models))}
    for group, place in places.items():
        models[group].save(folder / place)
    (folder / GROUPS).write_text(json.dumps(places, indent=1))


def load_models(folder: Path | str) -> dict[str, Forecaster]:
    """Load what `save_models` wrote: a model a group.

    Raises:
        SparkhuError: The folder holds no models.
    """
    listed = Path(folder) / GROUPS
    if not listed.is_file():
        raise SparkhuError(f"'{folder}' holds no models ({GROUPS} is missing). Train them first.")
    return {group: load_model(Path(folder) / place) for group, place in json.loads(listed.read_text()).items()}


def _gram_of(shard: ShardFrames) -> dict[str, GroupGram]:
    return gram_shard(**shard.frames)
