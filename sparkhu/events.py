"""Progress of a running step, told as JSON lines to whoever watches.

A runner names a file in the variable `SPARKHU_EVENTS`, which is no setting that people make; steps append to it, each
line one event with a `kind`: `step_started`, `part_done` (of a source), `shard_done`, `trial_done` (of tuning),
`epoch_done` (of training), `step_finished`, `step_failed` and `note`. Without the variable nothing is written.
"""

import json
import os
from typing import Any


def emit(kind: str, **fields: Any) -> None:
    """Append one event. The line is written in a single call, so that several processes may write at once."""
    path = os.environ.get("SPARKHU_EVENTS")
    if not path:
        return
    line = json.dumps({"kind": kind, **fields}, default=str) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)
