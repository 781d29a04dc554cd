"""Run a pipeline on this machine and put its results in place, whole or not at all."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkhu_cli.engine_options import engine_of, runner_of
from sparkhu_cli.progress import Progress
from sparkhu_cli.session import Session
from sparkhu_cli.staging import Stage, staged
from sparkhu_cli.summary import show_accuracy
from sparkhu_cli.terminal import Terminal, seconds_text

RESULTS, REPORT, PUBLISHED, CHAMPION = "results", "report", "published", "champion"
PUBLISHED_FILE = "published.json"
ADDRESSES = ("source", "metadata")


def run_pipeline(
    name: str, arguments: Mapping[str, Any], *, out: Path, session: Session, terminal: Terminal, groups: int = 1
) -> dict[str, Any]:
    """Run a pipeline, show its progress, and leave its results in `out`.

    Passwords in addresses reach the steps as environment variables, and nothing that is written down.

    Args:
        name: `forecast` or `predict`: a module of `sparkhu_pipelines` with the pipeline `<name>_pipeline`.
        arguments: The pipeline's arguments.
        out: The results folder.
        session: The call that runs it; its log is opened.
        terminal: Where progress is shown.
        groups: Groups of shards that the forecast pipeline prepares side by side.

    Returns:
        The content of `run.json`.

    Raises:
        InputError: What the steps need is not installed, or this machine takes fewer workers.
        SparkhuError: The pipeline or storage fails; `out` is as it was before.
    """
    from sparkhu.sections import Training
    from sparkhu.stages.fitting import check_libraries, check_workers
    from sparkhu_pipelines.local.running import run_locally

    module, pipeline = f"sparkhu_pipelines.{name}", f"{name}_pipeline"
    if groups > 1:
        module, pipeline = "sparkhu_pipelines.fan_out", f"{name}_pipeline_over"
    arguments, secrets = _sealed(arguments)
    runner, training = runner_of(session), Training.of(arguments.get("training", {}))
    check_workers(training)
    if runner == "subprocess":
        check_libraries(training)
    log, progress = session.open_log(name), Progress(terminal)
    began = time.monotonic()
    with staged(out) as stage, engine_of(session, log=log) as engine:
        try:
            outputs = run_locally(
                module,
                pipeline,
                arguments,
                root=stage.work,
                log=log,
                on_event=progress.on_event,
                environment={**secrets, **engine},
                groups=groups if groups > 1 else None,
                runner=runner,
            )
        finally:
            terminal.clear()
        record = _collect(outputs, progress.records, stage, name, arguments)
        shutil.copyfile(log, stage.results / "run.log")
    _summarise(record, out, time.monotonic() - began, terminal)
    return record


def _sealed(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Take the passwords out of the arguments: the arguments without them, and the variables that hold them."""
    from sparkhu.sources.secrets import sealed

    found, variables = dict(arguments), dict[str, str]()
    for name in ADDRESSES:
        found[name], hidden = sealed(arguments[name])
        variables |= hidden
    return found, variables


def _collect(
    outputs: Mapping[str, Path],
    records: Mapping[str, dict[str, Any]],
    stage: Stage,
    name: str,
    arguments: Mapping[str, Any],
) -> dict[str, Any]:
    """Bring the files of the results together and describe the run.

    The history that the results carry ends with the step that wrote them; what came after is known from its event.
    """
    from sparkhu.lineage import StepRecord, Trail, read_trail
    from sparkhu.results import METRICS, REGISTRATION, UNREGISTERED, check_metrics, run_record, write_run
    from sparkhu.sources.secrets import redacted

    source = outputs[RESULTS]
    for path in source.iterdir():
        path.rename(stage.results / path.name)
    outputs[REPORT].rename(stage.results / "report.html")
    if PUBLISHED in outputs and arguments.get("lake"):
        shutil.copyfile(outputs[PUBLISHED] / PUBLISHED_FILE, stage.results / PUBLISHED_FILE)
    if CHAMPION in outputs and (outputs[CHAMPION] / REGISTRATION).is_file():
        outputs[CHAMPION].rename(stage.results / UNREGISTERED)
    metrics = stage.results / METRICS
    if metrics.is_file():
        check_metrics(json.loads(metrics.read_text(encoding="utf-8")))
    trail = read_trail([stage.results])
    known = {record.step for record in trail.history}
    later = [StepRecord(**record) for step, record in records.items() if step not in known]
    whole = Trail((*trail.history, *later), trail.entries)
    shown = {**arguments, **{each: redacted(arguments[each]) for each in ADDRESSES}}
    run = run_record(whole, pipeline=name, parameters=shown)
    write_run(run, stage.results)
    return run.model_dump(mode="json")


def _summarise(record: Mapping[str, Any], out: Path, seconds: float, terminal: Terminal) -> None:
    warnings = record["warnings"]
    if warnings:
        terminal.line()
        terminal.marked("!", f"{len(warnings)} warning{'s' * (len(warnings) != 1)}")
        for warning in warnings:
            terminal.line(f"    {warning}")
    metrics = out / "metrics.json"
    if metrics.is_file():
        show_accuracy(json.loads(metrics.read_text(encoding="utf-8")), terminal)
    terminal.line()
    published = out / PUBLISHED_FILE
    if published.is_file():
        told = json.loads(published.read_text(encoding="utf-8"))
        terminal.line(f"Version {told['version']} of '{told['lake']}' holds the interval, published by {told['run']}")
    terminal.line(f"{len(record['steps'])} steps in {seconds_text(seconds)}; results in {out}")
    terminal.line(f"Open the report: {out / 'report.html'}")
