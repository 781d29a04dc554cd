"""A job as Kubernetes objects. The fields are those of the custom resources' schemas, which the tests spell out."""

from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu.training.distribution.kubernetes_jobs import ClusterJob, mpi_job, train_job

JOB = ClusterJob(
    name="nhits-0a1b",
    uri="s3://plant/training/0a1b",
    workers=3,
    image="registry.example/training:1",
    secret="object-store",
    service_account="sparkhu-trainer",
    environment={"AWS_ENDPOINT_URL": "http://minio:9000"},
)
Schema = dict[str, Any]
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def a(required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """Give the schema of an object without other fields."""
    return {"type": "object", "additionalProperties": False, "properties": fields, "required": list(required)}


def many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


# What the schemas of the resources say of the fields that are used, as they stood at the commits that the module names.
MOUNT = a(("mountPath", "name"), mountPath=TEXT, name=TEXT, readOnly={"type": "boolean"})
VARIABLE = a(("name",), name=TEXT, value=TEXT)
VOLUMES = many(a(("name",), name=TEXT, secret=a(secretName=TEXT)))
PATCHED = many(a(("name",), name=TEXT, env=many(VARIABLE), volumeMounts=many(MOUNT)))
CONTAINER = a(("name",), name=TEXT, image=TEXT, command=many(TEXT), env=many(VARIABLE), volumeMounts=many(MOUNT))
META = a(("name",), name=TEXT, labels={"type": "object"})
PATCH = a(serviceAccountName=TEXT, volumes=VOLUMES, containers=PATCHED)
TRAIN_JOB = a(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "trainer.kubeflow.org/v1alpha1"},
    kind={"const": "TrainJob"},
    metadata=META,
    spec=a(
        ("runtimeRef",),
        runtimeRef=a(("name",), apiGroup=TEXT, kind=TEXT, name=TEXT),
        trainer=a(
            image=TEXT, command=many(TEXT), env=many(VARIABLE), numNodes=NUMBER, numProcPerNode=NUMBER | {"minimum": 1}
        ),
        runtimePatches=many(
            a(
                ("manager",),
                manager=TEXT,
                trainingRuntimeSpec=a(
                    template=a(
                        spec=a(replicatedJobs=many(a(("name",), name=TEXT, template=a(spec=a(template=a(spec=PATCH))))))
                    )
                ),
            )
        ),
    ),
)
POD = a(("containers",), serviceAccountName=TEXT, containers=many(CONTAINER), volumes=VOLUMES)
REPLICAS = a(replicas=NUMBER, restartPolicy=TEXT, template=a(spec=POD))
MPI_JOB = a(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "kubeflow.org/v2beta1"},
    kind={"const": "MPIJob"},
    metadata=META,
    spec=a(
        ("mpiReplicaSpecs",),
        slotsPerWorker=NUMBER,
        mpiImplementation={"enum": ["OpenMPI", "Intel", "MPICH"]},
        launcherCreationPolicy={"enum": ["AtStartup", "WaitForWorkersReady"]},
        runPolicy=a(cleanPodPolicy=TEXT, backoffLimit=NUMBER),
        mpiReplicaSpecs=a(("Launcher", "Worker"), Launcher=REPLICAS, Worker=REPLICAS),
    ),
)


@pytest.mark.parametrize(("made", "schema"), [(train_job(JOB), TRAIN_JOB), (mpi_job(JOB), MPI_JOB)])
def test_the_objects_have_the_fields_of_their_schemas(made: Schema, schema: Schema) -> None:
    import jsonschema

    jsonschema.validate(made, schema)


def test_a_train_job_begins_a_rank_on_each_node() -> None:
    trainer = train_job(JOB)["spec"]["trainer"]

    assert trainer["command"][:3] == ["torchrun", "-m", "sparkhu.training.distribution.worker"]
    assert trainer["command"][3:] == ["s3://plant/training/0a1b", "torch", "600"]
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (3, 1)
    assert {"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"} in trainer["env"]


def test_an_mpi_job_begins_as_many_ranks_as_it_has_workers() -> None:
    replicas = mpi_job(JOB)["spec"]["mpiReplicaSpecs"]
    (launcher,) = replicas["Launcher"]["template"]["spec"]["containers"]

    command = launcher["command"]
    assert command[:3] == ["python", "-m", "sparkhu.training.distribution.horovodrun"]
    assert {"--gloo", "--disable-cache"} < set(command)
    told = {"-np": "3", "--network-interfaces": "eth0", "--hostfile": "/etc/mpi/hostfile"}
    # As long as ranks may take to begin, gloo waits for them too: by itself it gives up after 30 s.
    told |= {"--start-timeout": "630", "--gloo-timeout-seconds": "630"}
    assert {option: command[command.index(option) + 1] for option in told} == told
    assert launcher["command"][-3:] == ["s3://plant/training/0a1b", "horovod", "600"]
    assert replicas["Worker"]["replicas"] == 3


def test_the_keys_of_the_storage_are_files_of_those_who_read_it_alone() -> None:
    mpi = mpi_job(JOB)["spec"]["mpiReplicaSpecs"]
    (patch,) = train_job(JOB)["spec"]["runtimePatches"]
    (node,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    worker = mpi["Worker"]["template"]["spec"]

    for pod in (worker, node["template"]["spec"]["template"]["spec"]):
        assert pod["volumes"] == [{"name": "storage-keys", "secret": {"secretName": "object-store"}}]
        assert pod["containers"][0]["volumeMounts"][0]["mountPath"] == "/etc/sparkhu/storage"
        assert pod["serviceAccountName"] == "sparkhu-trainer"
    assert "volumes" not in mpi["Launcher"]["template"]["spec"], "horovodrun writes variables on command lines"


def test_without_secret_and_account_the_pods_are_those_of_the_runtime() -> None:
    plain = ClusterJob("linear-1", "s3://plant/1", 2, "image:1")

    assert "runtimePatches" not in train_job(plain)["spec"]
    assert mpi_job(plain)["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"] == {
        "containers": [{"name": "worker", "image": "image:1"}]
    }


def test_what_no_pod_can_reach_is_refused() -> None:
    with pytest.raises(InputError, match="storage must be a URI that pods reach, such as s3://bucket/training, got"):
        ClusterJob("linear-1", "/data/jobs", 2, "image:1")
    with pytest.raises(InputError, match="workers must be 1 or more, got 0"):
        ClusterJob("linear-1", "s3://plant/1", 0, "image:1")
