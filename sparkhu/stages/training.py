"""Train models on windows that are looked up in a stored table."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu import ledger
from sparkhu.errors import SparkhuError
from sparkhu.execution import metadata, recorded
from sparkhu.models.base import Forecaster, Models
from sparkhu.models.candidates import seasonal_naive
from sparkhu.models.linear import LinearSettings
from sparkhu.models.loading import load_model
from sparkhu.sections import Training
from sparkhu.shards import open_dataset
from sparkhu.stages.fitting import check_libraries, check_training, check_workers, with_workers
from sparkhu.stages.storing import Stored, map_buckets, training_data
from sparkhu.stages.tuned import read_tuned
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.groups import seasons_of
from sparkhu.training.linear import LinearRecipe
from sparkhu.training.parts import TRAIN
from sparkhu.training.recipes import TrainingData
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import ShardWindows

GROUPS, FURTHER = "groups.json", "models.json"


def train_linear(
    *,
    table: Path | str,
    plan: Path | str,
    windows: Path | str,
    scalers: Path | str,
    out: Path | str,
    tuned: Path | str | None = None,
    settings: Training | None = None,
) -> dict[str, Any]:
    """Fit the linear model of each group: one pass over the stored buckets, their Gram matrices added in order.

    Args:
        table: What `store_sequences` wrote: where the windows are looked up.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        out: Folder of the models, to be written.
        tuned: What `tune` wrote: the parameters that each group's model is fitted with; None: the defaults.
        settings: The workers that sum the Gram matrices; by default the processes of this step. The weights are the
            same to the bit.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: What connects the workers is not installed.
        SparkhuError: The table is missing or damaged, or lacks points of a window, or a worker was lost.
    """
    training = settings or Training()
    stored = Stored.open(table=table, plan=plan, windows=windows, scalers=scalers)
    with recorded("train_linear", inputs=[*stored.folders, *([tuned] if tuned else [])], outputs=[out]) as (
        notes,
        (draft,),
    ):
        found = read_tuned(tuned, "linear") if tuned else {}
        chosen = {group: LinearSettings.of(values) for group, values in found.items()}
        fit = _fit_here if training.distribution == "single" else partial(_fit_on_workers, training)
        models, messages, count = fit(stored, chosen)
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
        notes.counts["training windows"] = count
    return metadata(out)


class _Fit(NamedTuple):
    """Fitted models by group, what is said of them, and how many windows they learnt from."""

    models: Mapping[str, Forecaster]
    messages: Sequence[str]
    windows: int


def _fit_here(stored: Stored, chosen: Mapping[str, LinearSettings]) -> _Fit:
    grams = merge(map_buckets(_gram_of, stored, step="train_linear"))
    models, messages = fit_groups(grams, seasons=seasons_of(stored.plan.scan().collect()), settings=chosen)
    return _Fit(models, messages, sum(gram.train.windows for gram in grams.values()))


def _fit_on_workers(training: Training, stored: Stored, chosen: Mapping[str, LinearSettings]) -> _Fit:
    check_training(training)
    check_libraries(training)
    check_workers(training)
    data, counts = training_data(stored), dict[int, int]()

    def counting(number: int) -> ShardWindows:
        found = data.shards[number]()
        counts[number] = found.table.filter(pl.col("part") == TRAIN).height
        return found

    shards = [partial(counting, number) for number in range(len(data.shards))]
    recipe = with_workers(LinearRecipe(), training, step="train_linear")
    settings = {group: each.assignment() for group, each in chosen.items()}
    fitted = recipe.fit(TrainingData(shards, data.seasons), settings, seed=training.seed)
    told = f"Gram matrices summed by {training.workers} workers of {training.distribution}"
    return _Fit(fitted.models, [*fitted.notes, told], sum(counts.values()))


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
        save_models(draft, seasonal_naive(table))
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


def save_further(folder: Path, models: Models) -> None:
    """Write models of several kinds, each into a folder of its name, and `models.json` that lists them in order."""
    for name, groups in models.items():
        (folder / name).mkdir(parents=True)
        save_models(folder / name, groups)
    (folder / FURTHER).write_text(json.dumps(list(models), indent=1))


def load_further(folder: Path | str) -> dict[str, dict[str, Forecaster]]:
    """Load what `save_further` wrote: models by name and group, none where none were wanted.

    Raises:
        SparkhuError: The folder holds no models, nor says that there are none.
    """
    listed = Path(folder) / FURTHER
    if not listed.is_file():
        raise SparkhuError(f"'{folder}' holds no further models ({FURTHER} is missing). Run train_models, which does.")
    return {name: load_models(Path(folder) / name) for name in json.loads(listed.read_text())}


def _gram_of(_: str, windows: ShardWindows) -> dict[str, GroupGram]:
    return gram_shard(windows)
