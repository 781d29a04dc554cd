"""A model's search space as a Katib `Experiment`: the one declaration that both engines run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sparkhu.tuning.space import Direction, Parameter, Space
from sparkhu.tuning.strategies import Strategy

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

API_VERSION: Final = "kubeflow.org/v1beta1"
CONTAINER: Final = "trial"
LAUNCHER: Final = "launcher"
MPI_SUCCEEDED: Final = 'status.conditions.#(type=="Succeeded")#|#(status=="True")#'
MPI_FAILED: Final = 'status.conditions.#(type=="Failed")#|#(status=="True")#'
"""When a job of Kubeflow's training operators has ended, in GJSON; those of a plain Job are Katib's defaults."""


@dataclass(frozen=True)
class Stopping:
    """Early stopping: Katib's name of the rule, and its settings."""

    name: str = "medianstop"
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Search:
    """How a space is searched.

    Attributes:
        metric: Name of the metric that is the objective; trials print it as `NAME=VALUE`.
        direction: Whether a small or a large value is good.
        algorithm: Katib's name of the algorithm.
        settings: Its settings, by name.
        trials: Trials to complete.
        parallel: Trials at a time.
        failed: Failed trials with which the search fails; None: as many as are asked for.
        goal: Value of the metric that ends the search; None: none does.
        stopping: Early stopping; None: every trial runs to its end.
        strategy: Which of the values that a trial reports is its objective; None: its smallest or largest, as is good.
    """

    metric: str
    direction: Direction = "minimize"
    algorithm: str = "tpe"
    settings: Mapping[str, str] = field(default_factory=dict)
    trials: int = 24
    parallel: int = 1
    failed: int | None = None
    goal: float | None = None
    stopping: Stopping | None = None
    strategy: Strategy | None = None


@dataclass(frozen=True)
class TrialProgram:
    """What a trial runs, where it is a pod.

    Attributes:
        image: Its image.
        command: Program and arguments that are the same for every trial; `--NAME=VALUE` of each parameter follows.
        workers: Processes that train together; more than one make the trial an `MPIJob`.
        secret: Name of a Secret whose keys the program finds as environment variables, such as a storage's
            credentials; empty: none.
        env: Further environment variables.
        limits: Kubernetes' resource limits of each container, such as `{"cpu": "2", "memory": "4Gi"}`.
    """

    image: str
    command: Sequence[str]
    workers: int = 1
    secret: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)


def declare_experiment(name: str, space: Space, search: Search, program: TrialProgram) -> "V1beta1Experiment":
    """Declare the search of a space as an experiment; both engines add Katib's defaults and check it by its rules.

    Args:
        name: Its name, by the rules of Kubernetes.
        space: What is searched.
        search: How.
        program: What a trial runs. An engine that runs trials inside its own process has no use for it.

    Returns:
        The experiment: `kubeflow.org/v1beta1`.
    """
    from kubeflow_katib_api.models import V1beta1Experiment

    objective: dict[str, Any] = {"type": search.direction, "objectiveMetricName": search.metric, "goal": search.goal}
    if search.strategy is not None:
        objective["metricStrategies"] = [{"name": search.metric, "value": search.strategy}]
    spec = {
        "objective": {name: value for name, value in objective.items() if value is not None},
        "algorithm": {"algorithmName": search.algorithm, "algorithmSettings": _settings(search.settings)},
        "parameters": [declared(parameter) for parameter in space],
        "maxTrialCount": search.trials,
        "parallelTrialCount": min(search.parallel, search.trials),
        "maxFailedTrialCount": search.trials if search.failed is None else search.failed,
        "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
        "trialTemplate": trial_template(space, program),
    }
    if search.stopping is not None:
        stopping = {"algorithmName": search.stopping.name, "algorithmSettings": _settings(search.stopping.settings)}
        spec["earlyStopping"] = stopping
    document = {"apiVersion": API_VERSION, "kind": "Experiment", "metadata": {"name": name}, "spec": spec}
    made = V1beta1Experiment.from_dict(document)
    assert made is not None
    return made


def declared(parameter: Parameter) -> dict[str, Any]:
    """Give a parameter as an experiment declares it: all its numbers as texts."""
    space: dict[str, Any] = {"list": list(parameter.choices)} if parameter.choices else {}
    for name, value in (("min", parameter.low), ("max", parameter.high), ("step", parameter.step)):
        if value is not None:
            space[name] = f"{value:.0f}" if parameter.kind == "int" else repr(value)
    if not parameter.choices:
        space["distribution"] = parameter.distribution
    return {"name": parameter.name, "parameterType": parameter.kind, "feasibleSpace": space}


def trial_template(space: Space, program: TrialProgram) -> dict[str, Any]:
    """Give the template of a trial: a `Job`, or an `MPIJob` (`kubeflow.org/v2beta1`) where several processes train."""
    references = [
        {"name": parameter.name, "description": f"{parameter.name} of this trial", "reference": parameter.name}
        for parameter in space
    ]
    given = [f"--{parameter.name}=${{trialParameters.{parameter.name}}}" for parameter in space]
    command = [*program.command, *given]
    if program.workers == 1:
        return {
            "primaryContainerName": CONTAINER,
            "trialParameters": references,
            "trialSpec": _job(program, command),
        }
    return {
        "primaryContainerName": LAUNCHER,
        "primaryPodLabels": {"training.kubeflow.org/job-role": LAUNCHER},
        "successCondition": MPI_SUCCEEDED,
        "failureCondition": MPI_FAILED,
        "trialParameters": references,
        "trialSpec": _mpi_job(program, command),
    }


def _job(program: TrialProgram, command: list[str]) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [_container(CONTAINER, program, command)]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"backoffLimit": 0, "template": {"metadata": _WITHOUT_SIDECAR, "spec": pod}},
    }


def _mpi_job(program: TrialProgram, command: list[str]) -> dict[str, Any]:
    launched = ["mpirun", "-np", str(program.workers), *command]
    replicas = {
        "Launcher": (1, _container(LAUNCHER, program, launched)),
        "Worker": (program.workers, _container("worker", program, None)),
    }
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "spec": {
            "slotsPerWorker": 1,
            "runPolicy": {"cleanPodPolicy": "Running"},
            "mpiReplicaSpecs": {
                role: {
                    "replicas": count,
                    "template": {"metadata": _WITHOUT_SIDECAR, "spec": {"containers": [container]}},
                }
                for role, (count, container) in replicas.items()
            },
        },
    }


_WITHOUT_SIDECAR: Final = {"annotations": {"sidecar.istio.io/inject": "false"}}
"""A service mesh's proxy would outlive the trial, which would then never end."""


def _container(name: str, program: TrialProgram, command: list[str] | None) -> dict[str, Any]:
    container: dict[str, Any] = {"name": name, "image": program.image}
    if command is not None:
        container["command"] = command
    if program.env:
        container["env"] = [{"name": key, "value": value} for key, value in program.env.items()]
    if program.secret:
        container["envFrom"] = [{"secretRef": {"name": program.secret}}]
    if program.limits:
        container["resources"] = {"limits": dict(program.limits)}
    return container


def _settings(settings: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in settings.items()]
