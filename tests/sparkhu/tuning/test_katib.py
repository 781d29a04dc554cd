"""The Katib engine against a server that speaks the Kubernetes API and keeps Katib's rules."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from sparkhu.clusters import objects
from sparkhu.errors import InputError, SparkhuError
from sparkhu.tuning.katib import run_on_katib
from sparkhu.tuning.katib_trials import trial_of
from sparkhu.tuning.reading import experiment_of
from sparkhu.tuning.result import Interrupted, Result
from sparkhu.tuning.trials import Trial
from tests.katib_cluster import Fault, KatibCluster, served_cluster
from tests.sparkhu.tuning.written_experiments import JOB, MPI_JOB, SECRET, kubeconfig, written


@pytest.fixture
def cluster() -> Iterator[KatibCluster]:
    with served_cluster(token=SECRET) as server:
        yield server


@pytest.fixture
def run(cluster: KatibCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run as a user with a kubeconfig does, in little time."""
    monkeypatch.setattr(objects, "FIRST_PAUSE", 0.01)

    def started(document: dict[str, Any] | None = None, **more: Any) -> Result:
        config = {"url": cluster.url, "token": SECRET} | more.pop("config", {})
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, **config)))
        settings = {"namespace": "team", "out": tmp_path / "out", "poll_seconds": 0.005, "patience": 1.0} | more
        return run_on_katib(experiment_of(document or written()), **settings)

    return started


def sent(cluster: KatibCluster) -> list[dict[str, Any]]:
    return [each.body for each in cluster.requests if each.method == "POST" and each.body is not None]


@pytest.mark.parametrize("job", [JOB, MPI_JOB], ids=["Job", "MPIJob"])
def test_an_experiment_runs_to_its_end_and_gives_what_the_local_engine_gives(
    run: Callable[..., Result], cluster: KatibCluster, tmp_path: Path, job: dict[str, Any]
) -> None:
    result = run(written(job=job))
    assert (result.succeeded, result.reason) == (True, "ExperimentMaxTrialsReached")
    assert [trial.number for trial in result.trials] == [0, 1, 2, 3, 4]
    assert {trial.status for trial in result.trials} == {"Succeeded"}
    assert result.best is not None
    assert (result.best.name, result.best.objective) == ("search-0", 0.2)
    assert (result.best.started, result.best.ended) != (None, None)
    table = pl.read_parquet(tmp_path / "out" / "trials.parquet")
    assert table["param.rate"].to_list() == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
    assert (table["objective"] == table["metric.loss"]).all()
    assert table.schema["param.depth"] == pl.Int64
    kept = yaml.safe_load((tmp_path / "out" / "experiment.yaml").read_text())
    assert kept["status"]["currentOptimalTrial"]["bestTrialName"] == "search-0"
    assert kept["spec"]["trialTemplate"]["trialSpec"] == job
    [body] = sent(cluster)
    assert body["metadata"] == {"name": "search", "namespace": "team", "labels": {"team": "forecasts"}}
    assert body["spec"]["trialTemplate"]["trialSpec"] == job


def test_trials_are_told_of_when_they_begin_and_when_they_end(run: Callable[..., Result]) -> None:
    told: list[Trial] = []
    run(on_trial=told.append)
    assert [(trial.number, trial.status) for trial in told if trial.number == 3] == [(3, "Running"), (3, "Succeeded")]
    assert len(told) == 10


def test_early_stopped_failed_and_unmeasured_trials_are_what_katib_says(
    run: Callable[..., Result], cluster: KatibCluster
) -> None:
    cluster.outcomes = {1: "EarlyStopped", 2: "Failed", 3: "MetricsUnavailable"}
    trials = run().trials
    expected = ["Succeeded", "EarlyStopped", "Failed", "MetricsUnavailable", "Succeeded"]
    assert [trial.status for trial in trials] == expected
    assert [trial.objective is None for trial in trials] == [False, False, True, True, False]
    assert trials[2].message == "Trial has failed"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, "Running"),
        ({"Created": "True", "Running": "True"}, "Running"),
        ({"Running": "True", "Failed": "False"}, "Running"),
        ({"Running": "False", "Succeeded": "True"}, "Succeeded"),
        ({"Running": "False", "Succeeded": "True", "EarlyStopped": "True"}, "EarlyStopped"),
        ({"Running": "False", "Succeeded": "False", "MetricsUnavailable": "True"}, "MetricsUnavailable"),
    ],
)
def test_the_conditions_that_hold_say_what_a_trial_is(conditions: dict[str, str], expected: str) -> None:
    held = [{"type": kind, "status": state} for kind, state in conditions.items()]
    document = {"metadata": {"name": "t"}, "status": {"conditions": held}}
    assert trial_of(document, 0, metric="loss", strategy="min").status == expected


