"""Tune the models: search their spaces on the validation windows, once for the same data, model and space."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu import events, ledger
from sparkhu.errors import RegistryAwayError
from sparkhu.execution import StepNotes, metadata, recorded
from sparkhu.models.spaces import SPACES
from sparkhu.registry.studies import Study, find_study, log_study
from sparkhu.sections import Tuning
from sparkhu.stages.storing import Stored, map_buckets
from sparkhu.stages.tuned import MODEL, Found, told, write_tuned
from sparkhu.stages.tuning_data import data_checksum, search_fingerprint
from sparkhu.stages.tuning_engines import ModelTrials, OnTrial, namespace_of, run_search
from sparkhu.stages.tuning_search import check_tuning, search_of
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.gram_files import GramFile
from sparkhu.training.groups import seasons_of
from sparkhu.training.windows import ShardWindows
from sparkhu.tuning.declaring import Search
from sparkhu.tuning.document import BestTrial, Tried
from sparkhu.tuning.importance import importance
from sparkhu.tuning.reading import strategies_of
from sparkhu.tuning.space import Space
from sparkhu.tuning.tables import trials_table
from sparkhu.tuning.trials import ENDED, Measurement, Trial
from sparkhu.tuning.writing import experiment_yaml

STEP = "tune"


class Group(NamedTuple):
    """A group of series whose model is tuned."""

    name: str
    season_length: int
    fingerprint: str


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
        SparkhuError: The table is missing or damaged, or Katib fails.
    """
    settings = settings or Tuning()
    stored = Stored.open(table=table, plan=plan, windows=windows, scalers=scalers)
    with recorded(STEP, inputs=stored.folders, outputs=[out], params=settings.model_dump()) as (notes, (draft,)):
        check_tuning(settings)
        if settings.engine == "katib":
            namespace_of(settings)
        search = search_of(settings)
        groups = _groups(stored, search) if settings.trials else []
        known = _recalled(groups, notes)
        searched = [group for group in groups if group.name not in known]
        known |= _searched(searched, stored, search, settings, notes) if searched else {}
        ordered = [known[group.name] for group in groups]
        for found in ordered:
            notes.say(told(found))
        if not settings.trials:
            notes.say("not tuned, for tuning.trials is 0: models keep their defaults")
        write_tuned(draft, search.metric, ordered)
        notes.entries = ledger.entries(stored.plan.scan().select("unique_id").collect()["unique_id"])
        notes.rows_in, notes.series_in = stored.rows, stored.plan.series
        notes.counts["trials"] = sum(found.trials.height for found in ordered if found.origin == "search")
        notes.counts["groups from the store"] = sum(found.origin == "store" for found in ordered)
    return metadata(out)


def _groups(stored: Stored, search: Search) -> list[Group]:
    data, space = data_checksum(stored), SPACES[MODEL]
    return [
        Group(name, season, search_fingerprint(data=data, model=MODEL, group=name, space=space, search=search))
        for name, season in seasons_of(stored.plan.scan().collect()).items()
    ]


def _recalled(groups: Sequence[Group], notes: StepNotes) -> dict[str, Found]:
    """Give what the registry knows of the groups; one that is away is asked once and loses no run."""
    known: dict[str, Found] = {}
    try:
        for group in groups:
            if found := find_study(group.fingerprint, notes.say):
                known[group.name] = Found(*found, "store")
    except RegistryAwayError as error:
        notes.say(f"searched anew, for what earlier runs found cannot be looked up: {error}")
    return known


def _searched(
    groups: list[Group], stored: Stored, search: Search, settings: Tuning, notes: StepNotes
) -> dict[str, Found]:
    grams = merge(map_buckets(_gram_of, stored, step=STEP))
    found = {}
    for number, group in enumerate(groups):
        watch = partial(_tell, number * search.trials, len(groups) * search.trials)
        trials = _trials(grams.get(group.name), group.season_length)
        found[group.name] = _search(
            group=group,
            trials=trials,
            space=SPACES[MODEL],
            search=search,
            settings=settings,
            watch=watch,
            keep=partial(_kept, notes),
        )
    return found


def _trials(gram: GroupGram | None, season_length: int) -> ModelTrials | None:
    """Give what a trial of a group does; None where no window can judge it."""
    if gram is None or not (gram.train.windows and gram.choose.windows):
        return None
    return ModelTrials(GramFile(gram, season_length))


def _search(
    *,
    group: Group,
    trials: ModelTrials | None,
    space: Space,
    search: Search,
    settings: Tuning,
    watch: OnTrial,
    keep: Callable[..., Found],
) -> Found:
    if trials is None:
        reason = "no validation window of the group has all its targets observed, so nothing can choose"
        nothing = pl.DataFrame(schema={"trial": pl.Int64})
        return keep(_study(group, search, Tried(objective=None, assignment={}), reason), nothing, "", {})
    default, error = trials.defaults()
    result = run_search(_experiment_name(group), space, search, trials=trials, settings=settings, on_trial=watch)
    table = trials_table(result.trials, space, strategies_of(result.experiment))
    best = result.best
    study = _study(group, search, Tried(objective=error, assignment=default.assignment()), result.reason)
    if best is not None and best.objective is not None:
        tried = BestTrial(trial=best.number, objective=best.objective, assignment=dict(best.assignment))
        better = best.objective < error
        study = replace(
            study,
            best=tried,
            chosen="best" if better else "defaults",
            assignment=tried.assignment if better else study.assignment,
        )
    study = replace(study, trials=len(result.trials), importance=importance(table, space))
    if not result.succeeded:
        # It may be the cluster's fault, or that of the storage: the next run asks again.
        return Found(study, table, "search")
    measured = {trial.number: trial.measurements for trial in result.trials}
    return keep(study, table, experiment_yaml(result.experiment), measured)


def _kept(
    notes: StepNotes,
    study: Study,
    table: pl.DataFrame,
    experiment: str,
    measured: Mapping[int, Sequence[Measurement]],
) -> Found:
    """Keep a search in the registry; where that is away, the next run searches anew."""
    try:
        log_study(study, table, experiment=experiment, measurements=measured)
    except RegistryAwayError as error:
        notes.say(f"what tuning found is not kept for the next run: {error}")
    return Found(study, table, "search")


def _study(group: Group, search: Search, defaults: Tried, reason: str) -> Study:
    return Study(
        fingerprint=group.fingerprint,
        model=MODEL,
        group=group.name,
        metric=search.metric,
        direction=search.direction,
        algorithm=search.algorithm,
        defaults=defaults,
        best=None,
        chosen="defaults",
        assignment=defaults.assignment,
        trials=0,
        reason=reason,
        found_at=datetime.now(UTC),
    )


def _experiment_name(group: Group) -> str:
    """Name an experiment as Kubernetes wants it: model, group, and the beginning of the fingerprint."""
    plain = re.sub(r"[^a-z0-9]+", "-", f"{MODEL}-{group.name}".lower()).strip("-")
    return f"{plain[:30]}-{group.fingerprint[:8]}"


def _tell(before: int, of: int, trial: Trial) -> None:
    """Tell whoever watches that a trial has ended."""
    if trial.status in ENDED:
        events.emit("trial_done", step=STEP, done=before + trial.number + 1, of=of)


def _gram_of(_: str, windows: ShardWindows) -> dict[str, GroupGram]:
    return gram_shard(windows)
