"""Run a job on workers in a cluster: sent to a storage, begun as an MPIJob or a TrainJob, followed, fetched.

Nothing is removed: what a job has reached stays in the storage, and its object in the cluster. Run again, the same job
is followed where it runs, goes on from its last checkpoint where it failed, and is fetched where it is done.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sparkhu.clusters.objects import ClusterObjects, Document
from sparkhu.clusters.refusals import MissingError, Resource, TakenError
from sparkhu.errors import InputError, SparkhuError
from sparkhu.lineage import code_fingerprint
from sparkhu.training.distribution.job import JOB, PROGRESS, read_fitted, write_job
from sparkhu.training.distribution.kubernetes_jobs import ClusterJob, mpi_job, train_job
from sparkhu.training.distribution.launching import Distribution
from sparkhu.training.distribution.recipe import SharedRecipe
from sparkhu.training.distribution.remote import Storage, errors_of, fetch_fitted, forget_errors, send_job
from sparkhu.training.recipes import Fitted, Settings, TrainingData

MPI_JOBS: Final = Resource(
    *("kubeflow.org", "v2beta1", "mpijobs", "MPIJob", "the MPI operator", "app=mpi-operator"),
    role="create and get of mpijobs of kubeflow.org",
)
TRAIN_JOBS: Final = Resource(
    *("trainer.kubeflow.org", "v1alpha1", "trainjobs", "TrainJob", "Kubeflow Trainer"),
    controller="app.kubernetes.io/name=trainer",
    role="create and get of trainjobs of trainer.kubeflow.org",
)
POLL_SECONDS: Final = 3.0
PATIENCE: Final = 300.0
BEGIN_SECONDS: Final = 1800.0
"""How long pods may take to begin: images are pulled, and nodes may be made first."""
OPEN: Final = (
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"),
)
"""Variables of this process that the workers get: where the storage is, and no key of it."""
ENDED: Final = ("Succeeded", "Complete", "Failed")


@dataclass(frozen=True)
class ClusterLaunch:
    """How the workers of a job are begun in a cluster.

    Attributes:
        distribution: `torch`: a TrainJob; `horovod`: an MPIJob.
        workers: How many, a pod each.
        namespace: Where they run.
        storage: URI that they and this process reach, below which jobs lie.
        image: Of the workers.
        secret: Secret whose keys, named as variables, open the storage; empty: none.
        service_account: That the workers act as; empty: the namespace's default.
        begin_seconds: How long they may take to begin.
    """

    distribution: Distribution
    workers: int
    namespace: str
    storage: str
    image: str
    secret: str = ""
    service_account: str = ""
    begin_seconds: float = BEGIN_SECONDS

    @property
    def resource(self) -> Resource:
        """The kind of object that begins them."""
        return MPI_JOBS if self.distribution == "horovod" else TRAIN_JOBS

    def document(self, name: str, uri: str) -> Document:
        """Give that object."""
        told = {each: os.environ[each] for each in OPEN if each in os.environ}
        job = ClusterJob(name, uri, self.workers, self.image, self.secret, self.service_account, told)
        return mpi_job(job) if self.distribution == "horovod" else train_job(job)


@dataclass(frozen=True)
class ClusterRecipe(SharedRecipe):
    """A recipe that workers in a cluster fit together.

    Attributes:
        how: How the workers are begun.
        on_epoch: Is given `group` and what the epoch brought.
    """

    how: ClusterLaunch
    on_epoch: Callable[[Mapping[str, Any]], None] | None = None

    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:
        """Fit every group; the same data, settings, seed and number of workers give the same models to the bit.

        Raises:
            InputError: The cluster refuses the job, or a worker says so.
            SparkhuError: The job failed or never began, or the cluster or the storage cannot be reached.
        """
        with TemporaryDirectory(prefix="sparkhu-job-") as scratch:
            folder = Path(scratch)
            write_job(folder / "job", self.order(data, settings, seed=seed), data)
            fitted = launch_in_cluster(folder / "job", self.name, self.how, self.on_epoch, folder / "fitted")
            return read_fitted(fitted)


def launch_in_cluster(
    folder: Path, recipe: str, how: ClusterLaunch, on_epoch: Callable[[Mapping[str, Any]], None] | None, out: Path
) -> Path:
    """Run a job in a cluster to its end, and fetch what was fitted.

    Args:
        folder: As `write_job` wrote it.
        recipe: What is fitted, for names.
        how: How its workers are begun.
        on_epoch: Is given `group` and what the epoch brought, for each epoch.
        out: Folder for the fitted models.

    Returns:
        That folder.
    """
    base = f"sparkhu-{recipe.replace('_', '-')}-{_key(folder, how)}"
    storage = Storage(f"{how.storage.rstrip('/')}/{base}")
    if not fetch_fitted(storage, out):
        send_job(folder, storage)
        objects = ClusterObjects(how.resource, how.namespace, patience=PATIENCE)
        name = _begun(objects, base, how, storage)
        _Followed(objects, name, storage, how.begin_seconds, on_epoch or (lambda _: None)).to_its_end()
        if not fetch_fitted(storage, out):
            raise SparkhuError(
                f"the {how.resource.noun} '{name}' has ended, and '{storage.uri}' holds no models. See what its "
                f"workers wrote: kubectl logs --namespace {how.namespace} --selector {_pods(how.resource, name)}"
            )
    return out


def _key(folder: Path, how: ClusterLaunch) -> str:
    """Name what is fitted: the same for the same data, settings, number of workers and code."""
    told = f"{how.distribution} {how.workers} {code_fingerprint()}".encode()
    return hashlib.sha256((folder / JOB).read_bytes() + told).hexdigest()[:10]


def _begun(objects: ClusterObjects, base: str, how: ClusterLaunch, storage: Storage) -> str:
    """Begin the job, or find the one that runs; give its name. One that has ended without models is made anew."""
    name, attempt = base, 1
    while True:
        try:
            found = objects.read(name)
        except MissingError:
            forget_errors(storage)
            try:
                objects.create(how.document(name, storage.uri))
            except TakenError:
                continue
            return name
        if _ending(found) is None:
            return name
        attempt += 1
        name = f"{base}-{attempt}"


@dataclass
class _Followed:
    """A job that is followed."""

    objects: ClusterObjects
    name: str
    storage: Storage
    begin_seconds: float
    on_epoch: Callable[[Mapping[str, Any]], None]
    told: set[tuple[str, int]] = field(default_factory=set)
    """Group and number of the epochs that have been told of; a rank 0 that is begun anew writes its file anew."""

    def to_its_end(self) -> None:
        """Wait for the end of the job.

        Raises:
            InputError: A worker says so.
            SparkhuError: It failed, never began, or was deleted.
        """
        until = time.monotonic() + self.begin_seconds
        has_begun = False
        while (ending := _ending(found := self._read())) is None:
            has_begun = has_begun or _has_begun(found)
            if not has_begun and time.monotonic() > until:
                raise SparkhuError(self._never_began(found))
            self._tell()
            time.sleep(POLL_SECONDS)
        self._tell()
        if ending["type"] == "Failed":
            raise self._failure(ending)

    def _read(self) -> Document:
        try:
            return self.objects.read(self.name)
        except MissingError:
            raise SparkhuError(
                f"{self._who} was deleted while it ran. What it reached is kept in '{self.storage.uri}': the same "
                "command begins another one, which goes on from there."
            ) from None

    def _tell(self) -> None:
        *whole, _ = self.storage.read(PROGRESS).split(b"\n") if self.storage.holds(PROGRESS) else [b""]
        for epoch in map(json.loads, whole):
            if (key := (epoch["group"], epoch["epoch"])) not in self.told:
                self.told.add(key)
                self.on_epoch(epoch)

    def _failure(self, ending: Document) -> SparkhuError:
        errors = errors_of(self.storage)
        kind = InputError if any(error["kind"] == "InputError" for error in errors) else SparkhuError
        why = errors[0]["message"] if errors else f"{ending.get('reason', 'Failed')}: {ending.get('message', '')}"
        return kind(
            f"{self._who} failed: {why.rstrip('. ')}. What it reached is kept in '{self.storage.uri}': the same "
            f"command goes on from its last checkpoint. Its workers wrote: kubectl logs --namespace "
            f"{self.objects.namespace} --selector {_pods(self.objects.resource, self.name)}"
        )

    def _never_began(self, found: Document) -> str:
        conditions = found.get("status", {}).get("conditions") or []
        last = "nothing has taken it up"
        if conditions:
            last = f"its last condition is {conditions[-1]['type']}: {conditions[-1].get('message', '')}".rstrip(". ")
        return (
            f"{self._who} has not begun within {self.begin_seconds:.0f} s; {last}. See what "
            f"its pods wait for: kubectl describe {self.objects.resource.plural} {self.name} --namespace "
            f"{self.objects.namespace}. The same command follows it again."
        )

    @property
    def _who(self) -> str:
        return f"the {self.objects.resource.noun} '{self.name}' in the namespace '{self.objects.namespace}'"


def _ending(document: Document) -> Document | None:
    """Give the condition that ended a job; None while it has not ended."""
    conditions = document.get("status", {}).get("conditions") or []
    return next((each for each in conditions if each["type"] in ENDED and each["status"] == "True"), None)


def _has_begun(document: Document) -> bool:
    """Tell whether workers have begun: an MPIJob says that it runs, a TrainJob how many of its nodes are ready."""
    status = document.get("status", {})
    running = any(each["type"] == "Running" and each["status"] == "True" for each in status.get("conditions") or [])
    return running or any(each.get("ready") or each.get("succeeded") for each in status.get("jobsStatus") or [])


def _pods(resource: Resource, name: str) -> str:
    """Give the selector of a job's pods."""
    label = "training.kubeflow.org/job-name" if resource == MPI_JOBS else "jobset.sigs.k8s.io/jobset-name"
    return f"{label}={name}"
