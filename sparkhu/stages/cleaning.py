"""The guard: a cleaning step is kept for a series only where it lowers the backtest error on observed values.

Passes over the shards: find what there is to choose; sum what the models of the variants are fitted on; choose for each
series; sum what the mixture of the choices is fitted on, and measure with it, once more where series fell back; write.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import polars as pl

from sparkhu.evaluation.mixture import fit_mixture, measure_mixture, mixture_grams
from sparkhu.evaluation.variants import (
    ALIKE,
    NO_MODELS,
    Grams,
    VariantModels,
    fit_variants,
    measure_variants,
    sum_grams,
    variant_grams,
)
from sparkhu.execution import StepNotes, metadata, recorded
from sparkhu.ledger import entries
from sparkhu.mapping import ShardFrames, map_shards, open_inputs
from sparkhu.models.base import Forecaster
from sparkhu.sections import Guard
from sparkhu.shards import Dataset, Shard, aligned, open_dataset, write_manifest, write_shard, write_whole
from sparkhu.stages.planning import write_plan
from sparkhu.steps.cleaning import ANOMALIES, BOTH, NONE, OUTLIERS, choose_variants, clean_inputs, find_candidates
from sparkhu.steps.confirming import UNCONFIRMED, UNMEASURED, conclude, fall_back, unmeasured
from sparkhu.training.gram import GroupGram

STEP = "choose_cleaning"
MEASUREMENTS = 2
"""Trainings on the mixture at most. A fallback only moves a series to its raw values, and the second training has the
mixture as it then is; what falls back there, rarely anything, is not followed by a third."""
KEPT_UNMEASURED = {"always": BOTH, "never": NONE}


class _Measuring(NamedTuple):
    """What every pass over the shards needs: where it leaves tables for the next, and how windows are made."""

    scratch: Path
    min_gain: float
    windows: dict[str, Any]

    @classmethod
    def at(cls, scratch: Path, guard: Guard, **windows: Any) -> "_Measuring":
        for what in ("plan", "candidates", *(f"chosen-{number}" for number in range(MEASUREMENTS + 1))):
            (scratch / what).mkdir()
        return cls(scratch, guard.min_gain, windows)

    @property
    def plan(self) -> Path:
        return self.scratch / "plan"

    def read(self, what: str, shard: ShardFrames) -> pl.DataFrame:
        """Read a table of a shard that an earlier pass left."""
        return pl.read_parquet(self.scratch / what / f"{shard.name}.parquet")

    def leave(self, what: str, shard: ShardFrames, table: pl.DataFrame) -> None:
        """Leave a table of a shard for the next pass."""
        write_whole(self.scratch / what / f"{shard.name}.parquet", table)


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
        decide: Callable[[ShardFrames], pl.DataFrame] = partial(_told, guard.mode)
        if guard.mode == "measured":
            measuring = _Measuring.at(Path(scratch), guard, stride=stride, zone=zone)
            table, rows = sources["profile"][0], sources["sequences"][0]
            write_plan(measuring.plan, table, rows, horizon=horizon, input_size=input_size, zone=zone)
            decide = partial(_concluded, measuring, _measure(measuring, sources, notes))
        written = list(map_shards(partial(_keep_shard, at, decide), sources, step=STEP))
        write_manifest(at[0], "columns", [layer for (layer, _), _, _ in written])
        write_manifest(at[1], "series", [table for (_, table), _, _ in written])
        notes.entries = pl.concat([entry for _, entry, _ in written])
        notes.rows_in, notes.series_in = sources["sequences"][0].rows, sources["sequences"][0].series
        notes.rows_out = notes.rows_in
        _say(notes, pl.concat([table for _, _, table in written]), guard)
    return metadata(inputs)


def _measure(measuring: _Measuring, sources: dict[str, list[Dataset]], notes: StepNotes) -> int:
    """Choose for each series, train on the mixture, and take back what it does not confirm.

    Every pass leaves its choices in tables of its own, so that it can be done twice; the number of the last is given.
    """
    groups = set().union(*map_shards(partial(_find, measuring), sources, step=STEP))
    grams, models = _fit_variants(measuring, sources, sorted(groups)) if groups else ({}, NO_MODELS)
    for group in sorted(models.stood_in):
        notes.say(f"{group}: no linear model without cleaning, so seasonal naive measures what cleaning brings")
    chosen = set().union(*map_shards(partial(_choose, measuring, models), sources, step=STEP)) - models.stood_in
    for number in range(MEASUREMENTS):
        mixing = partial(_mixture_of, measuring, number, sorted(chosen))
        mixed = map_shards(mixing, sources, step=STEP) if chosen else ()
        mixture = fit_mixture(grams.get(ALIKE, {}), mixed, models, chosen)
        if not sum(map_shards(partial(_fall_back, measuring, number, mixture), sources, step=STEP)):
            return number + 1
    return MEASUREMENTS


def _fit_variants(
    measuring: _Measuring, sources: dict[str, list[Dataset]], groups: list[str]
) -> tuple[Grams, VariantModels]:
    """Fit the models that choose, for the groups in which there is something to choose."""
    grams = sum_grams(map_shards(partial(_grams_of, measuring, groups), sources, step=STEP))
    plan = open_dataset(measuring.plan).scan().filter(pl.col("group").is_in(groups)).collect()
    return grams, fit_variants([grams], plan)


def _find(measuring: _Measuring, shard: ShardFrames) -> set[str]:
    """Find what there is to choose, and in which groups."""
    plan = measuring.read("plan", shard)
    found = find_candidates(shard.frames["sequences"], plan)
    measuring.leave("candidates", shard, found)
    return _groups_of(found.filter(pl.col("candidates") != NONE), plan)


def _groups_of(series: pl.DataFrame, plan: pl.DataFrame) -> set[str]:
    return set(plan.join(series, on="unique_id", how="semi")["group"].drop_nulls())


def _grams_of(measuring: _Measuring, groups: list[str], shard: ShardFrames) -> Grams:
    plan, candidates = _only(groups, measuring.read("plan", shard)), measuring.read("candidates", shard)
    changed = candidates.filter(pl.col("candidates") != NONE)["unique_id"]
    return variant_grams(shard.frames["sequences"], plan, changed, **measuring.windows)


def _only(groups: list[str], plan: pl.DataFrame) -> pl.DataFrame:
    """Take all other groups out of the plan."""
    return plan.with_columns(group=pl.when(pl.col("group").is_in(groups)).then("group"))


def _choose(measuring: _Measuring, models: VariantModels, shard: ShardFrames) -> set[str]:
    """Choose for each series of a shard, and say in which groups something was chosen."""
    plan, candidates = measuring.read("plan", shard), measuring.read("candidates", shard)
    rows = shard.frames["sequences"]
    measured = measure_variants(rows, plan, candidates, models=models, **measuring.windows)
    chosen = choose_variants(measured, min_gain=measuring.min_gain)
    measuring.leave("chosen-0", shard, chosen)
    return _groups_of(chosen.filter(pl.col("kept") != NONE), plan)


def _mixture_of(measuring: _Measuring, number: int, groups: list[str], shard: ShardFrames) -> dict[str, GroupGram]:
    plan, chosen = _only(groups, measuring.read("plan", shard)), measuring.read(f"chosen-{number}", shard)
    return mixture_grams(shard.frames["sequences"], plan, chosen, **measuring.windows)


def _fall_back(measuring: _Measuring, number: int, mixture: Mapping[str, Forecaster], shard: ShardFrames) -> int:
    """Measure what is chosen with the models of the mixture, and say how many series fell back."""
    plan, chosen = measuring.read("plan", shard), measuring.read(f"chosen-{number}", shard)
    rows = shard.frames["sequences"]
    measured = measure_mixture(rows, plan, chosen, mixture=mixture, **measuring.windows)
    confirmed = fall_back(measured, min_gain=measuring.min_gain)
    measuring.leave(f"chosen-{number + 1}", shard, confirmed)
    return int((confirmed["kept"] != measured["kept"]).sum())


def _concluded(measuring: _Measuring, number: int, shard: ShardFrames) -> pl.DataFrame:
    return conclude(measuring.read(f"chosen-{number}", shard), min_gain=measuring.min_gain)


def _told(mode: str, shard: ShardFrames) -> pl.DataFrame:
    candidates = find_candidates(shard.frames["sequences"], shard.frames["profile"])
    return unmeasured(candidates, KEPT_UNMEASURED[mode], f"{UNMEASURED}: the mode is {mode}")


def _keep_shard(
    at: tuple[Path, ...], decide: Callable[[ShardFrames], pl.DataFrame], shard: ShardFrames
) -> tuple[tuple[Shard, Shard], pl.DataFrame, pl.DataFrame]:
    sequences, profile = shard.frames["sequences"], shard.frames["profile"]
    table = decide(shard)
    layer = aligned(clean_inputs(sequences, profile, table), shard.kept)
    written = (write_shard(at[0], shard.name, layer), write_shard(at[1], shard.name, table))
    why = table.select(pl.when(pl.col("candidates") != NONE).then("reason")).to_series()
    ledger = entries(table["unique_id"], reason=why, counts={"windows": table["windows"]})
    return written, ledger, table.select("candidates", "kept", "reason")


def _say(notes: StepNotes, tables: pl.DataFrame, guard: Guard) -> None:
    """Say what was kept, of how much."""
    told = []
    for step, what in ((OUTLIERS, "outlier cleaning"), (ANOMALIES, "anomaly handling")):
        possible = tables.filter(pl.col("candidates").is_in([step, BOTH]))
        kept = possible.filter(pl.col("kept").is_in([step, BOTH])).height
        notes.counts[f"series with {step}"], notes.counts[f"{what} kept"] = possible.height, kept
        told.append(f"{what} kept for {kept:,} of {possible.height:,} series that it changes")
    how = "" if guard.mode == "measured" else f" ({UNMEASURED}: the mode is {guard.mode})"
    notes.say(f"{'; '.join(told)}{how}")
    fallen = tables.filter(pl.col("reason").str.starts_with(UNCONFIRMED)).height
    notes.counts["cleaning not confirmed"] = fallen
    if fallen:
        notes.say(f"cleaning that looked better was not confirmed for {fallen:,} series, which stay as observed")
