"""Tasks as containers of this machine: what each is given, which images will do, and how containers are ended.

A container has a read-only root and no right of the system's; it runs as the caller, so that what it writes is the
caller's. It sees the folder of the run, the files and folders that the run's arguments and settings name, each at its
own path, and no other. It has no network unless one of them lies elsewhere.
"""

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from sparkhu.errors import InputError
from sparkhu.lineage import code_fingerprint
from sparkhu.settings import Settings
from sparkhu.sources.secrets import PLACEHOLDER
from sparkhu_pipelines.local.ending import OWNER, RUN, engine, owner
from sparkhu_pipelines.local.places import places_of

CODE = "org.sparkhu.code"
"""Label of an image: what `code_fingerprint` says in it."""
VARIABLES = re.compile(r"(AWS|MLFLOW|FSSPEC)_\w+|PG[A-Z]+|(HTTPS?|NO|https?|no)_(PROXY|proxy)|SSL_CERT_FILE|TMPDIR")
"""Environment variables that containers are given, beside Sparkhu's settings and those that an argument names as
`${NAME}`. The files that they name are seen, too."""
AWS_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}
"""Where the keys of AWS lie unless a variable says so; a container has another home."""
SCRATCH = {"/tmp": "rw,nosuid,nodev,mode=1777,size=64m"}


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

    # What processes load as compiled code is theirs alone to write.
    kernels = Path(environment.get("NUMBA_CACHE_DIR") or user_cache_path("sparkhu")).absolute() / "containers"
    kernels.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = Settings()
    places, told = places_of(arguments, settings, root), _concerning(arguments, environment)
    written = places.written | {kernels}
    named = {Path(value) for value in told.values() if value.startswith("/") and os.path.isfile(value)}  # noqa: PTH113
    named = {path for path in named if written.isdisjoint(path.parents)}
    read_only = dict.fromkeys(places.read | named, True) | dict.fromkeys(written, False)
    _check_mountable(read_only)
    inside = {"HOME": root, "SPARKHU_HOME": settings.home.absolute(), "NUMBA_CACHE_DIR": kernels, "PYTHONUNBUFFERED": 1}
    return DockerRunner(
        environment=told | {name: str(value) for name, value in inside.items()},
        mounts=[Mount(str(path), str(path), type="bind", read_only=only) for path, only in sorted(read_only.items())],
        working_dir=str(Path.cwd()),
        user=_user(),
        network_mode="none" if places.is_local else "host",
        read_only=True,
        tmpfs={place: options for place, options in SCRATCH.items() if Path(place) not in read_only},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        labels={RUN: str(root), OWNER: owner()},
    )


def _check_mountable(places: Iterable[Path]) -> None:
    for place in places:
        if place == Path("/") or ":" in str(place):
            told = "Docker mounts neither the root of a machine nor a place with a colon in its name"
            raise InputError(f"--runner docker would have to show '{place}' to containers: {told}. Name another one.")


def _concerning(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Choose the variables that concern the steps."""
    named = {name for text in arguments.values() if isinstance(text, str) for name in PLACEHOLDER.findall(text)}
    settings = {"SPARKHU_EVENTS", *(f"SPARKHU_{name.upper()}" for name in Settings.model_fields)}
    files = {name: Path(path).expanduser() for name, path in AWS_FILES.items()}
    usual = {name: str(path) for name, path in files.items() if path.is_file()}
    given = {
        name: value for name, value in environment.items() if name in named | settings or VARIABLES.fullmatch(name)
    }
    return usual | given


def _user() -> str:
    """Name the user that a container runs as; to an engine without root, this user is the container's root."""
    with closing(engine()) as client:
        rootless = any("rootless" in option for option in client.info().get("SecurityOptions", []))
    return "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"
