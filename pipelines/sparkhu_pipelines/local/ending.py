"""End the containers of a run: `python -m sparkhu_pipelines.local.ending ROOT`, where ROOT is the folder of the run.

Containers are no children of the run that began them. So each says by its labels whose it is.
"""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError, SparkhuError

RUN, OWNER = "org.sparkhu.run", "org.sparkhu.owner"
"""Labels of a container: the folder of its run, and who began it where. Another host, or a container of this one, may
use the same engine and not see the folder of the run."""
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
        told = "Start Docker, join its group (docker), name its socket in DOCKER_HOST, or leave --runner docker out."
        raise InputError(f"no Docker engine answers at {where} ({error}). {told}") from error
    return client


def owner() -> str:
    """Name this user, this host, and what of its folders this process sees."""
    return f"{os.getuid()}@{socket.gethostname()} {os.readlink('/proc/self/ns/mnt')}"  # noqa: PTH115 - no path


def ending(root: Path) -> "subprocess.Popen[bytes]":
    """Begin to end the containers of a run, in a process that no signal to this one reaches and that outlives it.

    What it has to say of a failure goes into `ending.log` in the folder of the run.
    """
    command = [sys.executable, "-m", "sparkhu_pipelines.local.ending", str(root)]
    with (root / "ending.log").open("ab") as said:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, cwd="/"
        )


def end_containers(root: Path) -> None:
    """End the containers of a run.

    An engine may still be about to begin one that a driver asked for before it was ended: so it is asked again until
    it has been quiet for a moment.

    Raises:
        SparkhuError: The engine does not end them.
    """
    quiet_since, until = time.monotonic(), time.monotonic() + LONGEST_SECONDS
    with closing(engine()) as client:
        while time.monotonic() < quiet_since + QUIET_SECONDS:
            for container in _labelled(client, RUN, str(root)):
                _end(container)
                quiet_since = time.monotonic()
            if quiet_since > until:
                raise SparkhuError(f"containers of the run are not ended. See: docker ps --filter label={RUN}={root}")
            time.sleep(QUIET_SECONDS / 5)


def end_orphans() -> None:
    """End the containers of runs whose folder is gone: whoever began them was killed."""
    with closing(engine()) as client:
        for container in _labelled(client, OWNER, owner()):
            if not os.path.lexists(container.labels[RUN]):
                _end(container)


def _labelled(client: Any, label: str, value: str) -> list[Any]:
    # Containers remove themselves when they end, also while they are being listed.
    return list(client.containers.list(all=True, filters={"label": f"{label}={value}"}, ignore_removed=True))


def _end(container: Any) -> None:
    from docker.errors import APIError

    with suppress(APIError):  # it has just ended, or is being removed
        container.remove(force=True)


if __name__ == "__main__":
    end_containers(Path(sys.argv[1]))
