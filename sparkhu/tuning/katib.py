"""Has Katib run an experiment in a cluster, follows it, and gives what the local engine gives."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sparkhu.clusters.objects import Document
from sparkhu.clusters.refusals import MissingError, TakenError
from sparkhu.errors import SparkhuError
from sparkhu.tuning.katib_api import KatibApi
from sparkhu.tuning.katib_editing import edit_of, ending_of, model_of
from sparkhu.tuning.katib_trials import age, trial_of
from sparkhu.tuning.reading import direction_of, metric_of, prepared, strategies_of
from sparkhu.tuning.result import Interrupted, Result
from sparkhu.tuning.status import RUNNING_REASON, best_of
from sparkhu.tuning.trials import ENDED, Trial
from sparkhu.tuning.writing import write_result

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment, V1beta1ExperimentCondition
    from kubernetes.client import ApiClient

POLL_SECONDS: Final = 2.0
PATIENCE: Final = 300.0
SUFFIX: Final = 5
LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Those that Kubernetes makes names of."""
GONE: Final = "Katib has deleted this trial"


def run_on_katib(
    experiment: "V1beta1Experiment",
    *,
    namespace: str,
    out: Path,
    on_trial: Callable[[Trial], None] | None = None,
    client: "ApiClient | None" = None,
    poll_seconds: float | None = None,
    patience: float = PATIENCE,
) -> Result:
    """Create an experiment in a cluster, and follow it to its end.

    An experiment of the same name and specification that is there already is followed instead: the same call goes on
    where an earlier one was stopped. Where only counts of trials differ that Katib lets be edited, they are edited.

    Args:
        experiment: The experiment; its defaults are filled in and it is checked. `metadata.generateName` names it anew.
        namespace: Where it runs.
        out: Folder of the results: `experiment.yaml`, `trials.parquet`.
        on_trial: Is told of every trial when it begins and when it ends.
        client: The connection; None: by the kubeconfig, or the service account of the pod.
        poll_seconds: How often the cluster is asked; None: every 2 s.
        patience: Seconds for which a server that cannot be reached is asked again.

    Raises:
        InputError: The experiment cannot be run, or there is another one of this name.
        Interrupted: Ctrl-C; the experiment goes on in the cluster.
        SparkhuError: The cluster refuses, or cannot be reached.
    """
    ready = prepared(named(experiment))
    document = _document(ready, namespace)
    name = document["metadata"]["name"]
    api = KatibApi(namespace, client, patience=patience)
    following = Following(ready, api, on_trial)
    try:
        api.create(document)
    except TakenError:
        edit = edit_of(api.experiment(name), document)
        if edit.spec:
            api.edit(name, edit.spec)
        following.ended_before = edit.ended
    try:
        while not following.look():
            time.sleep(POLL_SECONDS if poll_seconds is None else poll_seconds)
    except KeyboardInterrupt as interruption:
        made = experiment.metadata.name != name
        again = f"put 'name: {name}' into the file in the place of generateName, and the" if made else "the"
        note = (
            f"the experiment '{name}' goes on in the cluster; {again} same command follows it again, and 'kubectl "
            f"delete experiment.kubeflow.org {name} --namespace {namespace}' ends it"
        )
        write_result(following.result, out)
        raise Interrupted(following.result, note) from interruption
    write_result(following.result, out)
    return following.result


def named(experiment: "V1beta1Experiment") -> "V1beta1Experiment":
    """Give a copy with a name of its own where there is only a `generateName`, as Kubernetes would make it."""
    metadata = experiment.metadata
    if metadata is None or metadata.name or not metadata.generate_name:
        return experiment
    copy = experiment.model_copy(deep=True)
    copy.metadata.name = metadata.generate_name + "".join(secrets.choice(LETTERS) for _ in range(SUFFIX))
    copy.metadata.generate_name = None
    return copy


class Following:
    """What is known of an experiment that runs in a cluster.

    Attributes:
        ended_before: When it had ended before it was edited: until Katib has seen that, it says so still.

    Args:
        experiment: The experiment as it was sent.
        api: Where it runs.
        on_trial: Is told of every trial when it begins and when it ends.
    """

    def __init__(
        self, experiment: "V1beta1Experiment", api: KatibApi, on_trial: Callable[[Trial], None] | None
    ) -> None:
        self._experiment, self._api, self._on_trial = experiment, api, on_trial
        self._metric = metric_of(experiment)
        self._strategy = strategies_of(experiment)[self._metric]
        self._trials: dict[str, Trial] = {}
        self.ended_before: datetime | None = None

    def look(self) -> bool:
        """Read the experiment and its trials, and tell whether it has ended.

        Raises:
            SparkhuError: Somebody has deleted it, or it cannot be read.
        """
        name = self._experiment.metadata.name
        try:
            found = self._api.experiment(name)
        except MissingError:
            raise SparkhuError(
                f"the experiment '{name}' was deleted from the namespace '{self._api.namespace}' while it ran. The "
                "same command creates it anew."
            ) from None
        self._take(self._api.trials(name))
        self._experiment = model_of(found)
        return self._ending() is not None

    @property
    def result(self) -> Result:
        """What there is by now."""
        trials = tuple(self._trials.values())
        optimal = self._experiment.status and self._experiment.status.current_optimal_trial
        best = self._trials.get(optimal.best_trial_name) if optimal is not None else None
        ending = self._ending()
        return Result(
            self._experiment,
            trials,
            best or best_of(trials, direction_of(self._experiment)),
            ending is not None and ending.type == "Succeeded",
            RUNNING_REASON if ending is None else ending.reason or ending.type,
        )

    def _take(self, documents: list[Document]) -> None:
        for document in sorted(documents, key=age):
            known = self._trials.get(document["metadata"]["name"])
            number = len(self._trials) if known is None else known.number
            self._keep(trial_of(document, number, metric=self._metric, strategy=self._strategy))
        present = {document["metadata"]["name"] for document in documents}
        for trial in [*self._trials.values()]:
            if trial.status == "Running" and trial.name not in present:
                self._keep(replace(trial, status="Killed", message=GONE))

    def _keep(self, trial: Trial) -> None:
        known = self._trials.get(trial.name)
        self._trials[trial.name] = trial
        if self._on_trial is not None:
            if known is None:
                self._on_trial(replace(trial, status="Running", ended=None, objective=None, message=""))
            if trial.status in ENDED and (known is None or known.status not in ENDED):
                self._on_trial(trial)

    def _ending(self) -> "V1beta1ExperimentCondition | None":
        """Give the condition that ended the experiment; None while it runs, or is about to go on."""
        status = self._experiment.status
        if self.ended_before is not None and status is not None and status.completion_time == self.ended_before:
            return None
        return ending_of(self._experiment)


def _document(experiment: "V1beta1Experiment", namespace: str) -> Document:
    """Write the object that is sent: no status, and the namespace where it is created."""
    document: Document = experiment.to_dict()
    document.pop("status", None)
    document["metadata"] = {**document["metadata"], "namespace": namespace}
    return document
