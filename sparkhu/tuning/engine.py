"""Runs an experiment here: its trials are calls of a function, or jobs run as processes or containers."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sparkhu.tuning.courses import Course, Outcome, Pruned, Runner
from sparkhu.tuning.crew import Crew
from sparkhu.tuning.machinery import EarlyStopping, suggester_of
from sparkhu.tuning.reading import (
    direction_of,
    metric_of,
    prepared,
)
from sparkhu.tuning.result import Interrupted, Result
from sparkhu.tuning.status import ENDINGS, RUNNING_REASON, Ending, status_of
from sparkhu.tuning.store import Journal, Past
from sparkhu.tuning.strategies import finite_number
from sparkhu.tuning.study import KILLED, Study, check_restart
from sparkhu.tuning.trials import ENDED, Trial
from sparkhu.tuning.writing import write_result

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

    from sparkhu.tuning.following import Launcher

__all__ = ["Objective", "OnResume", "OnTrial", "Pruned", "Report", "run_experiment", "run_jobs", "run_trials"]

Report = Callable[[float], None]
"""Takes an intermediate value of the objective; raises `Pruned` when the trial is to stop."""
Objective = Callable[[Mapping[str, str], Report], float]
OnTrial = Callable[[Trial], None]
OnResume = Callable[[Sequence[Trial]], None]
BUDGET: Final = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount", "resumePolicy")
"""Parts of an experiment that may change from one run to the next in the same folder."""

logger = logging.getLogger(__name__)


def run_experiment(
    experiment: "V1beta1Experiment", objective: Objective, *, out: Path | None = None, on_trial: OnTrial | None = None
) -> Result:
    """Run an experiment whose trials are calls of a function.

    Args:
        experiment: The experiment; its defaults are filled in and it is checked. It needs no trial template.
        objective: Gives the objective of an assignment; what it raises makes a failed trial. With more than one
            trial at once it is called from threads.
        out: Folder that keeps the study: it goes on from there. None: in memory.
        on_trial: Is told of every trial when it begins and when it ends.

    Raises:
        InputError: The experiment cannot be run, or the folder is of another one.
        Interrupted: Ctrl-C; what was found by then is written, and in the exception.
    """
    ready = _named(prepared(experiment, template=False))
    metric = metric_of(ready)

    def run(course: Course) -> Outcome:
        def report(value: float) -> None:
            text = repr(float(value))
            course.report(datetime.now(UTC), metric, text, finite_number(text))

        try:
            report(objective(course.trial.assignment, report))
        except Pruned:
            return course.outcome_of_stop
        except Exception as error:
            logger.exception("trial %s failed", course.trial.name)
            return Outcome("failed", f"{type(error).__name__}: {error}")
        return Outcome("done")

    return run_trials(
        ready, run, kind="function", out=out, on_trial=on_trial, inline=ready.spec.parallel_trial_count == 1
    )


def run_jobs(
    experiment: "V1beta1Experiment",
    *,
    launcher: "Launcher",
    out: Path,
    command: str | None = None,
    on_trial: OnTrial | None = None,
    on_resume: OnResume | None = None,
) -> Result:
    """Run an experiment whose trials are Jobs of `batch/v1`.

    Args:
        experiment: The experiment; its defaults are filled in and it is checked.
        launcher: Begins trials, as processes or as containers.
        out: Folder that keeps the study: it goes on from there. What trials write goes into `trials/NAME.log` in it.
        command: Takes the place of the container's command and arguments, placeholders and all.
        on_trial: Is told of every trial when it begins and when it ends.
        on_resume: Is told, before that, of the trials that had ended where the study goes on.

    Raises:
        InputError: The experiment cannot be run here, or the folder is of another one.
        Interrupted: Ctrl-C; the trials under way are ended, what was found by then is written, and in the exception.
    """
    from sparkhu.tuning.following import JobRunner
    from sparkhu.tuning.jobs import Jobs

    ready = _named(prepared(experiment))
    runner = JobRunner(ready, Jobs(ready, command), launcher, out)
    kind = f"{launcher.kind}: {command}" if command is not None else launcher.kind
    return run_trials(ready, runner, kind=kind, out=out, on_trial=on_trial, on_resume=on_resume)


def run_trials(
    experiment: "V1beta1Experiment",
    runner: Runner,
    *,
    kind: str,
    out: Path | None,
    on_trial: OnTrial | None,
    on_resume: OnResume | None = None,
    inline: bool = False,
) -> Result:
    """Run an experiment whose trials a runner knows how to run.

    Args:
        experiment: A checked experiment.
        runner: Runs a trial to its end.
        kind: What the trials are, such as their command; part of what the study in a folder is.
        out: Folder that keeps the study; None: in memory.
        on_trial: Is told of every trial when it begins and when it ends.
        on_resume: Is told, before that, of the trials that had ended where the study goes on.
        inline: Run each trial in the thread of the caller, one after the other.

    Raises:
        InputError: The algorithm refuses the experiment, or the folder is of another one.
        Interrupted: Ctrl-C; what was found by then is written, and in the exception.
    """
    suggester, stopping = suggester_of(experiment), EarlyStopping(experiment)
    with ExitStack() as held:
        journal = held.enter_context(closing(Journal(out, _identity(experiment, kind)))) if out is not None else None
        past = journal.past if journal is not None else Past(datetime.now(UTC))
        if past.reason is not None and not check_restart(experiment, past.reason, len(past.trials)):
            return _finished(experiment, past.trials, past, ENDINGS[past.reason], out)
        if past.reason is not None and journal is not None:
            journal.restarted()
            past.reason = past.ended = None
        study = Study(experiment, suggester, past.trials)
        if on_resume is not None:
            on_resume([trial for trial in past.trials if trial.status in ENDED])
        crew = Crew(runner, inline=inline)
        try:
            ending = _conduct(study, crew, stopping, journal, on_trial or _quiet)
        except KeyboardInterrupt as interruption:
            crew.end()
            trials = [_interrupted(trial) for trial in study.trials]
            result = _finished(experiment, trials, past, None, out)
            raise Interrupted(result) from interruption
        finally:
            crew.end()
        past.ended = datetime.now(UTC)
        if journal is not None:
            journal.finished(ending.reason, past.ended)
        return _finished(experiment, study.trials, past, ending, out)


def _conduct(study: Study, crew: Crew, stopping: EarlyStopping, journal: Journal | None, on_trial: OnTrial) -> Ending:
    """Run trials until the experiment ends."""
    while (ending := study.ending()) is None:
        beginning = study.next_trials()
        if journal is not None and beginning:
            journal.begun(beginning)
        stamped = [study.begin(trial) for trial in beginning]
        for course in stopping.courses(stamped, study.trials, crew.ending):
            on_trial(course.trial)
            crew.start(course)
        if study.running:
            _take(study, crew, journal, on_trial)
    crew.ending.set()
    _keep(study.abandon(), journal, on_trial)
    while study.running:
        _take(study, crew, journal, on_trial)
    return ending


def _take(study: Study, crew: Crew, journal: Journal | None, on_trial: OnTrial) -> None:
    """Wait for trials to end, and keep them."""
    _keep([study.end(course, outcome) for course, outcome in crew.wait()], journal, on_trial)


def _keep(ended: list[Trial], journal: Journal | None, on_trial: OnTrial) -> None:
    if journal is not None and ended:
        journal.ended(ended)
    for trial in ended:
        on_trial(trial)


def _finished(
    experiment: "V1beta1Experiment", trials: list[Trial], span: Past, ending: Ending | None, out: Path | None
) -> Result:
    """Make the result, and write it where there is a folder."""
    status = status_of(
        trials, direction=direction_of(experiment), started=span.started, ended=span.ended, ending=ending
    )
    done = experiment.model_copy(update={"status": status})
    name = status.current_optimal_trial and status.current_optimal_trial.best_trial_name
    best = next((trial for trial in trials if trial.name == name), None)
    succeeded = ending is not None and ending.condition == "Succeeded"
    result = Result(done, tuple(trials), best, succeeded, RUNNING_REASON if ending is None else ending.reason)
    if out is not None:
        write_result(result, out)
    return result


def _named(experiment: "V1beta1Experiment") -> "V1beta1Experiment":
    """Name an experiment that has a `generateName` alone by that, so that the same call goes on with its trials."""
    if not experiment.metadata.name:
        experiment.metadata.name = experiment.metadata.generate_name.rstrip("-")
    return experiment


def _interrupted(trial: Trial) -> Trial:
    if trial.status != "Running":
        return trial
    return replace(
        trial, status="Killed", ended=datetime.now(UTC), message=f"{KILLED}; it runs again when that goes on"
    )


def _identity(experiment: "V1beta1Experiment", kind: str) -> dict[str, Any]:
    """Say what a study is: whatever of it may not change from one run in its folder to the next."""
    spec = experiment.spec.to_dict()
    fields = {f"spec.{name}": spec[name] for name in sorted(spec) if name not in BUDGET}
    return {"experiment": experiment.metadata.name, "kind of trials": kind, **fields}


def _quiet(_trial: Trial) -> None:
    """Tell nobody."""
