"""Tasks as containers of this machine: what each is given, which images will do, and how containers are ended.

A container has a read-only root and no right of the system's; it runs as the caller, so that what it writes is the
caller's. It sees the folder of the run, the files and folders that the run's arguments and settings name, each at its
own path, and no other. It has no network unless one of them lies elsewhere. `python -m sparkhu_pipelines.containers
ROOT` ends all containers of a run.
"""

import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lineage import code_fingerprint
from sparkhu.settings import Settings
from sparkhu.sources.secrets import PLACEHOLDER
from sparkhu_pipelines.places import places_of

RUN, OWNER = "org.sparkhu.run", "org.sparkhu.owner"
"""Labels of a container: the folder of its run, and the number of the user who began it."""
CODE = "org.sparkhu.code"
"""Label of an image: what `code_fingerprint` says in it."""
VARIABLES = re.compile(r"(SPARKHU|AWS|MLFLOW|FSSPEC|PG)[A-Z_]*|(HTTPS?|NO|https?|no)_(PROXY|proxy)")
"""Environment variables that containers are given, beside those that an argument names as `${NAME}`."""
SCRATCH = {"/tmp": "rw,nosuid,nodev,mode=1777,size=64m"}
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


def check_images(names: Iterable[str]) -> None:
    """Check that every image is on this machine, and holds the library that runs here.

    Raises:
        InputError: One is not there, or holds another version or other code of it; the message names it.
    """
    from docker.errors import ImageNotFound

    ours = code_fingerprint()
    with closing(engine()) as client:
        for name in sorted(set(names)):
            try:
                theirs = client.images.get(name).labels.get(CODE)
            except ImageNotFound:
                raise InputError(f"image '{name}' is not on this machine. Build it: make images.") from None
            if theirs is None:
                raise InputError(f"image '{name}' does not say which sparkhu it holds. Build it: make images.")
            if theirs != ours:
                raise InputError(f"image '{name}' holds sparkhu {theirs}, here is {ours}. Build it anew: make images.")


def runner(arguments: Mapping[str, Any], root: Path, environment: Mapping[str, str]) -> Any:
    """Make KFP's runner of tasks as containers.

    Args:
        arguments: The pipeline's arguments.
        root: Folder of the run, which its tasks write into.
        environment: Variables of this process, of which the tasks are given those that concern them.
    """
    from docker.types import Mount
    from kfp.local import DockerRunner

    kernels = Path(environment.get("NUMBA_CACHE_DIR") or user_cache_path("sparkhu")).absolute()
    kernels.mkdir(parents=True, exist_ok=True)
    places = places_of(arguments, Settings(), root)
    read_only = dict.fromkeys(places.read, True) | dict.fromkeys((*places.written, kernels), False)
    told = {"HOME": str(root), "NUMBA_CACHE_DIR": str(kernels), "MPLCONFIGDIR": str(root)}
    return DockerRunner(
        environment=_concerning(arguments, environment) | told,
        mounts=[Mount(str(path), str(path), type="bind", read_only=only) for path, only in sorted(read_only.items())],
        working_dir=str(Path.cwd()),
        user=_user(),
        network_mode="none" if places.is_local else "host",
        read_only=True,
        tmpfs=SCRATCH,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        labels={RUN: str(root), OWNER: str(os.getuid())},
    )


def _concerning(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    named = {name for text in arguments.values() if isinstance(text, str) for name in PLACEHOLDER.findall(text)}
    scratch = {"TMPDIR", "PYTHONUNBUFFERED"}
    return {name: value for name, value in environment.items() if name in named | scratch or VARIABLES.fullmatch(name)}


def _user() -> str:
    """Name the user that a container runs as; to an engine without root, this user is the container's root."""
    with closing(engine()) as client:
        rootless = any("rootless" in option for option in client.info().get("SecurityOptions", []))
    return "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"


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
            for container in client.containers.list(all=True, filters={"label": f"{OWNER}={os.getuid()}"}):
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
