"""Progress of a running step, told as JSON lines to whoever watches.

A runner names a file in `SPARKHU_EVENTS`; steps append to it, each line one event with a `kind`:
`step_started`, `part_done` (of a source), `shard_done`, `step_finished`, `step_failed` and `note`. Without the variable
nothing is written.
"""

import json
import os
from typing import Any


def emit(kind: str, **fields: Any) -> None:
    """Append one event. The line is written in a single call, so that several processes may write at once."""
    # Imported here: workers start with every step, tell nothing, and need not read what settings are made of.
    from sparkhu.settings import Settings

    path = Settings().events
    if path is None:
        return
    line = json.dumps({"kind": kind, **fields}, default=str) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)
