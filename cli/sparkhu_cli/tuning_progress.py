"""Live progress of an experiment: a line a trial, the best so far, and at the end what was found and what is next."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sparkhu.tuning.strategies import finite_number
from sparkhu_cli.terminal import FAILED, OK, SKIPPED, Terminal, number_text, seconds_text

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

    from sparkhu.tuning.result import Result
    from sparkhu.tuning.trials import Status, Trial

MARKS: Final = {"Succeeded": OK, "EarlyStopped": SKIPPED, "Killed": SKIPPED}
LONGEST_VALUE: Final = 9
WORDS: Final = {"EarlyStopped": "stopped early", "Killed": "ended with the experiment"}


class TuningProgress:
    """Turns trials that begin and end into lines.

    Args:
        experiment: A checked experiment.
        out: Folder of its results.
        terminal: Where to write.
        clock: Gives seconds; replaced in tests.
    """

    def __init__(
        self,
        experiment: "V1beta1Experiment",
        out: Path,
        terminal: Terminal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from sparkhu.tuning.reading import direction_of

        self._spec = experiment.spec
        self._direction = direction_of(experiment)
        self._out, self._terminal, self._clock = out, terminal, clock
        self._began = clock()
        self._best: Trial | None = None
        self._status: dict[int, Status] = {}
        self._is_idle = True
        self._announce(experiment)

    def on_resume(self, trials: "Sequence[Trial]") -> None:
        """Take the trials that had ended before."""
        from sparkhu.tuning.status import best_of

        self._status = {trial.number: trial.status for trial in trials}
        self._best = best_of(trials, self._direction)

    def on_trial(self, trial: "Trial") -> None:
        """Take a trial that has begun or ended."""
        from sparkhu.tuning.status import is_better
        from sparkhu.tuning.trials import ENDED

        self._is_idle = False
        self._status[trial.number] = trial.status
        if trial.status in ENDED:
            better = is_better(trial, self._best, self._direction)
            if better:
                self._best = trial
            self._terminal.marked(MARKS.get(trial.status, FAILED), self._line(trial, better=better))
        self._terminal.passing(f"  {self._counts()}")

    def finished(self, result: "Result", *, by_katib: bool = False) -> None:
        """Say what the experiment ended with; Katib lets none go on whose resumePolicy is Never."""
        self._terminal.clear()
        seconds = seconds_text(self._clock() - self._began)
        took = "earlier, none now" if self._is_idle else f"in {seconds}"
        self._terminal.line(f"{len(result.trials):,} trials {took}; {self._message(result)}")
        self._say_best(result)
        if not result.succeeded:
            return
        never = self._spec.resume_policy == "Never"
        note = ", with resumePolicy: LongRunning" if never else ""
        goes_on = result.reason == "ExperimentMaxTrialsReached" and not (never and by_katib)
        more = f"a larger maxTrialCount goes on from here{note}" if goes_on else ""
        self._terminal.line(f"next: train with the best values{'; ' if more else ''}{more}")

    def interrupted(self, result: "Result", note: str = "") -> None:
        """Say what there was when Ctrl-C was pressed; a note says that the experiment goes on without us."""
        self._terminal.clear()
        done = sum(trial.status not in {"Running", "Killed"} for trial in result.trials)
        self._terminal.line(f"interrupted; {done:,} trials have ended{'' if note else ', those under way were ended'}")
        self._say_best(result)
        self._terminal.line(note or "next: the same command goes on from here")

    def failure(self, result: "Result") -> str:
        """Say why an experiment failed, and where to look."""
        failed = [trial for trial in result.trials if trial.status in {"Failed", "MetricsUnavailable"}]
        last = failed[-1] if failed else None
        told = "" if last is None else f" The last one, {last.name}: {last.message.rstrip('.')}."
        log_file = self._out / "trials" / f"{last.name}.log" if last is not None else None
        log = f" See {log_file}." if log_file is not None and log_file.is_file() else ""
        return f"the experiment failed: {self._message(result)}.{told}{log}"

    def _announce(self, experiment: "V1beta1Experiment") -> None:
        objective, names = self._spec.objective, [parameter.name for parameter in self._spec.parameters or []]
        most = f"{self._spec.max_trial_count:,} trials" if self._spec.max_trial_count else "trials until it ends"
        how = f"{self._spec.algorithm.algorithm_name}, {most}, {self._spec.parallel_trial_count} at once"
        what = f"{objective.type} {objective.objective_metric_name} over {', '.join(names)}"
        name = experiment.metadata.name or experiment.metadata.generate_name
        self._terminal.line(f"{name}: {what}; {how}")

    def _line(self, trial: "Trial", *, better: bool) -> str:
        took = trial.started is not None and trial.ended is not None
        seconds = seconds_text((trial.ended - trial.started).total_seconds()) if took else ""  # type: ignore[operator]
        head = f"{trial.name}  {number_text(trial.objective):>10}  {seconds:>10}"
        if trial.status in {"Failed", "MetricsUnavailable"}:
            return f"{head}  {trial.message}"
        note = "  best so far" if better else ""
        word = f"  {WORDS[trial.status]}" if trial.status in WORDS else ""
        return f"{head}  {_assigned(trial.assignment, short=True)}{word}{note}"

    def _counts(self) -> str:
        count = Counter(self._status.values())
        ended = sum(count.values()) - count["Running"]
        most = f" of {self._spec.max_trial_count:,}" if self._spec.max_trial_count else ""
        failed = count["Failed"] + count["MetricsUnavailable"]
        parts = [f"{ended:,}{most} trials", f"{count['Running']:,} under way"]
        parts += [f"{failed:,} failed"] if failed else []
        best = f"; best {number_text(self._best.objective)} ({self._best.name})" if self._best else ""
        return f"{', '.join(parts)}{best}"

    def _say_best(self, result: "Result") -> None:
        if result.best is not None:
            metric = self._spec.objective.objective_metric_name
            found = f"{metric} {number_text(result.best.objective)} ({result.best.name})"
            self._terminal.line(f"best: {found} with {_assigned(result.best.assignment)}")
        logs = ", and what each trial wrote in trials" if (self._out / "trials").is_dir() else ""
        self._terminal.line(f"results in {self._out}: experiment.yaml, trials.parquet{logs}")

    def _message(self, result: "Result") -> str:
        message = str(result.experiment.status.conditions[-1].message)
        return message.removeprefix("Experiment has succeeded because ").removeprefix("Experiment has failed because ")


def _assigned(assignment: Mapping[str, str], *, short: bool = False) -> str:
    return ", ".join(f"{name}={_shortened(value) if short else value}" for name, value in assignment.items())


def _shortened(value: str) -> str:
    """Write a long number with six digits; other values stay as they are."""
    number = finite_number(value) if len(value) > LONGEST_VALUE else None
    return value if number is None else f"{number:.6g}"
