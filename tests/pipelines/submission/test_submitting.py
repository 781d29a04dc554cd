"""What is sent, beside what KFP's own client sends of the same package."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import kfp
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.settings import PipelinesAccess
from sparkhu_pipelines.cluster.settings import cluster_settings
from sparkhu_pipelines.compiling import compile_pipeline
from sparkhu_pipelines.submission.connecting import Connection, checked_host
from sparkhu_pipelines.submission.schedules import parse_schedule
from sparkhu_pipelines.submission.submitting import Submission, submit_run, submit_schedule
from tests.pipelines_api import Fault, PipelinesApi, error, served_api

ARGUMENTS = {"source": "s3://bucket/sales.csv", "wide": True, "max_failed_share": 0.25, "reading": {"table": "days"}}
CLUSTER = cluster_settings(
    {
        "pipeline_root": "s3://sparkhu/runs",
        "service_account": "runner",
        "secrets": {"object-store": {"accesskey": "AWS_ACCESS_KEY_ID"}},
    }
)
SUBMISSION = Submission("predict", ARGUMENTS, CLUSTER, "sales", "shop", "team")
OURS = ("description", "run_id", "recurring_run_id", "experiment_id")


@pytest.fixture
def api() -> Iterator[PipelinesApi]:
    with served_api() as server:
        yield server


@pytest.fixture
def connection(api: PipelinesApi, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setattr("sparkhu_pipelines.submission.connecting.FIRST_PAUSE", 0.01)
    return Connection(api.url, PipelinesAccess(), lambda line: None)


@pytest.fixture
def theirs(api: PipelinesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "none.json"))
    with pytest.warns(FutureWarning, match="This client only works"):
        client = kfp.Client(host=api.url, namespace="team")
    return client, str(compile_pipeline("predict", tmp_path, cluster=CLUSTER))


def shared(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in OURS}


def test_a_run_is_what_the_client_of_kfp_sends(
    api: PipelinesApi, connection: Connection, theirs: tuple[Any, str]
) -> None:
    client, file = theirs
    about = {"run_name": "sales", "experiment_name": "shop", "namespace": "team"}
    place = {"pipeline_root": "s3://sparkhu/runs", "service_account": "runner"}
    client.create_run_from_pipeline_package(file, arguments=ARGUMENTS, **about, **place)
    submit_run(connection, SUBMISSION)
    expected, sent = api.runs
    assert shared(sent) == shared(expected)
    assert sent["experiment_id"] == expected["experiment_id"]


def test_a_pipeline_that_asks_nothing_of_kubernetes_is_what_the_client_of_kfp_sends(
    api: PipelinesApi, connection: Connection, theirs: tuple[Any, str], tmp_path: Path
) -> None:
    client, _ = theirs
    minimal = cluster_settings({"environment": {"SPARKHU_TRACKING_URI": "http://mlflow:5000"}})
    file = str(compile_pipeline("predict", tmp_path, cluster=minimal))
    about = {"run_name": "sales", "experiment_name": "shop", "namespace": "team"}
    client.create_run_from_pipeline_package(file, arguments=ARGUMENTS, **about)
    submit_run(connection, replace(SUBMISSION, cluster=minimal))
    expected, sent = api.runs
    assert shared(sent) == shared(expected)


def test_a_schedule_is_what_the_client_of_kfp_sends(
    api: PipelinesApi, connection: Connection, theirs: tuple[Any, str]
) -> None:
    client, file = theirs
    experiment = client.create_experiment("shop", namespace="team").experiment_id
    about = {"job_name": "sales", "no_catchup": True, "cron_expression": "0 0 3 * * *", "params": ARGUMENTS}
    place = {"pipeline_root": "s3://sparkhu/runs", "service_account": "runner"}
    client.create_recurring_run(experiment, pipeline_package_path=file, **about, **place)
    (expected,) = api.schedules
    api.kept["recurringruns"].clear()
    submit_schedule(connection, SUBMISSION, parse_schedule("0 3 * * *"))
    (sent,) = api.schedules
    # The API's own type is a text that holds a number; KFP's client sends the number.
    assert (sent.pop("max_concurrency"), expected.pop("max_concurrency")) == ("1", 1)
    assert shared(sent) == shared(expected)


@pytest.mark.parametrize("description", [None, "Made by hand, not submitted by Sparkhu"])
def test_a_schedule_that_another_made_is_neither_replaced_nor_doubled(
    api: PipelinesApi, connection: Connection, description: str | None
) -> None:
    submit_schedule(connection, SUBMISSION, parse_schedule("0 3 * * *"))
    (schedule,) = api.schedules
    schedule["description"] = description
    with pytest.raises(InputError) as refused:
        submit_schedule(connection, SUBMISSION, parse_schedule("0 4 * * *"))
    assert str(refused.value) == (
        f"experiment 'shop' has a schedule 'sales', {schedule['recurring_run_id']}, that Sparkhu did not make and does "
        "not replace. Give another name with --name."
    )
    assert api.schedules == [schedule]


def test_an_experiment_that_another_makes_meanwhile_is_used(api: PipelinesApi, connection: Connection) -> None:
    api.fail(Fault("POST experiments", 409, done=True, content=error(6, "Already exist error")))
    submit_run(connection, SUBMISSION)
    assert [run["experiment_id"] for run in api.runs] == list(api.kept["experiments"])
    assert len(api.said("POST experiments")) == 1


def test_a_conflict_without_an_experiment_is_told(api: PipelinesApi, connection: Connection) -> None:
    api.fail(Fault("POST experiments", 409, content=error(6, "Already exist error")))
    with pytest.raises(InputError, match=r"making the experiment failed: .* refuses it \(409\): Already exist error"):
        submit_run(connection, SUBMISSION)


def test_every_run_has_a_mark_of_its_own(api: PipelinesApi, connection: Connection) -> None:
    for _ in range(2):
        submit_run(connection, SUBMISSION)
    first, second = (run["description"] for run in api.runs)
    assert first.startswith("Submitted by Sparkhu 0.1.0, ")
    assert first != second


def test_pauses_grow_and_are_never_longer_than_a_minute(api: PipelinesApi, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    connection = Connection(api.url, PipelinesAccess(), lambda line: None)
    api.fail(Fault("GET healthz", 503), 3)
    api.fail(Fault("GET healthz", 503, headers=(("Retry-After", "7200"),)))
    connection.ask("asking", connection.health.healthz_service_get_healthz)
    ours = [seconds for seconds in slept if seconds >= 0.5]
    assert [low <= seconds <= 2 * low for low, seconds in zip((0.5, 1, 2), ours, strict=False)] == [True] * 3
    assert ours[3:] == [60.0]


def test_a_server_that_fails_for_good_is_no_fault_of_the_input(api: PipelinesApi, connection: Connection) -> None:
    api.fail(Fault("GET healthz", 501))
    with pytest.raises(SparkhuError, match="gives answer 501") as failed:
        connection.ask("asking", connection.health.healthz_service_get_healthz)
    assert not isinstance(failed.value, InputError)


@pytest.mark.parametrize("host", ["http://h", "http://h/", "https://h.example.org:8443/pipeline//"])
def test_an_address_is_taken_without_its_last_slash(host: str) -> None:
    assert checked_host(host) == host.rstrip("/")


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("kubeflow.example.org", "is no address; give it as https://HOST"),
        ("ftp://h", "is no address"),
        ("http://[h", "is no address"),
        ("http://h:x", "is no address"),
        ("", "is no address"),
        ("http://h/pipeline/#/runs", "is the address of a page"),
        ("http://h?a=b", "is the address of a page"),
    ],
)
def test_what_is_no_address_of_a_server_is_refused(host: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_host(host)


@pytest.mark.parametrize("host", ["http://ann:pea@h", "ann:pea@h", "http://ann:pea@h:x"])
def test_a_password_in_the_address_is_refused_unseen(host: str) -> None:
    with pytest.raises(InputError) as refused:
        checked_host(host)
    assert "pea" not in str(refused.value)
