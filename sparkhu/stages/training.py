"""Train models on windows that are looked up in a stored table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu import ledger
from sparkhu.errors import SparkhuError
from sparkhu.execution import metadata, recorded
from sparkhu.models.base import Forecaster
from sparkhu.models.loading import load_model
from sparkhu.models.naive import SeasonalNaive
from sparkhu.shards import open_dataset
from sparkhu.stages.storing import Stored, map_buckets
from sparkhu.stages.tuned import read_tuned
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.groups import seasons_of
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import ShardWindows

GROUPS = "groups.json"


def train_linear(
    *,
    table: Path | str,
    plan: Path | str,
    windows: Path | str,
    scalers: Path | str,
    out: Path | str,
    tuned: Path | str | None = None,
) -> dict[str, Any]:
    """Fit the linear model of each group: one pass over the stored buckets, their Gram matrices added in order.

    Args:
        table: What `store_sequences` wrote: where the windows are looked up.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        out: Folder of the models, to be written.
        tuned: What `tune` wrote: the parameters that each group's model is fitted with; None: the defaults.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        SparkhuError: The table is missing or damaged, or lacks points of a window.
    """
    stored = Stored.open(table=table, plan=plan, windows=windows, scalers=scalers)
    with recorded("train_linear", inputs=[*stored.folders, *([tuned] if tuned else [])], outputs=[out]) as (
        notes,
        (draft,),
    ):
        grams = merge(map_buckets(_gram_of, stored, step="train_linear"))
        seasons = seasons_of(stored.plan.scan().collect())
        models, messages = fit_groups(grams, seasons=seasons, settings=read_tuned(tuned) if tuned else {})
        for message in messages:
            notes.say(message)
        save_models(draft, models)
        planned = stored.plan.scan().select("unique_id", "group").collect()
        served = planned["group"].is_in(list(models))
        notes.entries = ledger.entries(
            planned["unique_id"],
            status=pl.select(pl.when(served).then(pl.lit("ok")).otherwise(pl.lit("skipped"))).to_series(),
            reason=pl.select(
                pl.when(~served.fill_null(False)).then(pl.lit("its group has no training window"))
            ).to_series(),
        )
        notes.rows_in, notes.series_in = stored.rows, planned.height
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


def _gram_of(_: str, windows: ShardWindows) -> dict[str, GroupGram]:
    return gram_shard(windows)
