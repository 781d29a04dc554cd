"""End the containers of a run: `python -m sparkhu_pipelines.local.ending ROOT`, where ROOT is the folder of the run.

Containers are no children of the run that began them. So each says by its labels whose it is.
"""

import os
import socket
import sys
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError, SparkhuError

RUN, OWNER = "org.sparkhu.run", "org.sparkhu.owner"
"""Labels of a container: the folder of its run, and who began it where. Another host may use the same engine, and not
see the folder of the run."""
QUIET_SECONDS, LONGEST_SECONDS = 0.5, 20.0


def engine() -> Any:
    """Connect to the Docker engine that `DOCKER_HOST` names, or that of this machine.

    Raises:
        InputError: No engine answers.
    """
    import docker

    try:
        with ExitStack() as closed:
            client = docker.from_env()
            closed.push(closing(client))
            client.ping()
            closed.pop_all()
    except docker.errors.DockerException as error:
        where = os.environ.get("DOCKER_HOST", "the socket of this machine")
        told = "Start Docker, name its socket in DOCKER_HOST, or leave --runner docker out."
        raise InputError(f"no Docker engine answers at {where} ({error}). {told}") from error
    return client


def owner() -> str:
    """Name this user on this host."""
    return f"{os.getuid()}@{socket.gethostname()}"


def end_command(root: Path) -> list[str]:
    """Give the command that ends the containers of a run; a process of its own, it also outlives the run."""
    return [sys.executable, "-m", "sparkhu_pipelines.local.ending", str(root)]


def end_containers(root: Path) -> None:
    """End the containers of a run, and those of runs whose folder is gone: whoever began them was killed.

    An engine may still be about to begin one that a driver asked for before it was ended: so it is asked again until
    it has been quiet for a moment.

    Raises:
        SparkhuError: The engine does not end them.
    """
    from docker.errors import APIError, NotFound

    quiet_since, until = time.monotonic(), time.monotonic() + LONGEST_SECONDS
    with closing(engine()) as client:
        while time.monotonic() < quiet_since + QUIET_SECONDS:
            for container in client.containers.list(all=True, filters={"label": f"{OWNER}={owner()}"}):
                where = container.labels.get(RUN, "")
                if where == str(root) or not os.path.lexists(where):
                    with suppress(NotFound, APIError):  # it has just ended, or is being removed
                        container.remove(force=True)
                    quiet_since = time.monotonic()
            if quiet_since > until:
                raise SparkhuError(f"containers of the run are not ended. See: docker ps --filter label={RUN}={root}")
            time.sleep(QUIET_SECONDS / 5)


if __name__ == "__main__":
    end_containers(Path(sys.argv[1]))
