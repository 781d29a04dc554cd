"""Run the search of a group's parameters: in this process, or by Katib in a cluster."""

import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sparkhu.clusters.objects import namespace_of as own_namespace
from sparkhu.models.linear import LinearSettings
from sparkhu.sections import Tuning
from sparkhu.settings import Settings
from sparkhu.threads import on_one_thread
from sparkhu.training.gram_files import GramFile, write_gram
from sparkhu.training.ridge import DEFAULTS, Ridge
from sparkhu.tuning.declaring import Search, TrialProgram, declare_experiment
from sparkhu.tuning.engine import Report, run_experiment
from sparkhu.tuning.result import Result
from sparkhu.tuning.space import Space
from sparkhu.tuning.trials import Trial

PROGRAM: Final = ("python", "-m", "sparkhu.stages.trial")
OnTrial = Callable[[Trial], None]


class ModelTrials:
    """The trials of the linear model on one group of series.

    Args:
        data: The group's Gram matrices, of at least one training and one choosing window.
    """

    def __init__(self, data: GramFile) -> None:
        self.data = data
        self._ridge = Ridge(data.gram, data.season_length)

    @on_one_thread
    def defaults(self) -> tuple[LinearSettings, float]:
        """Give what the model is fitted with where it is not tuned, and the objective that this reaches."""
        settings = self._ridge.chosen(DEFAULTS)
        return settings, self._ridge.validation_error(settings)

    @on_one_thread
    def objective(self, assignment: Mapping[str, str], _report: Report) -> float:
        """Score an assignment; it has no intermediate values."""
        return self._ridge.validation_error(LinearSettings.of(assignment))


def run_search(
    name: str, space: Space, search: Search, *, trials: ModelTrials, settings: Tuning, on_trial: OnTrial
) -> Result:
    """Search the parameters of a group.

    Args:
        name: Name of the experiment.
        space: What is searched.
        search: How.
        trials: What a trial does.
        settings: Which engine, and what it needs.
        on_trial: Is told of every trial when it begins and when it ends.

    Raises:
        InputError: The algorithm refuses the search.
        SparkhuError: The storage or Katib fails.
    """
    if settings.engine == "local":
        experiment = declare_experiment(name, space, search, program_of(settings, f"file:///{name}"))
        return run_experiment(experiment, trials.objective, on_trial=on_trial)
    from sparkhu.tuning.katib import run_on_katib
    from sparkhu.tuning.katib_names import free_name

    namespace = namespace_of(settings)
    data = f"{settings.storage.rstrip('/')}/{name}.safetensors"
    write_gram(data, trials.data)
    experiment = declare_experiment(name, space, search, program_of(settings, data))
    experiment.metadata.name = free_name(name, experiment, namespace=namespace)
    with tempfile.TemporaryDirectory() as scratch:
        return run_on_katib(experiment, namespace=namespace, out=Path(scratch), on_trial=on_trial)


def namespace_of(settings: Tuning) -> str:
    """Give the namespace of the experiments: the one that is set, else that of the pod that this runs in.

    Raises:
        InputError: Neither is there.
    """
    return own_namespace(settings.namespace, "tuning.namespace")


def program_of(settings: Tuning, data: str) -> TrialProgram:
    """Say what a trial runs where it is a pod.

    Args:
        settings: Image and secret of the pods.
        data: Where they read their data.
    """
    image = settings.image or Settings().image or f"sparkhu/training:{version('sparkhu')}"
    return TrialProgram(image, (*PROGRAM, "--model=linear", f"--data={data}"), secret=settings.secret)
