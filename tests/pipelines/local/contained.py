"""What the tests of containers share: how they begin a small run, find its containers and kill one."""

import os
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sparkhu_pipelines.local.ending import RUN, engine
from sparkhu_pipelines.local.running import run_locally

MARKS = [pytest.mark.containers, pytest.mark.xdist_group("containers"), pytest.mark.usefixtures("docker_engine")]


def marked(*marks: pytest.MarkDecorator) -> Any:
    def decorate(test: Any) -> Any:
        for mark in marks:
            test = mark(test)
        return test

    return decorate


with_images = marked(*MARKS)


def tiny(folder: Path, pipeline: str, arguments: dict[str, Any], on_event: Any = lambda _: None) -> dict[str, Path]:
    root = folder / "root"
    root.mkdir()
    return run_locally(
        "tiny_pipeline", pipeline, arguments, root=root, log=folder / "run.log", on_event=on_event, runner="docker"
    )


def containers_of(root: Path) -> list[Any]:
    with closing(engine()) as client:
        return list(client.containers.list(all=True, filters={"label": f"{RUN}={root}"}))


def kill_container(folder: Path, step: str, given_up: threading.Event) -> None:
    """Kill the container of a step of a run in a folder, as soon as there is one."""
    with closing(engine()) as client:
        while not given_up.is_set():
            for container in client.containers.list(ignore_removed=True):
                if container.labels.get(RUN, "").startswith(f"{folder}{os.sep}") and step in container.attrs["Args"]:
                    container.kill()
                    return
            time.sleep(0.02)
