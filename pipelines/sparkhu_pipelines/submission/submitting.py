"""Send runs and schedules to Kubeflow Pipelines, each exactly once, and follow a run to its end."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from sparkhu.errors import InputError, SparkhuError
from sparkhu_pipelines.cluster.settings import Cluster
from sparkhu_pipelines.compiling import compile_pipeline
from sparkhu_pipelines.submission.connecting import Connection
from sparkhu_pipelines.submission.refusals import HttpError
from sparkhu_pipelines.submission.schedules import Schedule

POLL_SECONDS: Final = 5.0
CONFLICT: Final = 409
DONE: Final = ("SUCCEEDED", "SKIPPED")
ENDED: Final = (*DONE, "FAILED", "CANCELED")
PAGE: Final = 100
MARK: Final = "Submitted by Sparkhu "
"""How the descriptions of our own runs and schedules begin."""


@dataclass(frozen=True)
class Submission:
    """What is sent.

    Attributes:
        pipeline: Name of the pipeline, `forecast` or `predict`.
        arguments: The pipeline's arguments.
        cluster: Settings of the cluster.
        name: Name of the run or schedule.
        experiment: Name of the experiment that it belongs to.
        namespace: Namespace of the experiment; empty: there is one for all.
        groups: Groups of shards that the forecast pipeline prepares side by side.
    """

    pipeline: str
    arguments: Mapping[str, Any]
    cluster: Cluster
    name: str
    experiment: str
    namespace: str = ""
    groups: int = 1


@dataclass(frozen=True)
class Submitted:
    """What was made of it.

    Attributes:
        id: Id of the run or schedule.
        page: Its page.
        replaced: How many schedules of the same name it replaced.
    """

    id: str
    page: str
    replaced: int = 0


def submit_run(connection: Connection, submission: Submission) -> Submitted:
    """Start a run.

    Raises:
        InputError: The server refuses it.
        SparkhuError: The server fails, after a number of tries.
    """
    import kfp_server_api as api

    body, mark = _body(connection, submission)
    # The generated client serialises what it is given, so the same body is sent at every try.
    run = api.V2beta1Run(**body)
    made = connection.make(
        "starting the run",
        lambda: connection.send(connection.runs.run_service_create_run, run=run),
        lambda: _first(each for each in _named(connection, "runs", body) if each.description == mark),
    )
    return Submitted(made.run_id, f"{connection.host}/#/runs/details/{made.run_id}")


def submit_schedule(connection: Connection, submission: Submission, schedule: Schedule) -> Submitted:
    """Start a run whenever a schedule says so, in place of ours of the same name in the experiment.

    The new one is made before the old ones are deleted, so a failure leaves one too many rather than none.

    Raises:
        InputError: The server refuses it, or a schedule of the name was made by another.
        SparkhuError: The server fails, after a number of tries.
    """
    import kfp_server_api as api

    body, mark = _body(connection, submission)
    recurring = api.V2beta1RecurringRun(
        **body,
        mode=api.RecurringRunMode.ENABLE,
        no_catchup=True,
        max_concurrency="1",
        trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=schedule.six_fields)),
    )
    former = _ours(_named(connection, "recurring_runs", body), submission)
    made = connection.make(
        "making the schedule",
        lambda: connection.send(
            connection.schedules.recurring_run_service_create_recurring_run, recurring_run=recurring
        ),
        lambda: _first(each for each in _named(connection, "recurring_runs", body) if each.description == mark),
    )
    for each in former:
        _delete(connection, each.recurring_run_id)
    page = f"{connection.host}/#/recurringrun/details/{made.recurring_run_id}"
    return Submitted(made.recurring_run_id, page, len(former))


def follow(connection: Connection, run: str, show: Callable[[str], None]) -> str:
    """Wait for the end of a run.

    Args:
        connection: Where it runs.
        run: Its id.
        show: Called with each state that it is in, once.

    Returns:
        The state that it ended in.

    Raises:
        SparkhuError: It did not succeed; the message names the tasks that failed.
    """
    seen = ""
    while True:
        found = connection.ask("following the run", connection.runs.run_service_get_run, run_id=run)
        state = str(found.state or "PENDING")
        if state != seen:
            show(state)
        seen = state
        if state in DONE:
            return state
        if state in ENDED:
            raise SparkhuError(f"the run ended as {state.lower()}{_why(found)}. Its page tells more.")
        time.sleep(POLL_SECONDS)


def package_of(submission: Submission) -> dict[str, Any]:
    """Compile the pipeline for the cluster, in the form that the API takes.

    Returns:
        The pipeline and what is Kubernetes' own in it; where there is nothing of that, the pipeline alone.
    """
    with TemporaryDirectory(prefix="sparkhu-submit-") as folder:
        file = compile_pipeline(submission.pipeline, Path(folder), submission.groups, submission.cluster)
        pipeline, *platform = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    return {"pipeline_spec": pipeline, "platform_spec": platform[0]} if platform else dict(pipeline)


def _body(connection: Connection, submission: Submission) -> tuple[dict[str, Any], str]:
    """Give what runs and schedules have in common, and the mark that tells this one from others of its name."""
    import kfp_server_api as api

    package = package_of(submission)
    namespace = _checked_namespace(connection, submission.namespace)
    mark = f"{MARK}{version('sparkhu')}, {secrets.token_hex(8)}"
    runtime = api.V2beta1RuntimeConfig(
        parameters=dict(submission.arguments), pipeline_root=submission.cluster.pipeline_root or None
    )
    body = {
        "experiment_id": _experiment(connection, submission.experiment, namespace),
        "display_name": submission.name,
        "description": mark,
        "pipeline_spec": package,
        "runtime_config": runtime,
        "service_account": submission.cluster.service_account or None,
    }
    return body, mark


def _checked_namespace(connection: Connection, namespace: str) -> str:
    """Ask whether the server serves several users, who each have a namespace."""
    health = connection.ask("reaching Kubeflow Pipelines", connection.health.healthz_service_get_healthz)
    if health.multi_user and not namespace:
        raise InputError(f"{connection.host} serves several users. Name your namespace with --namespace.")
    return namespace


def _experiment(connection: Connection, name: str, namespace: str) -> str:
    """Give the id of an experiment, which is made where there is none."""
    import kfp_server_api as api

    service = connection.experiments

    def find() -> Any:
        found = connection.ask(
            "finding the experiment",
            service.experiment_service_list_experiments,
            filter=_with_name(name),
            **({"namespace": namespace} if namespace else {}),
        )
        return _first(found.experiments or ())

    experiment = api.V2beta1Experiment(display_name=name, namespace=namespace or None)

    def create() -> Any:
        try:
            return connection.send(service.experiment_service_create_experiment, experiment=experiment)
        except HttpError as problem:
            # Another made it since it was looked for.
            if problem.status == CONFLICT and (found := find()):
                return found
            raise

    made = find() or connection.make("making the experiment", create, find)
    return str(made.experiment_id)


def _named(connection: Connection, kind: str, body: Mapping[str, Any]) -> list[Any]:
    """List the runs or schedules of the same name in the experiment, all pages of them."""
    ask = {
        "runs": connection.runs.run_service_list_runs,
        "recurring_runs": connection.schedules.recurring_run_service_list_recurring_runs,
    }[kind]
    about = {"experiment_id": body["experiment_id"], "filter": _with_name(body["display_name"]), "page_size": PAGE}
    found: list[Any] = []
    token = ""
    while True:
        page = connection.ask(f"listing {kind.replace('_', ' ')}", ask, **about, page_token=token)
        found += getattr(page, kind) or ()
        token = page.next_page_token
        if not token:
            return found


def _ours(former: list[Any], submission: Submission) -> list[Any]:
    """Give the schedules that a new one may replace: those that Sparkhu made."""
    for each in former:
        if not str(each.description or "").startswith(MARK):
            told = f"experiment '{submission.experiment}' has a schedule '{submission.name}', {each.recurring_run_id},"
            raise InputError(f"{told} that Sparkhu did not make and does not replace. Give another name with --name.")
    return former


def _delete(connection: Connection, schedule: str) -> None:
    """Delete a schedule; that it has gone already is no failure."""
    try:
        connection.ask(
            "deleting the former schedule",
            connection.schedules.recurring_run_service_delete_recurring_run,
            recurring_run_id=schedule,
        )
    except InputError as error:
        if isinstance(error.__cause__, HttpError) and error.__cause__.status == 404:
            return
        told = f"the new schedule runs beside the former one, {schedule}, which could not be deleted: {error}"
        raise SparkhuError(told) from error


def _with_name(name: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _first(found: Any) -> Any:
    return next(iter(found), None)


def _why(run: Any) -> str:
    """Name the tasks that failed, or say what the server says of the run."""
    details = run.run_details.task_details if run.run_details else None
    failed = [str(each.display_name) for each in details or () if each.state == "FAILED" and each.display_name]
    if failed:
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        return f": {', '.join(failed[:3])}{more} failed"
    message = " ".join(str(run.error.message).split()) if run.error and run.error.message else ""
    return f": {message.rstrip('.')}" if message else ""
