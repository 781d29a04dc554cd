"""Jobs in a cluster: begun, followed through lost connections, fetched, and what is said where they fail."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparkhu.clusters import objects
from sparkhu.errors import InputError, SparkhuError
from sparkhu.sections import Training
from sparkhu.stages.fitting import with_workers
from sparkhu.training.distribution import cluster_launching
from sparkhu.training.distribution.cluster_launching import ClusterLaunch, ClusterRecipe
from sparkhu.training.distribution.remote import Storage
from sparkhu.training.linear import LinearRecipe
from tests.katib_cluster import Document, Fault, serving
from tests.sparkhu.training.distribution.job_cluster import JobCluster, condition, run_train_job
from tests.sparkhu.training.distribution.jobs import DATA, GROUP, forecast
from tests.sparkhu.tuning.written_experiments import SECRET, kubeconfig

pytestmark = pytest.mark.xdist_group("workers")
JOBS = "apis/trainer.kubeflow.org/v1alpha1/namespaces/team/trainjobs"
Served = Callable[..., AbstractContextManager[JobCluster]]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setattr(objects, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(cluster_launching, "POLL_SECONDS", 0.05)

    @contextmanager
    def serve(**about: Any) -> Iterator[JobCluster]:
        with serving(JobCluster(**about)) as cluster:
            monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, cluster.url, SECRET)))
            yield cluster

    return serve


def recipe(folder: Path, **about: Any) -> ClusterRecipe:
    storage = f"file://{folder}/storage"
    told = {"distribution": "torch", "workers": 2, "namespace": "team", "storage": storage, "image": "image:1"}
    return ClusterRecipe(LinearRecipe(), ClusterLaunch(**{**told, **about}))


def storage_of(job: Document) -> Storage:
    return Storage(job["spec"]["trainer"]["command"][3])


def test_a_job_in_a_cluster_gives_what_one_process_gives_and_is_run_once(served: Served, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    alone = LinearRecipe().fit(DATA, {})
    faults = [Fault(f"POST {JOBS}", done=True), Fault(f"GET {JOBS}", 503), Fault(f"GET {JOBS}")]
    with served(work=run_train_job, faults=faults) as cluster:
        fitted = recipe(tmp_path).fit(DATA, {})
        again = recipe(tmp_path).fit(DATA, {})

    assert not cluster.faults
    assert len(cluster.jobs) == 1
    assert np.array_equal(forecast(fitted.models[GROUP]), forecast(alone.models[GROUP]))
    assert np.array_equal(forecast(again.models[GROUP]), forecast(alone.models[GROUP]))
    assert fitted.notes == alone.notes == again.notes
    assert all(SECRET not in str(request.body) for request in cluster.requests)


def test_a_job_that_fails_tells_why_and_is_begun_anew_by_the_next_run(served: Served, tmp_path: Path) -> None:
    def fail(job: Document) -> Document:
        storage_of(job).send("errors/rank-1.json", b'{"kind": "InputError", "message": "the loss is no number"}')
        return {"type": "Failed", "reason": "JobsFailed", "message": "jobset failed"}

    with served(work=fail) as cluster:
        for _ in range(3):
            with pytest.raises(InputError, match=r"the TrainJob '[-\w]+' in the namespace 'team' failed: ") as refused:
                recipe(tmp_path).fit(DATA, {})
    (first, *others), told = cluster.created, str(refused.value)

    assert others == [f"{first}-2", f"{first}-3"]
    assert "the loss is no number. What it reached is kept in 'file://" in told
    assert f"--selector jobset.sigs.k8s.io/jobset-name={first}-3" in told


def test_what_a_job_before_failed_of_is_not_told_of_the_next(served: Served, tmp_path: Path) -> None:
    def fail(job: Document) -> Document:
        if job["metadata"]["name"].endswith("-2"):
            return {"type": "Failed", "reason": "NodeLost", "message": "a node is gone"}
        storage_of(job).send("errors/rank-1.json", b'{"kind": "InputError", "message": "the loss is no number"}')
        return {"type": "Failed"}

    with served(work=fail):
        with pytest.raises(InputError, match="the loss is no number"):
            recipe(tmp_path).fit(DATA, {})
        with pytest.raises(SparkhuError, match="failed: NodeLost: a node is gone") as second:
            recipe(tmp_path).fit(DATA, {})
    assert not isinstance(second.value, InputError)


def test_epochs_are_told_once_also_where_rank_0_is_begun_anew(served: Served, tmp_path: Path) -> None:
    """Rank 0 begins its file anew; and what it brings may end within a line."""
    lines = [f'{{"group": "1h/3", "epoch": {epoch}}}\n' for epoch in (1, 2, 3, 4)]
    contents = [lines[0] + lines[1], lines[1] + lines[2][:9], lines[1] + lines[2], lines[2] + lines[3]]
    told: list[int] = []

    def work(job: Document) -> Document:
        for content in contents:
            storage_of(job).send("progress.jsonl", content.encode())
            time.sleep(0.5)
        return {"type": "Failed", "reason": "Over"}

    with served(work=work), pytest.raises(SparkhuError, match="failed: Over"):
        replace(recipe(tmp_path), on_epoch=lambda epoch: told.append(epoch["epoch"])).fit(DATA, {})
    assert told == [1, 2, 3, 4]


def test_a_job_that_ends_without_a_word_of_its_workers_tells_its_condition(served: Served, tmp_path: Path) -> None:
    ending = {"type": "Failed", "reason": "DeadlineExceeded", "message": "too long."}
    told = r"failed: DeadlineExceeded: too long\. What it reached"
    with served(work=lambda _: ending), pytest.raises(SparkhuError, match=told):
        recipe(tmp_path).fit(DATA, {})


def test_a_job_that_never_begins_is_named_and_followed_by_the_next_run(served: Served, tmp_path: Path) -> None:
    with served() as cluster:
        with pytest.raises(
            SparkhuError, match=r"within 0 s; nothing has taken it up\. See .* kubectl describe trainjobs"
        ):
            recipe(tmp_path, begin_seconds=0.0).fit(DATA, {})
        (job,) = cluster.jobs.values()
        job["status"]["conditions"] = [condition({"type": "Suspended", "message": "It is suspended"})]
        with pytest.raises(SparkhuError, match="its last condition is Suspended: It is suspended"):
            recipe(tmp_path, begin_seconds=0.0).fit(DATA, {})

    assert len(cluster.created) == 1


def deleted(cluster: JobCluster) -> Callable[[Document], Document]:
    def work(_: Document) -> Document:
        cluster.jobs.clear()
        return {"type": "Running"}

    return work


def test_a_job_that_is_deleted_is_told(served: Served, tmp_path: Path) -> None:
    with served() as cluster:
        cluster.work = deleted(cluster)
        with pytest.raises(SparkhuError, match=r"was deleted while it ran\. What it reached is kept"):
            recipe(tmp_path).fit(DATA, {})


def test_horovods_job_is_an_mpi_job(served: Served, tmp_path: Path) -> None:
    refused = pytest.raises(SparkhuError, match="the MPIJob 'sparkhu-linear-")
    with served(work=lambda _: {"type": "Failed", "reason": "MPIJobFailed"}) as cluster, refused:
        recipe(tmp_path, distribution="horovod").fit(DATA, {})

    assert {request.path.split("/")[2] for request in cluster.requests} == {"kubeflow.org"}


def test_a_role_that_is_lacking_is_named(served: Served, tmp_path: Path) -> None:
    with served(forbidden=True), pytest.raises(SparkhuError, match="a role that allows create and get of trainjobs of"):
        recipe(tmp_path).fit(DATA, {})


def test_the_settings_of_a_run_say_how_a_job_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Training(
        distribution="horovod",
        workers=4,
        engine="kubernetes",
        namespace="team",
        storage="s3://plant/training",
        secret="object-store",
        image="registry.example/training:1",
        service_account="trainer",
    )
    made = with_workers(LinearRecipe(), settings, step="train_linear")

    assert isinstance(made, ClusterRecipe)
    assert made.how == ClusterLaunch(
        "horovod", 4, "team", "s3://plant/training", "registry.example/training:1", "object-store", "trainer"
    )
    with pytest.raises(InputError, match=r"training\.namespace is empty, and this is no pod; name the namespace"):
        with_workers(LinearRecipe(), settings.model_copy(update={"namespace": ""}), step="train_linear")
