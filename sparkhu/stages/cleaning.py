"""The guard: a cleaning step is kept for a series only where it lowers the backtest error on observed values."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import polars as pl

from sparkhu.evaluation.variants import NO_MODELS, Grams, VariantModels, fit_variants, measure_variants, variant_grams
from sparkhu.execution import ShardFrames, StepNotes, aligned, map_shards, metadata, open_inputs, recorded
from sparkhu.ledger import entries
from sparkhu.sections import Guard
from sparkhu.shards import Dataset, Shard, open_dataset, write_manifest, write_shard
from sparkhu.stages.planning import write_plan
from sparkhu.steps.cleaning import (
    ANOMALIES,
    BOTH,
    NONE,
    OUTLIERS,
    choose_variants,
    clean_inputs,
    find_candidates,
    unmeasured,
)

STEP = "choose_cleaning"
KEPT_UNMEASURED = {"always": BOTH, "never": NONE}


class _Measuring(NamedTuple):
    """What measuring a shard needs: the plan of its series, and the models."""

    plan: Path
    models: VariantModels
    stride: int
    zone: str


def keep_cleaning(
    *,
    sequences: Path | str,
    profile: Path | str,
    inputs: Path | str,
    cleaning: Path | str,
    guard: Guard,
    horizon: int = 0,
    input_size: int = 0,
    stride: int = 1,
    zone: str = "UTC",
) -> dict[str, Any]:
    """Choose for each series which cleaning steps its forecasts are made with.

    Args:
        sequences: Evenly spaced rows of all series, observed and cleaned values side by side.
        profile: One profile row a series.
        inputs: Folder of the layer that forecasters are given, to be written: `y`, `available_at`, `fill_strategy`,
            `anomaly_strategy`.
        cleaning: Folder of the choices, to be written: one row a series.
        guard: Whether cleaning is kept where it is measured to help, always or never, and the least gain.
        horizon: Steps to forecast; 0: from the period.
        input_size: Points that a forecast looks back on; 0: from period and horizon.
        stride: Rows from one window's start to the next.
        zone: Zone in which days, months and quarters begin.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: A parameter cannot be used, or the horizon is longer than every series.
    """
    params = {"horizon": horizon, "input_size": input_size, "stride": stride, "zone": zone, **guard.model_dump()}
    sources = open_inputs({"sequences": sequences, "profile": profile})
    folders = [sequences, profile]
    with (
        recorded(STEP, inputs=folders, outputs=[inputs, cleaning], params=params) as (notes, at),
        TemporaryDirectory(dir=at[0].parent) as scratch,
    ):
        measuring = _Measuring(Path(scratch), NO_MODELS, stride, zone)
        if guard.mode == "measured":
            table, rows = sources["profile"][0], sources["sequences"][0]
            write_plan(measuring.plan, table, rows, horizon=horizon, input_size=input_size, zone=zone)
            measuring = measuring._replace(models=_fit(measuring, sources, notes))
        written = list(map_shards(partial(_keep_shard, at, guard, measuring), sources, step=STEP))
        write_manifest(at[0], "columns", [layer for (layer, _), _, _ in written])
        write_manifest(at[1], "series", [table for (_, table), _, _ in written])
        notes.entries = pl.concat([entry for _, entry, _ in written])
        notes.rows_in, notes.series_in = sources["sequences"][0].rows, sources["sequences"][0].series
        notes.rows_out = notes.rows_in
        _say(notes, pl.concat([table for _, _, table in written]), guard)
    return metadata(inputs)


def _fit(measuring: _Measuring, sources: dict[str, list[Dataset]], notes: StepNotes) -> VariantModels:
    """Fit the models that measure, for the groups in which there is something to choose."""
    groups = set().union(*map_shards(partial(_groups_to_choose_in, measuring.plan), sources, step=STEP))
    if not groups:
        return NO_MODELS
    grams = map_shards(partial(_grams_of, measuring, sorted(groups)), sources, step=STEP)
    plan = open_dataset(measuring.plan).scan().filter(pl.col("group").is_in(sorted(groups))).collect()
    models = fit_variants(grams, plan)
    for group in sorted(models.stood_in):
        notes.say(f"{group}: no linear model without cleaning, so seasonal naive measures what cleaning brings")
    return models


def _plan_of(folder: Path, shard: ShardFrames) -> pl.DataFrame:
    return pl.read_parquet(folder / f"{shard.name}.parquet")


def _groups_to_choose_in(folder: Path, shard: ShardFrames) -> set[str]:
    plan = _plan_of(folder, shard)
    found = find_candidates(shard.frames["sequences"], plan).filter(pl.col("candidates") != NONE)
    return set(plan.join(found, on="unique_id", how="semi")["group"].drop_nulls())


def _grams_of(measuring: _Measuring, groups: list[str], shard: ShardFrames) -> Grams:
    plan = _plan_of(measuring.plan, shard)
    found = find_candidates(shard.frames["sequences"], plan).filter(pl.col("candidates") != NONE)
    return variant_grams(
        shard.frames["sequences"],
        plan.with_columns(group=pl.when(pl.col("group").is_in(groups)).then("group")),
        found["unique_id"],
        stride=measuring.stride,
        zone=measuring.zone,
    )


def _keep_shard(
    at: tuple[Path, ...], guard: Guard, measuring: _Measuring, shard: ShardFrames
) -> tuple[tuple[Shard, Shard], pl.DataFrame, pl.DataFrame]:
    sequences, profile = shard.frames["sequences"], shard.frames["profile"]
    table = _chosen(guard, measuring, shard)
    layer = aligned(clean_inputs(sequences, profile, table), shard.kept)
    written = (write_shard(at[0], shard.name, layer), write_shard(at[1], shard.name, table))
    why = table.select(pl.when(pl.col("candidates") != NONE).then("reason")).to_series()
    ledger = entries(table["unique_id"], reason=why, counts={"windows": table["windows"]})
    return written, ledger, table.select("candidates", "kept")


def _chosen(guard: Guard, measuring: _Measuring, shard: ShardFrames) -> pl.DataFrame:
    sequences, profile = shard.frames["sequences"], shard.frames["profile"]
    candidates = find_candidates(sequences, profile)
    if guard.mode != "measured":
        return unmeasured(candidates, KEPT_UNMEASURED[guard.mode], f"not measured: the mode is {guard.mode}")
    plan, models = _plan_of(measuring.plan, shard), measuring.models
    measured = measure_variants(
        sequences, plan, candidates, models=models, stride=measuring.stride, zone=measuring.zone
    )
    return choose_variants(measured, min_gain=guard.min_gain)


def _say(notes: StepNotes, tables: pl.DataFrame, guard: Guard) -> None:
    """Say what was kept, of how much."""
    told = []
    for step, what in ((OUTLIERS, "outlier cleaning"), (ANOMALIES, "anomaly handling")):
        possible = tables.filter(pl.col("candidates").is_in([step, BOTH]))
        kept = possible.filter(pl.col("kept").is_in([step, BOTH])).height
        notes.counts[f"series with {step}"], notes.counts[f"{what} kept"] = possible.height, kept
        told.append(f"{what} kept for {kept:,} of {possible.height:,} series that it changes")
    how = "" if guard.mode == "measured" else f" (not measured: the mode is {guard.mode})"
    notes.say(f"{'; '.join(told)}{how}")
