"""Run the search of a group's parameters: in this process, or by Katib in a cluster."""

import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sparkhu.clusters.objects import namespace_of as own_namespace
from sparkhu.errors import InputError
from sparkhu.sections import Tuning
from sparkhu.settings import Settings
from sparkhu.stages.tuning_trials import LinearTrials, Trials
from sparkhu.training.gram_files import write_gram
from sparkhu.tuning.declaring import Search, TrialProgram, declare_experiment
from sparkhu.tuning.engine import run_experiment
from sparkhu.tuning.result import Result
from sparkhu.tuning.space import Space
from sparkhu.tuning.trials import Trial

PROGRAM: Final = ("python", "-m", "sparkhu.stages.trial")
LINEAR: Final = "linear"
"""The model whose trials can be pods as well, as its Gram matrices are all that they read."""
OnTrial = Callable[[Trial], None]


def run_search(
    name: str, space: Space, search: Search, *, trials: Trials, settings: Tuning, on_trial: OnTrial
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
        InputError: The algorithm refuses the search, or Katib is to run trials that run inside the step alone.
        SparkhuError: The storage or Katib fails.
    """
    if settings.engine == "local":
        experiment = declare_experiment(name, space, search, program_of(settings, f"file:///{name}"))
        return run_experiment(experiment, trials.objective, on_trial=on_trial)
    if not isinstance(trials, LinearTrials):
        raise only_here(name)
    from sparkhu.tuning.katib import run_on_katib
    from sparkhu.tuning.katib_names import free_name

    namespace = namespace_of(settings)
    data = f"{settings.storage.rstrip('/')}/{name}.safetensors"
    write_gram(data, trials.data)
    experiment = declare_experiment(name, space, search, program_of(settings, data))
    experiment.metadata.name = free_name(name, experiment, namespace=namespace)
    with tempfile.TemporaryDirectory() as scratch:
        return run_on_katib(experiment, namespace=namespace, out=Path(scratch), on_trial=on_trial)


def only_here(what: str) -> InputError:
    """Say that trials fit a model in this process, where Katib is to run them."""
    return InputError(
        f"engine cannot be katib for {what}: its trials fit it anew, inside the step alone. Let tuning.engine be "
        "local, or tuning.models name linear alone."
    )


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
    return TrialProgram(image, (*PROGRAM, f"--model={LINEAR}", f"--data={data}"), secret=settings.secret)
