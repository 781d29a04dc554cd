"""What Kubernetes does not read in a Job is refused by its path; what its own client writes is read."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml
from kubernetes import client

from sparkhu.tuning.job_fields import job_problems

WRITTEN = """
apiVersion: batch/v1
kind: Job
metadata:
  labels: {team: research}
  annotations: {since: 2024-05-01, nothing: }
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 60.0
  template:
    spec:
      restartPolicy: Never
      hostNetwork: false
      tolerations: [{key: gpu, operator: Exists, tolerationSeconds: 30}]
      securityContext: {supplementalGroups: [1, 2]}
      volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 1Gi}}]
      containers:
        - name: training
          image: train:1
          command: [train, "${trialParameters.rate}"]
          env: [{name: A, value: b}, {name: N, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1}}}]
          ports: [{containerPort: 80}]
          livenessProbe: {httpGet: {port: http}}
          readinessProbe: {httpGet: {port: 80}}
          resources: {limits: {cpu: 2, memory: 1Gi, nvidia.com/gpu: 1}, requests: {cpu: 0.5}}
          volumeMounts: [{name: shm, mountPath: /dev/shm}]
"""


def told(path: str, value: object) -> list[str]:
    """Say what is wrong with a job in which a value stands at a path; without its beginning, which all have."""
    job = yaml.safe_load(WRITTEN)
    *parts, last = path.split(".")
    place: Any = job
    for part in parts:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    return list(job_problems(job, "job"))


def test_a_job_as_users_write_it_is_read() -> None:
    assert list(job_problems(yaml.safe_load(WRITTEN), "job")) == []


def test_a_job_that_the_client_of_kubernetes_writes_is_read() -> None:
    container = client.V1Container(name="training", image="train:1", env=[client.V1EnvVar("A", "b")])
    pod = client.V1PodTemplateSpec(spec=client.V1PodSpec(containers=[container], restart_policy="Never"))
    metadata = client.V1ObjectMeta(creation_timestamp=datetime(2024, 5, 1, tzinfo=UTC), labels={"a": "b"})
    job = client.V1Job("batch/v1", "Job", metadata, client.V1JobSpec(backoff_limit=3, template=pod))
    assert list(job_problems(client.ApiClient().sanitize_for_serialization(job), "job")) == []


CONTAINER = "spec.template.spec.containers"
TRAINING = "job.spec.template.spec.containers[training]"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("spec.backofLimit", 3, "job.spec.backofLimit: Kubernetes knows no such field. Write backoffLimit."),
        ("spec.note", "a", "job.spec.note: Kubernetes knows no such field. Leave it out."),
        ("spec.backoff_limit", 3, "job.spec.backoff_limit: Kubernetes knows no such field. Write backoffLimit."),
        ("spec.backoffLimit", "many", "job.spec.backoffLimit: got 'many', must be a whole number."),
        ("spec.backoffLimit", True, "job.spec.backoffLimit: got True, must be a whole number."),
        ("spec.activeDeadlineSeconds", 0.5, "job.spec.activeDeadlineSeconds: got 0.5, must be a whole number."),
        ("spec.suspend", 1, "job.spec.suspend: got 1, must be true or false."),
        ("spec", [], "job.spec: got [], must be a mapping."),
        ("metadata.labels", ["a"], "job.metadata.labels: got ['a'], must be a mapping."),
        ("metadata.labels.team", 3, "job.metadata.labels.team: got 3; Kubernetes takes texts. Write it in quotes."),
        (CONTAINER, "train", "job.spec.template.spec.containers: got 'train', must be a list."),
        (CONTAINER, [None], "job.spec.template.spec.containers[0]: there is nothing. Give a value, or leave it out."),
        (CONTAINER, ["a"], "job.spec.template.spec.containers[0]: got 'a', must be a mapping."),
        (f"{CONTAINER}.0.comand", ["x"], f"{TRAINING}.comand: Kubernetes knows no such field. Write command."),
        (f"{CONTAINER}.0.args", [3], f"{TRAINING}.args[0]: got 3; Kubernetes takes texts. Write it in quotes."),
        (f"{CONTAINER}.0.image", ["a"], f"{TRAINING}.image: got ['a'], must be a text."),
        (f"{CONTAINER}.0.resources.limits.cpu", [], f"{TRAINING}.resources.limits.cpu: got [], must be a quantity"),
    ],
)
def test_what_kubernetes_does_not_read_is_named(path: str, value: object, problem: str) -> None:
    (found,) = told(path, value)
    assert found.startswith(problem)


def test_a_date_among_words_is_to_be_quoted() -> None:
    (found,) = told(f"{CONTAINER}.0.args", [date(2024, 5, 1)])
    assert found.endswith("Kubernetes takes texts. Write it in quotes.")