def test_an_experiment_that_fails_is_a_result_too(run: Callable[..., Result], cluster: KatibCluster) -> None:
    cluster.outcomes = dict.fromkeys(range(5), "Failed")
    result = run()
    assert (result.succeeded, result.reason, result.best) == (False, "ExperimentFailed", None)


def test_the_same_experiment_is_followed_and_not_created_again(
    run: Callable[..., Result], cluster: KatibCluster
) -> None:
    first, second = run(), run()
    assert [trial.name for trial in first.trials] == [trial.name for trial in second.trials]
    assert len(cluster.experiments) == 1


def test_another_experiment_of_the_same_name_is_left_alone(run: Callable[..., Result], cluster: KatibCluster) -> None:
    run()
    told = (
        "there is another experiment 'search' in the namespace 'team': it differs in spec.maxTrialCount. Give yours "
        "another name, or delete that one: kubectl delete experiment.kubeflow.org search --namespace team"
    )
    with pytest.raises(InputError) as refused:
        run(written(maxTrialCount=6))
    assert str(refused.value) == told
    assert cluster.experiments["search"]["spec"]["maxTrialCount"] == 5


def test_a_larger_count_of_trials_goes_on_where_katib_lets_it(
    run: Callable[..., Result], cluster: KatibCluster, tmp_path: Path
) -> None:
    first = run(written(resumePolicy="LongRunning"))
    result = run(written(resumePolicy="LongRunning", maxTrialCount=8, parallelTrialCount=3))
    assert (result.succeeded, len(result.trials)) == (True, 8)
    assert [trial.name for trial in result.trials[:5]] == [trial.name for trial in first.trials]
    edits = [each.body for each in cluster.requests if each.method == "PATCH"]
    assert edits == [{"spec": {"maxTrialCount": 8, "parallelTrialCount": 3}}]
    kept = yaml.safe_load((tmp_path / "out" / "experiment.yaml").read_text())
    assert kept["spec"]["maxTrialCount"] == 8


def test_an_experiment_that_runs_is_edited_and_followed(run: Callable[..., Result], cluster: KatibCluster) -> None:
    def interrupt(trial: Trial) -> None:
        if trial.status == "Succeeded":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run(on_trial=interrupt)
    assert len(run(written(maxTrialCount=7)).trials) == 7


@pytest.mark.parametrize(
    ("outcomes", "more"),
    [
        (dict.fromkeys(range(5), "Failed"), {"maxTrialCount": 8}),
        ({}, {"maxTrialCount": 8, "algorithm": {"algorithmName": "random"}}),
    ],
    ids=["failed", "another"],
)
def test_what_katib_would_not_let_be_edited_is_left_alone(
    run: Callable[..., Result], cluster: KatibCluster, outcomes: dict[int, str], more: dict[str, Any]
) -> None:
    cluster.outcomes = outcomes
    run(written(resumePolicy="LongRunning"))
    with pytest.raises(InputError, match="there is another experiment 'search'"):
        run(written(resumePolicy="LongRunning", **more))
    assert not [each for each in cluster.requests if each.method == "PATCH"]


def test_fewer_trials_than_there_are_is_refused_in_katibs_words(run: Callable[..., Result]) -> None:
    run(written(resumePolicy="LongRunning"))
    with pytest.raises(InputError, match=r"Katib refuses the experiment: spec.maxTrialCount must be greater than"):
        run(written(resumePolicy="LongRunning", maxTrialCount=4))


def test_an_experiment_that_is_being_deleted_is_not_followed(run: Callable[..., Result], cluster: KatibCluster) -> None:
    run()
    cluster.experiments["search"]["metadata"]["deletionTimestamp"] = "2026-01-01T11:00:00Z"
    with pytest.raises(InputError, match=r"'search' is being deleted from the namespace 'team'. Try again later"):
        run()


def test_a_generated_name_is_fresh_every_time(run: Callable[..., Result], cluster: KatibCluster) -> None:
    for _ in range(2):
        document = written()
        document["metadata"] = {"generateName": "search-"}
        run(document)
    assert len(cluster.experiments) == 2
    assert all(name.startswith("search-") and len(name) == 12 for name in cluster.experiments)


@pytest.mark.parametrize("fault", [Fault("POST experiments", done=True), Fault("POST experiments", 504, done=True)])
def test_an_answer_that_was_lost_does_not_create_it_twice(
    run: Callable[..., Result], cluster: KatibCluster, fault: Fault
) -> None:
    cluster.faults.append(fault)
    assert run().succeeded
    assert len(sent(cluster)) == 2
    assert len(cluster.experiments) == 1


@pytest.mark.parametrize("kind", ["GET experiments", "GET trials"])
def test_a_connection_that_is_lost_for_a_while_does_not_end_the_run(
    run: Callable[..., Result], cluster: KatibCluster, kind: str
) -> None:
    cluster.faults += [Fault(kind), Fault(kind, 503), Fault(kind, 429)]
    assert run().succeeded
    assert cluster.faults == []


