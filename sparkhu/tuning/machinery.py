"""The algorithms of an experiment: what suggests its trials, and what stops them early."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sparkhu.errors import InputError
from sparkhu.tuning.courses import Course
from sparkhu.tuning.reading import direction_of, metric_of, settings_of, space_of
from sparkhu.tuning.trials import Trial

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

    from sparkhu.tuning.algorithms.suggesting import Suggester
    from sparkhu.tuning.stopping import Stopping


def suggester_of(experiment: "V1beta1Experiment") -> "Suggester":
    """Make the algorithm of an experiment.

    Raises:
        InputError: There is no such algorithm, or it refuses a setting or the search space.
    """
    from sparkhu.tuning.algorithms.choosing import make_suggester

    spec = experiment.spec
    with _named("spec.algorithm"):
        return make_suggester(
            spec.algorithm.algorithm_name,
            settings=settings_of(spec.algorithm.algorithm_settings),
            space=space_of(experiment),
            direction=direction_of(experiment),
            parallel=spec.parallel_trial_count,
            most_trials=spec.max_trial_count,
        )


class EarlyStopping:
    """Watches the trials of an experiment.

    Args:
        experiment: A checked experiment.

    Raises:
        InputError: There is no such algorithm of early stopping, or it refuses a setting.
    """

    def __init__(self, experiment: "V1beta1Experiment") -> None:
        self._direction, self._metric = direction_of(experiment), metric_of(experiment)
        self._stopping: Stopping | None = None
        spec = experiment.spec.early_stopping
        if spec is not None:
            from sparkhu.tuning.stopping import make_stopping

            with _named("spec.earlyStopping"):
                self._stopping = make_stopping(
                    spec.algorithm_name,
                    settings=settings_of(spec.algorithm_settings),
                    direction=self._direction,
                    metric=self._metric,
                )

    def courses(self, beginning: Sequence[Trial], trials: Sequence[Trial], ending: threading.Event) -> list[Course]:
        """Make the courses of trials that begin; Katib takes the rules of the moment in which they are created."""
        if self._stopping is None or not beginning:
            return [Course(trial, None, ending) for trial in beginning]
        from sparkhu.tuning.stopping import Watch

        rules = self._stopping.rules([trial for trial in trials if trial.status != "Running"])
        watches = [Watch(rules, direction=self._direction, metric=self._metric) if rules else None for _ in beginning]
        return [Course(trial, watch, ending) for trial, watch in zip(beginning, watches, strict=True)]


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Name the field that an algorithm refuses."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
