"""Tune the models: search their spaces on the validation windows, once for the same data, model and space."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu import events, ledger
from sparkhu.errors import RegistryAwayError
from sparkhu.execution import StepNotes, metadata, recorded
from sparkhu.models.spaces import SPACES
from sparkhu.registry.studies import Study, find_study, log_study
from sparkhu.sections import Training, Tuning
from sparkhu.stages.fitting import is_of_one_model
from sparkhu.stages.storing import Stored, map_buckets, training_data
from sparkhu.stages.tuned import Found, told, write_tuned
from sparkhu.stages.tuning_data import data_checksum, search_fingerprint
from sparkhu.stages.tuning_engines import LINEAR, OnTrial, namespace_of, run_search
from sparkhu.stages.tuning_search import check_tuning, search_of
from sparkhu.stages.tuning_trials import LinearTrials, RecipeTrials, Trials
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.gram_files import GramFile
from sparkhu.training.groups import seasons_of
from sparkhu.training.known import load_recipe
from sparkhu.training.recipes import TrainingData
from sparkhu.training.windows import ShardWindows
from sparkhu.tuning.declaring import Search
from sparkhu.tuning.document import BestTrial, Tried
from sparkhu.tuning.importance import importance
from sparkhu.tuning.reading import strategies_of
from sparkhu.tuning.tables import trials_table
from sparkhu.tuning.trials import ENDED, Measurement, Trial
from sparkhu.tuning.writing import experiment_yaml

STEP = "tune"

logger = logging.getLogger(__name__)


class Question(NamedTuple):
    """What is searched for: the parameters of a model on a group of series.

    Attributes:
        model: The model's name.
        group: The group's.
        season_length: Points in a season, 1 where there is none.
        seed: Of the fits; 0 where nothing is drawn.
        fingerprint: Equal questions have equal ones.
    """

    model: str
    group: str
    season_length: int
    seed: int
    fingerprint: str


def tune(
    *,
    table: Path | str,
    plan: Path | str,
    windows: Path | str,
    scalers: Path | str,
    out: Path | str,
    settings: Tuning | None = None,
    training: Training | None = None,
) -> dict[str, Any]:
    """Find the parameters of models for each group: those stored for the same question, else by a search.

    A search is a Katib experiment for each model and group of series, whose objective is the mean squared error on the
    choosing windows, against observed values. Where no trial is better there than the defaults, these stay. Defaults
    that cannot be fitted are told, and any trial is better. What was found is kept in MLflow under a fingerprint of
    data, model and its code, space, objective and search.

    Args:
        table: What `store_sequences` wrote: where the windows are looked up.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        out: Folder to be written: `tuning.json` and `trials.parquet`.
        settings: Which models are tuned, and how it is searched; by default the linear one, in this process.
        training: Which models are trained, and from which seed; by default the linear one alone.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: A setting cannot be used.
        SparkhuError: The table is missing or damaged, a library is missing, or Katib fails.
    """
    settings, training = settings or Tuning(), training or Training()
    stored = Stored.open(table=table, plan=plan, windows=windows, scalers=scalers)
    with recorded(STEP, inputs=stored.folders, outputs=[out], params=settings.plain()) as (notes, (draft,)):
        check_tuning(settings, training)
        if settings.engine == "katib":
            namespace_of(settings)
        search = search_of(settings)
        questions = _questions(stored, search, settings, training.seed) if settings.trials else []
        known = _recalled(questions, notes)
        searched = [question for question in questions if question not in known]
        known |= _searched(searched, stored, search, settings, notes) if searched else {}
        ordered = [known[question] for question in questions]
        for found in ordered:
            notes.say(told(found))
        if not (settings.trials and settings.models):
            why = "tuning.models names none" if settings.trials else "tuning.trials is 0"
            notes.say(f"not tuned, for {why}: models keep their defaults")
        write_tuned(draft, search.metric, ordered)
        notes.entries = ledger.entries(stored.plan.scan().select("unique_id").collect()["unique_id"])
        notes.rows_in, notes.series_in = stored.rows, stored.plan.series
        notes.counts["trials"] = sum(found.trials.height for found in ordered if found.origin == "search")
        notes.counts["groups from the store"] = sum(found.origin == "store" for found in ordered)
    return metadata(out)


def _questions(stored: Stored, search: Search, settings: Tuning, seed: int) -> list[Question]:
    data, seasons = data_checksum(stored), seasons_of(stored.plan.scan().collect())
    found: list[Question] = []
    for model in settings.models:
        load_recipe(model)  # says now which library is missing
        own = 0 if model == LINEAR else seed
        ask = partial(search_fingerprint, data=data, model=model, space=SPACES[model], search=search, seed=own)
        found += [Question(model, group, season, own, ask(group=group)) for group, season in seasons.items()]
    return found


def _recalled(questions: Sequence[Question], notes: StepNotes) -> dict[Question, Found]:
    """Give what the registry knows of the questions; one that is away is asked once and loses no run."""
    known: dict[Question, Found] = {}
    try:
        for question in questions:
            if found := find_study(question.fingerprint, notes.say):
                known[question] = Found(*found, "store")
    except RegistryAwayError as error:
        notes.say(f"searched anew, for what earlier runs found cannot be looked up: {error}")
    return known


def _searched(
    questions: list[Question], stored: Stored, search: Search, settings: Tuning, notes: StepNotes
) -> dict[Question, Found]:
    linear = any(question.model == LINEAR for question in questions)
    grams = merge(map_buckets(_gram_of, stored, step=STEP)) if linear else {}
    data = training_data(stored)
    found = {}
    for number, question in enumerate(questions):
        watch = partial(_tell, number * search.trials, len(questions) * search.trials)
        trials = _trials(question, grams, data)
        found[question] = _search(question, trials, search, settings, watch=watch, keep=partial(_kept, notes))
    return found


def _trials(question: Question, grams: Mapping[str, GroupGram], data: TrainingData) -> Trials | None:
    """Give what a trial does; None where the group has no window."""
    if question.model != LINEAR:
        return RecipeTrials(load_recipe(question.model), data, question.group, seed=question.seed)
    gram = grams.get(question.group)
    return None if gram is None else LinearTrials(GramFile(gram, question.season_length))


def _search(
    question: Question,
    trials: Trials | None,
    search: Search,
    settings: Tuning,
    *,
    watch: OnTrial,
    keep: Callable[..., Found],
) -> Found:
    tried = None if trials is None else _defaults(trials)
    if trials is None or tried is None:
        reason = "no validation window of the group has all its targets observed, so nothing can choose"
        nothing = pl.DataFrame(schema={"trial": pl.Int64})
        return keep(_study(question, search, Tried(objective=None, assignment={}), reason), nothing, "", {})
    space, (usual, unfit) = SPACES[question.model], tried
    result = run_search(_experiment_name(question), space, search, trials=trials, settings=settings, on_trial=watch)
    table = trials_table(result.trials, space, strategies_of(result.experiment))
    best = result.best
    study = _study(question, search, usual, "; ".join(filter(None, [result.reason, unfit])))
    if best is not None and best.objective is not None:
        found = BestTrial(trial=best.number, objective=best.objective, assignment=dict(best.assignment))
        better = usual.objective is None or best.objective < usual.objective
        study = replace(
            study,
            best=found,
            chosen="best" if better else "defaults",
            assignment=found.assignment if better else study.assignment,
        )
    study = replace(study, trials=len(result.trials), importance=importance(table, space))
    if not result.succeeded:
        # It may be the cluster's fault, or that of the storage: the next run asks again.
        return Found(study, table, "search")
    measured = {trial.number: trial.measurements for trial in result.trials}
    return keep(study, table, experiment_yaml(result.experiment), measured)


def _defaults(trials: Trials) -> tuple[Tried, str] | None:
    """Give what the defaults reach, and why they reach nothing; None where nothing can choose.

    The trials of a model whose defaults cannot be fitted may fit it all the same, as with a smaller learning rate.
    """
    try:
        found = trials.defaults()
    except Exception as error:
        if not is_of_one_model(error):
            raise
        logger.exception("the defaults cannot be fitted")
        return Tried(
            objective=None, assignment={}
        ), f"the defaults cannot be fitted: {str(error) or type(error).__name__}"
    if found is None:
        return None
    assignment, reached = found
    if isfinite(reached):
        return Tried(objective=reached, assignment=dict(assignment)), ""
    return Tried(objective=None, assignment=dict(assignment)), "the error of the defaults is no number"


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


def _study(question: Question, search: Search, defaults: Tried, reason: str) -> Study:
    return Study(
        fingerprint=question.fingerprint,
        model=question.model,
        group=question.group,
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


def _experiment_name(question: Question) -> str:
    """Name an experiment as Kubernetes wants it: model, group, and the beginning of the fingerprint."""
    plain = re.sub(r"[^a-z0-9]+", "-", f"{question.model}-{question.group}".lower()).strip("-")
    return f"{plain[:30]}-{question.fingerprint[:8]}"


def _tell(before: int, of: int, trial: Trial) -> None:
    """Tell whoever watches that a trial has ended."""
    if trial.status in ENDED:
        events.emit("trial_done", step=STEP, done=before + trial.number + 1, of=of)


def _gram_of(_: str, windows: ShardWindows) -> dict[str, GroupGram]:
    return gram_shard(windows)
