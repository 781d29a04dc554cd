"""Ingests and publications that are killed: `python -m tests.sparkhu.stages.victim`, told as `lake/victim.py` is.

A task has `what` (`append`, `publish`), the `lake`, `given` (the source that is appended, or the results that are
published) and `out`, the folder of what a publication says of itself.
"""

from sparkhu.sources import SourceOptions
from sparkhu.stages.appending import append_source
from sparkhu.stages.lake_publishing import publish_interval
from tests.sparkhu.lake.victim import serve


def act(task: dict[str, str]) -> None:
    """Do what a task asks for."""
    if task["what"] == "append":
        append_source(task["given"], SourceOptions(), lake=task["lake"])
    else:
        limits = {"start": "2024-01-02", "end": "2024-01-03"}
        publish_interval(results=task["given"], lake=task["lake"], out=task["out"], **limits)


if __name__ == "__main__":
    serve(act)
