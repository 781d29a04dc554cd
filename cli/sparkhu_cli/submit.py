"""`sparkhu submit`: the pipelines on a Kubeflow cluster, once or by a schedule."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.failures import INTERRUPTED
from sparkhu_cli.given_parameters import parameters_of
from sparkhu_cli.options import (
    CLUSTER_OPTION,
    FAN_OUT_OPTION,
    INTERVAL_OPTIONS,
    LAKE_OPTIONS,
    METADATA_OPTIONS,
    PARAMETER_OPTIONS,
    SOURCE_OPTIONS,
    source_option,
    with_options,
)

if TYPE_CHECKING:
    from sparkhu_cli.terminal import Terminal
    from sparkhu_pipelines.submission.connecting import Connection
    from sparkhu_pipelines.submission.schedules import Schedule
    from sparkhu_pipelines.submission.submitting import Submission, Submitted

# What the predict pipeline takes beside its source; how the series were prepared comes with the model.
PREDICT: Final = ("duplicates", "model_name", "max_failed_share")
MACRO: Final = "[["

CLUSTER_OPTIONS = (
    click.option("--host", required=True, metavar="URL", help="Kubeflow Pipelines, such as https://HOST/pipeline."),
    click.option(
        "--pipeline",
        type=click.Choice(["forecast", "predict"]),
        default="forecast",
        show_default=True,
        help="Train and forecast, or forecast new data with the champion.",
    ),
    click.option("--cron", metavar="FIELDS", help='By a schedule, with --name: "0 3 * * *" is daily at three.  [once]'),
    click.option("--namespace", default="", metavar="NS", help="Your namespace, where there are several."),
    click.option("--experiment", default="sparkhu", show_default=True, metavar="NAME", help="Experiment of the run."),
    click.option("--name", metavar="NAME", help="Name of the run, or of the schedule, in place of ours of it."),
    CLUSTER_OPTION,
    FAN_OUT_OPTION,
    click.option("--wait", is_flag=True, help="Follow the run to its end; the exit code tells how it ended."),
)


@click.command(
    cls=Documented,
    short_help="Send a run or a schedule to a Kubeflow cluster.",
    example="""sparkhu submit --host https://kubeflow.example.org/pipeline --cluster cluster.yaml --lake s3://bucket/lake
    sparkhu submit --host http://localhost:8080 --lake s3://bucket/lake --cron "0 3 * * *" --name nightly""",
)
@with_options(*CLUSTER_OPTIONS)
@source_option(required=False)
@with_options(*LAKE_OPTIONS, *SOURCE_OPTIONS, *INTERVAL_OPTIONS, *METADATA_OPTIONS, *PARAMETER_OPTIONS)
def command(
    *,
    host: str,
    pipeline: str,
    cron: str | None,
    wait: bool,
    cluster: Path | None,
    preset: str | None,
    params: Path | None,
    **options: Any,
) -> None:
    """Send a pipeline to Kubeflow Pipelines: one run, or with --cron a run whenever the schedule says so.

    Sources are read by the tasks, so they are where the cluster reaches them. A schedule goes by the clock of the
    cluster, UTC unless it was set otherwise. The token to sign in with is taken from SPARKHU_KFP_TOKEN.
    """
    from sparkhu.settings import PipelinesAccess
    from sparkhu_cli.terminal import Terminal
    from sparkhu_pipelines.parameters import load_parameters
    from sparkhu_pipelines.submission.connecting import Connection

    about = {name: options.pop(name) for name in ("namespace", "experiment", "name", "fan_out")}
    schedule = _schedule(cron, about["name"], wait) if cron is not None else None
    given = [load_parameters(params) if params else {}, parameters_of(options)]
    submission = _submission(pipeline, _arguments(pipeline, given, preset or ""), cluster, about)
    terminal = Terminal()
    connection = Connection(host, PipelinesAccess(), lambda line: terminal.marked("!", line))
    _send(connection, submission, schedule, terminal, wait)


