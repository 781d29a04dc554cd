"""What the cluster refuses: each refusal says what is wrong and what to do, and never tells a secret."""

from pathlib import Path

import pytest
from kubernetes.client import ApiClient, Configuration

from sparkhu.clusters import objects
from sparkhu.errors import InputError, SparkhuError
from sparkhu.tuning.katib import run_on_katib
from sparkhu.tuning.reading import experiment_of
from tests.katib_cluster import Fault, served_cluster, status
from tests.sparkhu.tuning.written_experiments import SECRET, written

DENIED = 'admission webhook "validator.experiment.katib.kubeflow.org" denied the request: no trial template'
AWAY = 'failed calling webhook "defaulter.experiment.katib.kubeflow.org": connect: connection refused'
FORBIDDEN = 'experiments.kubeflow.org is forbidden: User "me" cannot create resource'


def refused(tmp_path: Path, kind: type[SparkhuError], *, namespace: str = "team", **about: object) -> str:
    """Run an experiment in a cluster that refuses it, and give what is told."""
    faults = about.pop("faults", [])
    with served_cluster(token=str(about.pop("known", SECRET)), **about) as cluster:  # type: ignore[arg-type]
        cluster.faults += faults  # type: ignore[operator]
        configuration = Configuration(host=cluster.url, api_key={"authorization": f"Bearer {SECRET}"})
        with pytest.raises(SparkhuError) as found:
            run_on_katib(
                experiment_of(written()),
                namespace=namespace,
                out=tmp_path,
                client=ApiClient(configuration),
                poll_seconds=0.005,
                patience=0.05,
            )
    assert type(found.value) is kind
    assert SECRET not in str(found.value)
    return str(found.value)


def test_a_token_that_is_not_known(tmp_path: Path) -> None:
    told = refused(tmp_path, SparkhuError, known="another")
    assert told == (
        "cannot create the experiment 'search': the server does not know you. Sign in to the cluster again, or put a "
        "fresh token into the kubeconfig."
    )


def test_a_role_that_does_not_allow_it(tmp_path: Path) -> None:
    told = refused(tmp_path, SparkhuError, faults=[Fault("POST", 403, content=status(403, "Forbidden", FORBIDDEN))])
    assert "you may not do that in the namespace 'team'. Ask for a role that allows create, get and list" in told
    assert FORBIDDEN in told


def test_a_cluster_without_katib(tmp_path: Path) -> None:
    told = refused(tmp_path, SparkhuError, installed=False)
    assert "knows no experiments of kubeflow.org/v1beta1. Install Katib there" in told


def test_a_namespace_that_is_not_there(tmp_path: Path) -> None:
    told = refused(tmp_path, InputError, namespace="nowhere")
    assert told == "the cluster has no namespace 'nowhere'. 'kubectl get namespaces' lists those it has."


@pytest.mark.parametrize(("code", "reason"), [(400, "BadRequest"), (403, "Forbidden")])
def test_what_the_webhook_denies_is_told_in_its_words(tmp_path: Path, code: int, reason: str) -> None:
    told = refused(tmp_path, InputError, faults=[Fault("POST", code, content=status(code, reason, DENIED))])
    assert told == "Katib refuses the experiment: no trial template"


def test_a_webhook_that_does_not_answer_points_to_katibs_controller(tmp_path: Path) -> None:
    told = refused(tmp_path, SparkhuError, faults=[Fault("POST", 500, content=status(500, "InternalError", AWAY))])
    assert "Katib's webhook does not answer. See whether its controller runs: kubectl get pods" in told


def test_an_object_that_the_api_cannot_keep(tmp_path: Path) -> None:
    fault = Fault("POST", 422, content=status(422, "Invalid", "metadata.labels: Invalid value"))
    told = refused(tmp_path, InputError, faults=[fault])
    assert told == "the cluster refuses the experiment: metadata.labels: Invalid value"


def test_an_unforeseen_answer_is_given_as_it_is(tmp_path: Path) -> None:
    told = refused(
        tmp_path, SparkhuError, faults=[Fault("POST", 418, content=status(418, "Teapot", "short and stout"))]
    )
    assert told == "cannot create the experiment 'search': the server answers 418: short and stout"


def test_a_page_instead_of_an_object(tmp_path: Path) -> None:
    told = refused(tmp_path, SparkhuError, faults=[Fault("POST", 200, content="<html>Sign in</html>")])
    assert "answers with something else than an object. Is it the address of the Kubernetes API?" in told


def test_a_server_that_goes_on_failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "FIRST_PAUSE", 0.01)
    told = refused(tmp_path, SparkhuError, faults=[Fault("GET trials", 503)] * 50)
    assert told.startswith("cannot read the trials of 'search': the server at http://127.0.0.1:")
    assert "answers 503" in told


def test_without_a_cluster_the_way_to_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InputError, match=r"no cluster can be reached from here: .* Set KUBECONFIG to a file"):
        run_on_katib(experiment_of(written()), namespace="team", out=tmp_path)
