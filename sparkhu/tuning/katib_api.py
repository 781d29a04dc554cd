"""Katib's experiments and trials in a cluster."""

from typing import TYPE_CHECKING, Final

from sparkhu.clusters.objects import ClusterObjects, Document, connect
from sparkhu.clusters.refusals import Resource

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

OF_EXPERIMENT: Final = "katib.kubeflow.org/experiment"
"""The label by which Katib marks the trials of an experiment."""
EXPERIMENTS: Final = Resource(
    *("kubeflow.org", "v1beta1", "experiments", "experiment", "Katib", "katib.kubeflow.org/component=controller"),
    role="create, get and list of experiments and trials of kubeflow.org",
)
TRIALS: Final = EXPERIMENTS._replace(plural="trials")


class KatibApi:
    """Experiments and trials of one namespace.

    Args:
        namespace: Where they are.
        client: The connection; None: as `connect` gives it.
        patience: Seconds for which a server that cannot be reached is asked again.
    """

    def __init__(self, namespace: str, client: "ApiClient | None" = None, *, patience: float) -> None:
        client = client or connect()
        self.namespace = namespace
        self._experiments = ClusterObjects(EXPERIMENTS, namespace, client, patience=patience)
        self._trials = ClusterObjects(TRIALS, namespace, client, patience=patience)
        self.create = self._experiments.create
        self.experiment = self._experiments.read
        self.edit = self._experiments.edit

    def trials(self, experiment: str) -> list[Document]:
        """Read the trials of an experiment.

        Raises:
            SparkhuError: They cannot be read.
        """
        return self._trials.labelled(OF_EXPERIMENT, experiment)
