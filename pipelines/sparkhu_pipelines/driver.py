"""Runs one pipeline with kfp's local runner, in a process group of its own: `python -m sparkhu_pipelines.driver JOB`.

It ends, with all its tasks, when its standard input does. JOB is a JSON file written by `sparkhu_pipelines.local`; the
folders of the pipeline's outputs go into the file that it names.
"""

import json
import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path

INTERRUPTED = 130


def main(job_file: str) -> None:
    """Run the job and write where its outputs lie.

    Args:
        job_file: JSON with `module`, `pipeline`, `arguments`, `groups` (null, or for how many groups of shards
            `pipeline` makes one), `root` (folder for artifacts) and `outputs` (file).
    """
    threading.Thread(target=_end_with_caller, args=(_private_input(),), daemon=True).start()
    from kfp import local

    # At an interrupt KFP's runner would first begin what is left of a loop. The tasks are told by the same signal.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    job = json.loads(Path(job_file).read_text())
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=job["root"])
    pipeline = getattr(import_module(job["module"]), job["pipeline"])
    if job["groups"]:
        pipeline = pipeline(job["groups"])
    task = pipeline(**job["arguments"])
    outputs = {name: artifact.path for name, artifact in task.outputs.items()}
    Path(job["outputs"]).write_text(json.dumps(outputs))


def _private_input() -> int:
    """Take standard input for this process alone; the tasks are given an empty one."""
    held, empty = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return held


def _end_with_caller(held: int) -> None:
    """End the whole process group, if it is the driver's own, once the caller has gone and standard input ends."""
    while os.read(held, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
