"""Tune the models: search their spaces on the validation windows, once for the same data, model and space."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu import events, ledger
from sparkhu.execution import StepNotes, metadata, recorded
from sparkhu.models.linear import LinearSettings
from sparkhu.models.spaces import SPACES
from sparkhu.registry.studies import Study, find_study, log_study
from sparkhu.sections import Tuning
from sparkhu.shards import Dataset
from sparkhu.stages.storing import Stored, map_buckets
from sparkhu.stages.trial import METRIC
from sparkhu.stages.tuning_data import data_checksum, search_fingerprint
from sparkhu.stages.tuning_engines import ModelTrials, run_search
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.gram_files import GramFile
from sparkhu.training.windows import ShardWindows
from sparkhu.tuning.declaring import Search
from sparkhu.tuning.document import Goal, Origin
from sparkhu.tuning.document import Tuning as TuningDocument
from sparkhu.tuning.space import Space
from sparkhu.tuning.trials import ENDED, Trial

STEP, MODEL = "tune", "linear"
DOCUMENT, TRIALS = "tuning.json", "trials.parquet"
SEED = "0"


class Group(NamedTuple):
    """A group of series whose model is tuned."""

    name: str
    season_length: int
    fingerprint: str


class Found(NamedTuple):
    """What a group's parameters should be, and where that is known from."""

    study: Study
    trials: pl.DataFrame
    origin: Origin


def tune(
    *,
    table: Path | str,
    plan: Path | str,
    windows: Path | str,
    scalers: Path | str,
    out: Path | str,
    settings: Tuning | None = None,
) -> dict[str, Any]:
    """Find the parameters of the linear model of each group: those stored for the same question, else by a search.

    A search is a Katib experiment for each group of series, whose objective is the mean squared error on the choosing
    windows, against observed values. Where no trial is better there than the defaults, these stay. What was found is
    kept in MLflow under a fingerprint of data, model and its code, space, objective and search.

    Args:
        table: What `store_sequences` wrote: where the windows are looked up.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        out: Folder to be written: `tuning.json` and `trials.parquet`.
        settings: How it is searched; by default in this process.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: A setting cannot be used.
        SparkhuError: The table is missing or damaged, or the registry or Katib fails.
    """
    settings = settings or Tuning()
    stored = Stored.open(table=table, plan=plan, windows=windows, scalers=scalers)
    with recorded(STEP, inputs=stored.folders, outputs=[out], params=settings.model_dump()) as (notes, (draft,)):
        search = search_of(settings)
        groups = _groups(stored, search) if settings.trials else []
        known = {group.name: found for group in groups if (found := _recalled(group, notes))}
        searched = [group for group in groups if group.name not in known]
        known |= _searched(searched, stored, search, settings) if searched else {}
        ordered = [known[group.name] for group in groups]
        for found in ordered:
            notes.say(_told(found))
        if not settings.trials:
            notes.say("not tuned, for tuning.trials is 0: models keep their defaults")
        write_tuning(draft, ordered)
        notes.entries = ledger.entries(stored.plan.scan().select("unique_id").collect()["unique_id"])
        notes.rows_in, notes.series_in = stored.rows, stored.plan.series
        notes.counts["trials"] = sum(found.trials.height for found in ordered if found.origin == "search")
        notes.counts["groups from the store"] = sum(found.origin == "store" for found in ordered)
    return metadata(out)


def search_of(settings: Tuning) -> Search:
    """Say how a space is searched; the seed is fixed, so that equal searches have equal results."""
    seeded = {} if settings.algorithm == "grid" else {"random_state": SEED}
    return Search(
        metric=METRIC,
        algorithm=settings.algorithm,
        settings=seeded,
        trials=settings.trials,
        parallel=settings.parallel,
    )


def write_tuning(folder: Path, found: Iterable[Found]) -> None:
    """Write what was found for all groups: `tuning.json`, and one row a trial in `trials.parquet`."""
    told = list(found)
    document = TuningDocument(
        model=MODEL,
        objective=Goal(metric=METRIC, direction="minimize"),
        groups=[each.study.told(each.origin) for each in told],
    )
    (folder / DOCUMENT).write_text(document.model_dump_json(indent=1), encoding="utf-8")
    tables = [each.trials.select(pl.lit(each.study.group).alias("group"), pl.all()) for each in told]
    table = pl.concat(tables) if tables else pl.DataFrame(schema={"group": pl.String})
    table.write_parquet(folder / TRIALS)


def read_tuned(folder: Path | str) -> dict[str, LinearSettings]:
    """Read what each group's linear model is to be fitted with.

    Args:
        folder: What `tune` wrote.

    Returns:
        Settings by group; a group that is not there was not tuned.
    """
    document = TuningDocument.model_validate_json((Path(folder) / DOCUMENT).read_text(encoding="utf-8"))
    return {each.group: LinearSettings.of(each.assignment) for each in document.groups}


def seasons_of(plan: Dataset) -> dict[str, int]:
    """Give the points in a season of each group, 1 where it has none."""
    rows = plan.scan().drop_nulls("group").group_by("group").agg(pl.col("season_length").first()).sort("group")
    return {group: season or 1 for group, season in rows.collect().iter_rows()}


def _groups(stored: Stored, search: Search) -> list[Group]:
    data, space = data_checksum(stored), SPACES[MODEL]
    return [
        Group(name, season, search_fingerprint(data=data, model=MODEL, group=name, space=space, search=search))
        for name, season in seasons_of(stored.plan).items()
    ]


def _recalled(group: Group, notes: StepNotes) -> Found | None:
    found = find_study(group.fingerprint, notes.say)
    return Found(*found, "store") if found else None


def _searched(groups: list[Group], stored: Stored, search: Search, settings: Tuning) -> dict[str, Found]:
    grams = merge(map_buckets(_gram_of, stored, step=STEP))
    found = {}
    for number, group in enumerate(groups):
        watch = partial(_tell, group.name, number * search.trials, len(groups) * search.trials)
        trials = ModelTrials(GramFile(grams[group.name], group.season_length)) if group.name in grams else None
        found[group.name] = _search(group, trials, SPACES[MODEL], search, settings, watch)
    return found
