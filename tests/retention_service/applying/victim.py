"""Runs that are killed: `python -m tests.retention_service.applying.victim` forks one for every line that it reads.

A line is JSON: the `root` of a world, `what` to do in it (`apply`, `purge`, `restore`), and `nth`: the write before
which it is killed, to a folder or to the database; 0 if another will kill it.
"""

from datetime import datetime
from pathlib import Path

from sparkhu_retention.applying import archive
from sparkhu_retention.applying.restoring import restore
from tests.retention_service.applying.striking import Strike, WatchedDatabase, struck
from tests.retention_service.applying.world import World
from tests.sparkhu.lake.victim import die, serve


def opened(task: dict[str, str]) -> World:
    """Open the world of a task."""
    root = Path(task["root"])
    database = WatchedDatabase(f"sqlite:///{root / 'retention.sqlite'}")
    world = World(root, database, now=datetime.fromisoformat(task["now"]), archive_uri=task.get("archive", ""))
    if task.get("live"):
        from sparkhu_retention.storages.opening import open_retained

        world.storage = open_retained(task["live"], "s3", {"dates": "day={date}"})
    return world


def act(task: dict[str, str]) -> None:
    """Do what a line asks for."""
    archive.AT_ONCE = 1  # type: ignore[misc]  # else the order of the writes, and how many there are, differs
    world = opened(task)
    with struck(Strike(task["root"], int(task.get("nth", "0")), die, lambda _: None)):
        if task["what"] == "restore":
            restore(world.work(), task["ids"].split(","))
        else:
            world.apply(task["plan"] if task["what"] == "apply" else None)


if __name__ == "__main__":
    serve(act)