def test_a_server_that_stays_away_is_named_with_what_to_do(run: Callable[..., Result], cluster: KatibCluster) -> None:
    with pytest.raises(SparkhuError) as lost:
        run(config={"url": f"http://me:{SECRET}@127.0.0.1:9"}, patience=0.05)
    told = str(lost.value)
    assert told.startswith("cannot create the experiment 'search': the server at http://127.0.0.1:9 cannot be reached")
    assert told.endswith("See 'kubectl cluster-info'; the same command then goes on with the same experiment.")


def test_an_experiment_that_is_deleted_while_it_runs_is_told(run: Callable[..., Result], cluster: KatibCluster) -> None:
    def delete(trial: Trial) -> None:
        cluster.experiments.clear()

    with pytest.raises(SparkhuError, match="'search' was deleted from the namespace 'team' while it ran"):
        run(on_trial=delete)


def test_a_running_trial_that_katib_deletes_was_killed(run: Callable[..., Result], cluster: KatibCluster) -> None:
    def vanish(trial: Trial) -> None:
        if (trial.number, trial.status) == (2, "Running"):
            del cluster.trials["search-2"]

    result = run(on_trial=vanish)
    assert result.succeeded
    assert [trial.status for trial in result.trials].count("Succeeded") == 5
    assert (result.trials[2].status, result.trials[2].message) == ("Killed", "Katib has deleted this trial")


def test_ctrl_c_leaves_the_experiment_and_says_so(
    run: Callable[..., Result], cluster: KatibCluster, tmp_path: Path
) -> None:
    def interrupt(trial: Trial) -> None:
        if trial.status == "Succeeded":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        run(on_trial=interrupt)
    told = (
        "the experiment 'search' goes on in the cluster; the same command follows it again, and 'kubectl delete "
        "experiment.kubeflow.org search --namespace team' ends it"
    )
    assert stopped.value.note == told
    assert "search" in cluster.experiments
    assert pl.read_parquet(tmp_path / "out" / "trials.parquet").height == 2
    assert run().succeeded


def test_ctrl_c_tells_the_name_that_was_made(run: Callable[..., Result], cluster: KatibCluster) -> None:
    def interrupt(trial: Trial) -> None:
        raise KeyboardInterrupt

    document = written()
    document["metadata"] = {"generateName": "search-"}
    with pytest.raises(Interrupted) as stopped:
        run(document, on_trial=interrupt)
    [name] = cluster.experiments
    told = f"put 'name: {name}' into the file in the place of generateName, and the same command follows it again"
    assert told in stopped.value.note
    assert run(written(name)).succeeded
    assert [*cluster.experiments] == [name]


def test_an_experiment_that_katib_would_refuse_is_not_sent(run: Callable[..., Result], cluster: KatibCluster) -> None:
    with pytest.raises(InputError, match=r"spec.parallelTrialCount: got 9"):
        run(written(parallelTrialCount=9))
    assert cluster.requests == []


def test_the_server_of_the_tests_refuses_what_the_api_and_the_webhook_refuse(cluster: KatibCluster) -> None:
    def answered(**spec: Any) -> str:
        document = written(**spec)
        return str(cluster.answer(request_of(document))[1]["message"])

    def request_of(document: dict[str, Any]) -> Any:
        from tests.katib_cluster import PREFIX, Request

        headers = {"authorization": f"Bearer {SECRET}"}
        return Request("POST", f"{PREFIX}team/experiments", headers, json.loads(json.dumps(document)))

    number = {"name": "rate", "parameterType": "double", "feasibleSpace": {"min": 0.1, "max": "0.7"}}
    assert "cannot unmarshal" in answered(parameters=[number])
    assert "unknown field spec.maxTrials" in answered(maxTrials=5)
    assert "must be less than spec.maxTrialCount" in answered(parallelTrialCount=9)
    assert "isn't used in trialSpec" in answered(job={**JOB, "spec": {}})
    assert "MPIJob needs a Launcher" in answered(job={**MPI_JOB, "apiVersion": "kubeflow.org/v1"})


def test_kubernetes_is_imported_only_when_it_is_used() -> None:
    code = "import sys, sparkhu.tuning.katib; print('kubernetes' in sys.modules, 'kubeflow_katib_api' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_ones_own_authority_is_trusted_where_the_kubeconfig_names_it(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    openssl = shutil.which("openssl") or pytest.skip("openssl, which makes a certificate, is not installed")
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, "req", "-x509", *words, "-keyout", key, "-out", file], check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + file.read_text())
    with served_cluster(both, token=SECRET) as api:
        with pytest.raises(SparkhuError, match=r"the certificate of https://127.0.0.1:.* is not trusted. Give the clu"):
            run(config={"url": api.url})
        assert api.requests == []
        assert run(config={"url": api.url, "authority": file}).succeeded
