"""Runs one pipeline with kfp's local runner, in a process group of its own: `python -m sparkhu_pipelines.driver JOB`.

JOB is a JSON file written by `sparkhu_pipelines.local`; the folders of the pipeline's outputs go into the file that it
names.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

INTERRUPTED = 130


def main(job_file: str) -> None:
    """Run the job and write where its outputs lie.

    Args:
        job_file: JSON with `module`, `pipeline`, `arguments`, `groups` (null, or for how many groups of shards
            `pipeline` makes one), `root` (folder for artifacts) and `outputs` (file).
    """
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


if __name__ == "__main__":
    main(sys.argv[1])