def _schedule(cron: str, name: str | None, wait: bool) -> "Schedule":
    """Read the schedule. It wants a name, by which a later one replaces it: two lakes would share one by default."""
    from sparkhu.errors import InputError
    from sparkhu_pipelines.submission.schedules import parse_schedule

    if wait:
        raise InputError("--wait follows one run, and --cron makes many. Leave one of them out.")
    if not name:
        told = "a schedule wants a name, since it replaces the one of its name"
        raise InputError(f"{told}. Give --cron a --name that says what it runs over, such as --name sales-nightly.")
    return parse_schedule(cron)


def _submission(pipeline: str, arguments: dict[str, Any], cluster: Path | None, about: dict[str, Any]) -> "Submission":
    """Put together what is sent, and check that the tasks of the cluster can work with it."""
    from sparkhu_pipelines.cluster.settings import load_cluster
    from sparkhu_pipelines.submission.addresses import check_addresses, check_registry
    from sparkhu_pipelines.submission.submitting import Submission

    settings = load_cluster(cluster)
    check_addresses(arguments, settings)
    check_registry(settings)
    name = about["name"] or f"sparkhu-{pipeline} {datetime.now(UTC):%F %T}"
    place = {"experiment": about["experiment"], "namespace": about["namespace"], "groups": about["fan_out"]}
    return Submission(pipeline, arguments, settings, name, **place)


def _arguments(pipeline: str, given: list[dict[str, Any]], preset: str) -> dict[str, Any]:
    """Check the parameters as `sparkhu run` does, and give those that the pipeline takes."""
    from sparkhu.errors import InputError
    from sparkhu_pipelines.parameters import SourceParameters, run_parameters

    for name, value in ((name, layer.get(name)) for layer in given for name in ("start", "end")):
        if MACRO in str(value):
            told = f"{name} '{value}' would reach the tasks as it stands: Kubeflow Pipelines replaces no such words in"
            raise InputError(f"{told} what is sent. Leave {name} out; each run reads what is there when it begins.")
    checked = run_parameters(*given, preset=preset).model_dump(mode="json", exclude_none=True)
    if pipeline == "forecast":
        return checked
    taken = (*SourceParameters.model_fields, *PREDICT)
    for name in (name for layer in given for name, value in layer.items() if value is not None):
        if name.partition(".")[0] not in taken:
            raise InputError(f"{name} is not for --pipeline predict: it comes with the model. Leave it out.")
    if preset:
        raise InputError(f"preset '{preset}' is not for --pipeline predict: all of it comes with the model.")
    return {name: checked[name] for name in taken}


def _send(
    connection: "Connection", submission: "Submission", schedule: "Schedule | None", terminal: "Terminal", wait: bool
) -> None:
    from sparkhu_pipelines.submission.submitting import submit_run, submit_schedule

    if schedule is None:
        made = submit_run(connection, submission)
        terminal.marked("✓", f"run {made.id} started: {submission.name}")
        terminal.line(f"Follow it: {made.page}")
        if wait:
            _wait(connection, made, terminal)
        return
    made = submit_schedule(connection, submission, schedule)
    replaced = f", in place of {made.replaced} of its name" if made.replaced else ""
    terminal.marked("✓", f"schedule {made.id} made: {submission.name}{replaced}")
    first = schedule.after(datetime.now(UTC))
    terminal.line(f"First run: {first:%F %H:%M} by the clock of the cluster, UTC unless it was set otherwise")
    if submission.arguments["end"]:
        terminal.marked("!", f"every run ends at {submission.arguments['end']}; without --end it takes what is new")
    terminal.line(f"See, pause or delete it: {made.page}")


def _wait(connection: "Connection", made: "Submitted", terminal: "Terminal") -> None:
    from sparkhu_cli.terminal import seconds_text
    from sparkhu_pipelines.submission.submitting import follow

    began = datetime.now(UTC)
    try:
        follow(connection, made.id, lambda state: terminal.line(f"  {datetime.now(UTC):%T} {state.lower()}"))
    except KeyboardInterrupt:
        terminal.line()
        terminal.line(f"No longer followed; the run goes on. End it on its page: {made.page}")
        raise click.exceptions.Exit(INTERRUPTED) from None
    terminal.marked("✓", f"done in {seconds_text((datetime.now(UTC) - began).total_seconds())}")
