"""Runs one pipeline with kfp's local runner, in a process group of its own.

`python -m sparkhu_pipelines.local.driver JOB` ends, with all its tasks, when its standard input does. JOB is JSON
written by `sparkhu_pipelines.local.running`; the folders of the pipeline's outputs go into the file that it names.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from sparkhu.errors import SparkhuError
from sparkhu_pipelines.local.ending import end_orphans, ending

INTERRUPTED = 130


def main(job_file: str) -> None:
    """Run the job and write where its outputs lie.

    Args:
        job_file: JSON with `module`, `pipeline`, `arguments`, `groups` (null, or for how many groups of shards
            `pipeline` makes one), `root` (folder of the run), `artifacts` (folder in it), `outputs` (file) and `runner`
            (`subprocess`, or `docker` for containers).
    """
    job = json.loads(Path(job_file).read_text())
    threading.Thread(target=_end_with_caller, args=(_private_input(), job), daemon=True).start()
    from kfp import local

    # At an interrupt KFP's runner would first begin what is left of a loop. The tasks are told by the same signal.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    pipeline = getattr(import_module(job["module"]), job["pipeline"])
    if job["groups"]:
        pipeline = pipeline(job["groups"])
    local.init(runner=_runner(job, pipeline), pipeline_root=job["artifacts"])
    task = pipeline(**job["arguments"])
    _check_ends(pipeline, Path(job["artifacts"]))
    outputs = {name: artifact.path for name, artifact in task.outputs.items()}
    Path(job["outputs"]).write_text(json.dumps(outputs))


def _check_ends(pipeline: Any, artifacts: Path) -> None:
    """Check that every task has written what KFP's executor writes last.

    KFP's runner takes it for a success when a container is gone before it was asked how it ended.

    Raises:
        SparkhuError: One has not.
    """
    components = pipeline.pipeline_spec.components.items()
    tasks = {name.removeprefix("comp-") for name, component in components if component.executor_label}
    if missing := sorted(tasks - {path.parent.name for path in artifacts.rglob("executor_output.json")}):
        raise SparkhuError(f"{missing[0]} was killed: it ended without a word")


def _runner(job: Mapping[str, Any], pipeline: Any) -> Any:
    """Make the runner that the job asks for; images are looked at before anything runs in one."""
    from kfp import local

    if job["runner"] == "subprocess":
        return local.SubprocessRunner(use_venv=False)
    from sparkhu_pipelines.local.containers import check_images, runner

    root, executors = Path(job["root"]), pipeline.pipeline_spec.deployment_spec["executors"]
    check_images(executor["container"]["image"] for executor in executors.values())
    end_orphans()
    return runner(job["arguments"], root, os.environ)


def _private_input() -> int:
    """Take standard input for this process alone; the tasks are given an empty one."""
    held, empty = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return held


def _end_with_caller(held: int, job: Mapping[str, Any]) -> None:
    """End the whole process group, if it is the driver's own, once the caller has gone and standard input ends.

    Containers are no processes of the group: what ends them outlives it.
    """
    while os.read(held, 1024):
        pass
    if os.getpgrp() != os.getpid():
        return
    if job["runner"] == "docker":
        ending(Path(job["root"]))
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
