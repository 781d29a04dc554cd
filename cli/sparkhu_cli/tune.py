"""`sparkhu tune`: a Katib experiment, run right here or by Katib."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.engine_options import RUNNER_OPTION, engine_settings
from sparkhu_cli.failures import INTERRUPTED
from sparkhu_cli.options import out_option
from sparkhu_cli.session import Session

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

    from sparkhu.tuning.following import Launcher
    from sparkhu.tuning.result import Result
    from sparkhu_cli.tuning_progress import TuningProgress


@click.command(
    cls=Documented,
    short_help="Search good values: a Katib experiment, run here or by Katib.",
    example="sparkhu tune experiment.yaml --out tuned\n"
    "sparkhu tune experiment.yaml --out tuned --engine katib --namespace research",
)
@click.argument("experiment", type=click.Path(path_type=Path, dir_okay=False), metavar="EXPERIMENT")
@click.option(
    "--engine",
    type=click.Choice(["local", "katib"]),
    default="local",
    show_default=True,
    help="What runs the trials: this machine, or Katib in a cluster.",
)
@click.option("--namespace", metavar="NS", help="Namespace of Katib's objects.  [that of the experiment]")
@click.option(
    "--command", "words", metavar="COMMAND", help="Run this instead of the container's command; placeholders hold."
)
@RUNNER_OPTION
@out_option("Folder that keeps the experiment, its trials and what they wrote.", default="tuned")
@click.pass_context
def command(
    ctx: click.Context, /, *, experiment: Path, engine: str, namespace: str | None, words: str | None, out: Path
) -> None:
    """Run the trials of a Katib v1beta1 Experiment, written in YAML, until it succeeds or fails.

    The same command goes on where it was stopped, however it was stopped.
    """
    from sparkhu.errors import SparkhuError
    from sparkhu.tuning.reading import read_experiment
    from sparkhu.tuning.result import Interrupted
    from sparkhu_cli.terminal import Terminal
    from sparkhu_cli.tuning_progress import TuningProgress

    session: Session = ctx.obj
    session.open_log("tune")
    read = read_experiment(experiment)
    progress = TuningProgress(read, out, Terminal())
    try:
        run = _by_katib if engine == "katib" else _here
        result = run(read, namespace=namespace, words=words, session=session, out=out, progress=progress)
    except Interrupted as interruption:
        progress.interrupted(interruption.result, interruption.note)
        ctx.exit(INTERRUPTED)
    progress.finished(result, by_katib=engine == "katib")
    if not result.succeeded:
        raise SparkhuError(progress.failure(result))


def _here(
    experiment: "V1beta1Experiment",
    *,
    namespace: str | None,
    words: str | None,
    session: Session,
    out: Path,
    progress: "TuningProgress",
) -> "Result":
    """Run the trials on this machine."""
    from sparkhu.errors import InputError
    from sparkhu.tuning.engine import run_jobs

    if namespace is not None:
        raise InputError("--namespace is for --engine katib, got --engine local. Leave one of them out.")
    launching: AbstractContextManager[Launcher]
    if engine_settings(session).runner == "docker":
        from sparkhu_pipelines.local.trial_containers import containers

        launching = containers(out)
    else:
        from sparkhu.tuning.processes import processes

        launching = processes()
    with launching as launcher:
        return run_jobs(
            experiment,
            launcher=launcher,
            out=out,
            command=words,
            on_trial=progress.on_trial,
            on_resume=progress.on_resume,
        )


def _by_katib(
    experiment: "V1beta1Experiment",
    *,
    namespace: str | None,
    words: str | None,
    session: Session,
    out: Path,
    progress: "TuningProgress",
) -> "Result":
    """Have Katib run the trials."""
    from sparkhu.errors import InputError
    from sparkhu.tuning.katib import run_on_katib

    for name, given in (("--command", words), ("--runner", session.engine.get("runner"))):
        if given is not None:
            raise InputError(f"{name} is for --engine local, got --engine katib. Leave one of them out.")
    place = namespace or experiment.metadata.namespace
    if place is None:
        raise InputError("metadata.namespace: the experiment names none. Name it there, or with --namespace.")
    return run_on_katib(experiment, namespace=place, out=out, on_trial=progress.on_trial)
