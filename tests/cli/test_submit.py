"""`sparkhu submit` against a server that speaks the API of Kubeflow Pipelines: runs, schedules, and each made once."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.submitter import CLUSTER, MINIMAL, SOURCE, Submit, told
from tests.pipelines_api import Fault, PipelinesApi, error


def test_a_run_is_sent_with_its_pipeline_parameters_and_place(api: PipelinesApi, submit: Submit) -> None:
    result = submit(*SOURCE, "--horizon", "7", "--set", "guard.mode=never", "--name", "sales of today")
    assert (result.exit_code, result.stderr) == (0, "")
    (run,) = api.runs
    assert run["display_name"] == "sales of today"
    assert run["runtime_config"]["pipeline_root"] == "s3://sparkhu/runs"
    parameters = run["runtime_config"]["parameters"]
    assert (parameters["source"], parameters["horizon"], parameters["guard"]["mode"]) == (SOURCE[1], 7, "never")
    package = run["pipeline_spec"]
    assert package["pipeline_spec"]["pipelineInfo"]["name"] == "sparkhu-forecast"
    container = package["pipeline_spec"]["deploymentSpec"]["executors"]["exec-train-linear"]["container"]
    assert container["image"].startswith("registry.example.org/team/sparkhu/")
    assert container["resources"]["resourceMemoryRequest"] == "8Gi"
    on_kubernetes = package["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert on_kubernetes["exec-train-linear"]["activeDeadlineSeconds"] == "7200"
    secrets = {each["secretName"] for each in on_kubernetes["exec-ingest"]["secretAsEnv"]}
    assert secrets == {"object-store", "sales"}
    (experiment,) = api.kept["experiments"].values()
    assert (experiment["display_name"], run["experiment_id"]) == ("sparkhu", experiment["experiment_id"])
    assert f"run {run['run_id']} started: sales of today" in result.stdout
    assert f"{api.url}/#/runs/details/{run['run_id']}" in result.stdout


@pytest.mark.parametrize("pipeline", ["forecast", "predict"])
def test_the_address_of_the_registry_is_all_that_a_cluster_file_must_hold(
    api: PipelinesApi, submit: Submit, tmp_path: Path, pipeline: str
) -> None:
    (tmp_path / "cluster.yaml").write_text(MINIMAL)
    result = submit(*SOURCE, "--pipeline", pipeline)
    assert (result.exit_code, result.stderr) == (0, "")
    package = api.runs[0]["pipeline_spec"]
    assert package["pipelineInfo"]["name"] == f"sparkhu-{pipeline}"
    variables = package["deploymentSpec"]["executors"]["exec-ingest"]["container"]["env"]
    assert {"name": "SPARKHU_TRACKING_URI", "value": "http://mlflow.mlflow:5000"} in variables


def test_an_experiment_that_is_there_is_used(api: PipelinesApi, submit: Submit) -> None:
    for _ in range(2):
        assert submit(*SOURCE, "--experiment", "sales").exit_code == 0
    (experiment,) = api.kept["experiments"].values()
    assert {run["experiment_id"] for run in api.runs} == {experiment["experiment_id"]}


def test_runs_without_a_name_are_told_apart(api: PipelinesApi, submit: Submit) -> None:
    assert submit(*SOURCE, "--pipeline", "predict", "--model", "sales").exit_code == 0
    (run,) = api.runs
    assert run["display_name"].startswith("sparkhu-predict 20")
    assert run["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "sparkhu-predict"
    assert run["runtime_config"]["parameters"]["model_name"] == "sales"


def test_the_groups_of_a_fan_out_are_a_loop_of_the_pipeline(api: PipelinesApi, submit: Submit) -> None:
    assert submit(*SOURCE, "--fan-out", "3").exit_code == 0
    tasks = api.runs[0]["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    loops = [task["parameterIterator"]["items"]["raw"] for task in tasks.values() if "parameterIterator" in task]
    assert loops == ["[1, 2, 3]"]


def test_a_schedule_runs_by_six_fields_one_run_at_a_time(api: PipelinesApi, submit: Submit) -> None:
    result = submit("--lake", "s3://bucket/lake", "--cron", "30 3 * * mon-fri", "--name", "sales")
    assert (result.exit_code, result.stderr) == (0, "")
    (schedule,) = api.schedules
    assert schedule["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * 1,2,3,4,5"}}
    assert (schedule["display_name"], schedule["mode"], schedule["no_catchup"]) == ("sales", "ENABLE", True)
    assert schedule["max_concurrency"] == "1"
    assert schedule["runtime_config"]["parameters"]["lake"] == "s3://bucket/lake"
    assert "03:30 by the clock of the cluster" in result.stdout
    assert f"{api.url}/#/recurringrun/details/{schedule['recurring_run_id']}" in result.stdout
    assert api.runs == []


def test_a_schedule_replaces_those_of_its_name_and_no_other(api: PipelinesApi, submit: Submit) -> None:
    for name in ("sales", "sales", "sales", "stock"):
        assert submit(*SOURCE, "--cron", "0 3 * * *", "--name", name).exit_code == 0
    result = submit(*SOURCE, "--cron", "0 4 * * *", "--name", "sales")
    assert "sales, in place of 1 of its name" in result.stdout
    crons = {each["display_name"]: each["trigger"]["cron_schedule"]["cron"] for each in api.schedules}
    assert crons == {"sales": "0 0 4 * * *", "stock": "0 0 3 * * *"}
    assert len(api.schedules) == 2


def test_the_former_schedule_stays_where_the_new_one_is_refused(api: PipelinesApi, submit: Submit) -> None:
    assert submit(*SOURCE, "--cron", "0 3 * * *", "--name", "sales").exit_code == 0
    api.fail(Fault("POST recurringruns", 400, content=error(3, "no")))
    assert submit(*SOURCE, "--cron", "0 4 * * *", "--name", "sales").exit_code == 2
    assert [each["trigger"]["cron_schedule"]["cron"] for each in api.schedules] == ["0 0 3 * * *"]


def test_a_former_schedule_that_cannot_be_deleted_is_told(api: PipelinesApi, submit: Submit) -> None:
    assert submit(*SOURCE, "--cron", "0 3 * * *", "--name", "sales").exit_code == 0
    former = api.schedules[0]["recurring_run_id"]
    api.fail(Fault("DELETE recurringruns", 403, content=error(7, "no right")))
    result = submit(*SOURCE, "--cron", "0 4 * * *", "--name", "sales")
    assert (result.exit_code, len(api.schedules)) == (1, 2)
    assert f"the new schedule runs beside the former one, {former}, which could not be deleted" in told(result)
    api.fail(Fault("DELETE recurringruns", 404, content=error(5, "gone")), 2)
    assert submit(*SOURCE, "--cron", "0 5 * * *", "--name", "sales").exit_code == 0


def test_what_every_run_of_a_schedule_ends_at_is_said(submit: Submit) -> None:
    result = submit("--lake", "s3://b/lake", "--cron", "@daily", "--name", "sales", "--end", "2024-02-01")
    assert "every run ends at 2024-02-01" in result.stdout


def test_an_answer_that_passes_is_waited_out_and_said(api: PipelinesApi, submit: Submit) -> None:
    api.fail(Fault("GET healthz", 503), 2)
    api.fail(Fault("POST runs", 429, headers=(("Retry-After", "0"),)))
    result = submit(*SOURCE)
    assert (result.exit_code, len(api.runs)) == (0, 1)
    lines = [line for line in result.stdout.splitlines() if "trying again" in line]
    assert [line.partition(" in ")[0] for line in lines] == [
        "! reaching Kubeflow Pipelines: answer 503; trying again",
        "! reaching Kubeflow Pipelines: answer 503; trying again",
        "! starting the run: answer 429; trying again",
    ]
    assert "in 0.0 s (2 of 5)" in lines[2]


def test_a_server_that_stays_away_is_given_up_after_the_stated_tries(api: PipelinesApi, submit: Submit) -> None:
    api.fail(Fault("GET healthz", 503), 9)
    result = submit(*SOURCE)
    assert (result.exit_code, len(api.requests)) == (1, 5)
    assert f"reaching Kubeflow Pipelines failed 5 times: {api.url} gives answer 503" in told(result)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST runs", done=True),
        Fault("POST runs", 503, done=True),
        Fault("POST runs", 504, done=True, content="<html>gateway</html>"),
    ],
)
def test_a_run_whose_answer_was_lost_is_found_and_not_made_twice(
    api: PipelinesApi, submit: Submit, fault: Fault
) -> None:
    for _ in range(4):  # others of the same name, over more than one page
        assert submit(*SOURCE, "--name", "sales").exit_code == 0
    others = set(api.kept["runs"])
    api.fail(fault)
    result = submit(*SOURCE, "--name", "sales")
    assert result.exit_code == 0
    (own,) = set(api.kept["runs"]) - others
    assert f"run {own} started" in result.stdout


def test_a_run_is_found_at_last_where_no_answer_ever_comes(api: PipelinesApi, submit: Submit) -> None:
    api.fail(Fault("POST runs", 503), 4)
    api.fail(Fault("POST runs", done=True))
    result = submit(*SOURCE)
    assert (result.exit_code, len(api.runs), len(api.said("POST runs"))) == (0, 1, 5)


def test_a_connection_that_closes_before_anything_was_done_is_tried_again(api: PipelinesApi, submit: Submit) -> None:
    api.fail(Fault("POST runs"))
    result = submit(*SOURCE)
    assert (result.exit_code, len(api.runs), len(api.said("POST runs"))) == (0, 1, 2)
    assert "a connection that closed before the answer was whole" in result.stdout


def test_schedules_and_experiments_are_not_made_twice_either(api: PipelinesApi, submit: Submit) -> None:
    api.fail(Fault("POST experiments", done=True))
    api.fail(Fault("POST recurringruns", done=True))
    assert submit(*SOURCE, "--cron", "0 3 * * *", "--name", "sales").exit_code == 0
    assert (len(api.kept["experiments"]), len(api.schedules)) == (1, 1)


def test_a_slow_server_is_not_waited_for_without_end(
    api: PipelinesApi, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkhu_pipelines.submission.connecting.TIMEOUT", (1.0, 0.2))
    api.fail(Fault("POST runs", 200, done=True, seconds=1.0, content={}))
    result = submit(*SOURCE)
    assert (result.exit_code, len(api.runs)) == (0, 1)
    assert "starting the run: no answer in time; trying again" in result.stdout


def test_a_server_that_is_not_there_is_said(submit: Submit) -> None:
    result = submit(*SOURCE, host="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "failed 5 times: http://127.0.0.1:9 gives no connection. Try again when it is up." in told(result)


def test_a_run_is_followed_to_its_end_and_each_state_told_once(api: PipelinesApi, submit: Submit) -> None:
    api.states = [{}, {"state": "PENDING"}, *[{"state": "RUNNING"}] * 3, {"state": "SUCCEEDED"}]
    api.fail(Fault("GET runs/", 503))
    result = submit(*SOURCE, "--wait")
    assert result.exit_code == 0
    states = [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("  ")]
    assert states == ["pending", "running", "succeeded"]
    assert "done in" in result.stdout


def test_a_run_that_fails_ends_the_command_with_the_tasks_that_failed(api: PipelinesApi, submit: Submit) -> None:
    tasks = [{"display_name": "ingest", "state": "SUCCEEDED"}, {"display_name": "evaluate", "state": "FAILED"}]
    api.states = [{"state": "FAILED", "run_details": {"task_details": tasks}}]
    result = submit(*SOURCE, "--wait")
    assert result.exit_code == 1
    assert "the run ended as failed: evaluate failed. Its page tells more." in told(result)
    api.states = [{"state": "CANCELED", "error": {"code": 1, "message": "canceled by ann"}}]
    assert "the run ended as canceled: canceled by ann." in told(submit(*SOURCE, "--wait"))


def test_ctrl_c_leaves_the_run_going_and_says_so(api: PipelinesApi, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    api.states = [{"state": "RUNNING"}]
    words = ["submit", "--host", api.url, "--cluster", str(tmp_path / "cluster.yaml"), *SOURCE, "--wait"]
    code = f"import sys; sys.argv[1:] = {words!r}; import sparkhu_cli.main as m; m.main()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while not api.said("GET runs/") and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")
    assert f"the run goes on. End it on its page: {api.url}/#/runs/details/".encode() in out
    assert {each.method for each in api.requests} == {"GET", "POST"}
