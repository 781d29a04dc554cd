"""Follows the work of a trial to its end: reads what it reports, stops it early, ends it in time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from sparkhu.errors import InputError, SparkhuError
from sparkhu.tuning.collecting import Collector, json_collector, text_collector
from sparkhu.tuning.courses import Course, Outcome, Pruned
from sparkhu.tuning.jobs import Jobs, Work, mention_of
from sparkhu.tuning.reading import strategies_of
from sparkhu.tuning.strategies import finite_number

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

POLL_SECONDS: Final = 0.1
TRIALS: Final = "trials"
_LONGEST_TAIL: Final = 4096


class Running(Protocol):
    """The work of a trial, begun."""

    def wait(self, seconds: float) -> int | None:
        """Wait so long for its end at most, and give its exit code; None while it runs."""

    def end(self) -> None:
        """End it, and whatever it began; nothing where it has ended."""


class Launcher(Protocol):
    """Begins the work of trials: as processes, or as containers."""

    kind: str

    def check(self, work: Work, metrics_file: str | None) -> None:
        """Check before the first trial that work of this kind can begin, and that its file can be read.

        Raises:
            InputError: It cannot.
        """

    def launch(self, work: Work, log: Path, metrics_file: str | None) -> tuple[Running, Path]:
        """Begin the work of a trial.

        Args:
            work: What it runs.
            log: File that takes what it writes, named after the trial.
            metrics_file: File that it reports into, as the experiment names it; None: what it writes is read.

        Returns:
            The work, and the file to read.
        """


class JobRunner:
    """Runs trials that are jobs.

    Args:
        experiment: A checked experiment.
        jobs: What its trials run.
        launcher: Begins them.
        out: Folder of the study; what a trial writes goes into `trials/NAME.log`.

    Raises:
        InputError: The experiment's jobs cannot be begun here.
    """

    def __init__(self, experiment: "V1beta1Experiment", jobs: Jobs, launcher: Launcher, out: Path) -> None:
        spec = experiment.spec.metrics_collector_spec
        self._jobs, self._launcher = jobs, launcher
        self._file: str | None = None
        if spec.collector.kind == "File":
            self._file = spec.source.file_system_path.path
        self._metrics = list(strategies_of(experiment))
        self._is_json = self._file is not None and spec.source.file_system_path.format == "JSON"
        source = spec.source
        self._filters = list(source.filter.metrics_format or ()) if source is not None and source.filter else []
        launcher.check(jobs.template, self._file)
        self._folder = out / TRIALS

    def __call__(self, course: Course) -> Outcome:
        """Run a trial to its end."""
        work = self._jobs.work(course.trial)
        self._folder.mkdir(exist_ok=True)
        log = self._folder / f"{course.trial.name}.log"
        try:
            running, source = self._launcher.launch(work, log, self._file)
        except SparkhuError as error:
            return Outcome("failed", str(error))
        try:
            code = self._follow(running, course, source, work.seconds)
        except Pruned:
            return course.outcome_of_stop
        except (ValueError, OSError) as error:
            return Outcome("failed", f"{source.name}: {error}")
        finally:
            running.end()
        if code == 0:
            return Outcome("done")
        return Outcome("failed", _why(code, log) if code is not None else f"it took longer than {work.seconds:g} s")

    def _follow(self, running: Running, course: Course, source: Path, seconds: float | None) -> int | None:
        """Give the exit code; None where it took too long."""
        until = None if seconds is None else time.monotonic() + seconds
        collect = json_collector(self._metrics) if self._is_json else text_collector(self._metrics, self._filters)
        lines = Lines(source)
        while True:
            code = running.wait(POLL_SECONDS)
            for line in lines.new(whole=code is not None):
                _report(course, collect, line)
            if code is not None:
                return code
            if course.ending.is_set():
                raise Pruned
            if until is not None and time.monotonic() > until:
                return None


class Lines:
    """The lines of a file that is being written.

    Args:
        path: The file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self._rest = b""

    def new(self, *, whole: bool) -> Iterator[str]:
        """Give the lines that have been written since; with `whole` also a last one without an end."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._place)
                data = file.read()
        except FileNotFoundError:
            return
        self._place += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if whole and self._rest:
            lines.append(self._rest)
        for line in lines:
            yield line.decode("utf-8", errors="replace").removesuffix("\r")


def _report(course: Course, collect: Collector, line: str) -> None:
    try:
        found = collect(line)
    except ValueError as error:
        raise ValueError(f"'{line[:80]}' cannot be read: {error}") from None
    for measurement in found:
        course.report(measurement.at, measurement.metric, measurement.value, finite_number(measurement.value))


def _why(code: int, log: Path) -> str:
    """Say how a trial failed: its exit code, and the last line that it wrote."""
    said = f"Exit code {code}" if code > 0 else f"Ended by signal {-code}"
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - _LONGEST_TAIL))
        lines = file.read().decode("utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{said}: {last}" if last else said


def check_file_named(work: Work, path: str) -> None:
    """Check that a trial is told the file that it reports into, which lies elsewhere for each trial.

    Raises:
        InputError: Neither its words nor its variables name the file.
    """
    mention = mention_of(path)
    if not any(mention.search(text) for text in (*work.words, *work.environment.values())):
        told = f"got '{path}', which neither the command nor the environment names; trials here share one file system"
        way_out = "Name the file in the command or in a variable, or give every trial its own: --runner docker"
        raise InputError(f"spec.metricsCollectorSpec.source.fileSystemPath.path: {told}. {way_out}.")
