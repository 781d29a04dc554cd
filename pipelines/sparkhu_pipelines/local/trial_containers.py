"""Trials of an experiment as containers of their own images, as a cluster would run them.

A trial's image is the user's, so it runs as the image says: its user, its network, its writable root. Nothing of this
machine is shown to it but the folder of its metrics file, which is its own. The containers are removed when the study
ends, however it ends.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sparkhu.errors import InputError, SparkhuError
from sparkhu.tuning.jobs import Work
from sparkhu.tuning.templates import PLACEHOLDER
from sparkhu_pipelines.local.ending import OWNER, RUN, engine, owner

GRACE_SECONDS: Final = 2
"""A shell that is the first process of a container does not heed the asking, and would only use it up."""
_POLL_SECONDS: Final = 0.1
# Standard input ends with whoever holds its other end; then the containers do.
_GUARD: Final = 'cat > /dev/null; exec "$@"'


class Containers:
    """Begins trials as containers.

    Args:
        client: The Docker engine.
        root: Folder of the study, by which its containers are known.
    """

    kind = "docker"

    def __init__(self, client: Any, root: Path) -> None:
        self._client = client
        self._labels = {RUN: str(root), OWNER: owner()}

    def check(self, work: Work, metrics_file: str | None) -> None:  # noqa: ARG002 - every trial has a file of its own
        """Check that the image is on this machine.

        Raises:
            InputError: It is not, or the container names none.
        """
        from docker.errors import ImageNotFound

        path = "spec.trialTemplate.trialSpec…image"
        if not work.image:
            raise InputError(f"{path}: must be given for --runner docker.")
        if PLACEHOLDER.search(work.image):
            return
        try:
            self._client.images.get(work.image)
        except ImageNotFound:
            told = f"'{work.image}' is not on this machine. Fetch it: docker pull {work.image}"
            raise InputError(f"{path}: {told}.") from None

    def launch(self, work: Work, log: Path, metrics_file: str | None) -> tuple["Container", Path]:
        """Begin a trial; the folder of a file that it reports into is a folder of the study.

        Raises:
            SparkhuError: It cannot begin.
        """
        from docker.errors import DockerException

        source, mounts = log, {}
        if metrics_file is not None:
            source = log.with_suffix("").absolute() / Path(metrics_file).name
            source.parent.mkdir(exist_ok=True)
            source.unlink(missing_ok=True)
            # Whoever the image runs as writes there.
            source.parent.chmod(0o777)
            mounts = {str(source.parent): {"bind": str(Path(metrics_file).parent), "mode": "rw"}}
        try:
            container = self._client.containers.create(
                work.image,
                command=list(work.arguments) or None,
                entrypoint=list(work.command) or None,
                environment=dict(work.environment),
                working_dir=work.folder,
                volumes=mounts,
                labels=self._labels,
                security_opt=["no-new-privileges"],
            )
        except DockerException as error:
            raise SparkhuError(f"a container of '{work.image}' cannot be made: {error}") from error
        begun = Container(container, log)
        try:
            container.start()
        except DockerException as error:
            begun.end()
            raise SparkhuError(f"a container of '{work.image}' cannot begin: {error}") from error
        begun.follow()
        return begun, source


class Container:
    """A trial that is a container."""

    def __init__(self, container: Any, log: Path) -> None:
        self._container = container
        self._log = log
        self._code: int | None = None
        self._follower = threading.Thread(target=self._copy, name=f"log of {log.stem}", daemon=True)

    def follow(self) -> None:
        """Copy what it writes into its log, from now on."""
        self._follower.start()

    def wait(self, seconds: float) -> int | None:
        """Wait so long for its end at most, and give its exit code; None while it runs."""
        until = time.monotonic() + seconds
        while self._code is None:
            state = self._state()
            if state["Status"] in {"exited", "dead"}:
                # The last words are in the log before anybody reads it to its end.
                self._follower.join()
                self._code = int(state["ExitCode"])
            elif time.monotonic() >= until:
                return None
            else:
                time.sleep(_POLL_SECONDS)
        return self._code

    def end(self) -> None:
        """Stop it, asked first and forced after a grace period, and remove it."""
        from docker.errors import APIError

        with suppress(APIError):  # it has just ended, or is being removed
            if self._code is None:
                self._container.stop(timeout=GRACE_SECONDS)
            self._container.remove(force=True)

    def _state(self) -> dict[str, Any]:
        from docker.errors import NotFound

        try:
            self._container.reload()
        except NotFound:
            # Somebody removed it: as if it was killed.
            return {"Status": "dead", "ExitCode": 137}
        state: dict[str, Any] = self._container.attrs["State"]
        return state

    def _copy(self) -> None:
        from docker.errors import APIError

        with self._log.open("wb", buffering=0) as sink, suppress(APIError):
            for part in self._container.logs(stream=True, follow=True):
                sink.write(part)


@contextmanager
def containers(out: Path) -> Iterator[Containers]:
    """Give what begins containers; none of them outlives the block, nor this process.

    Args:
        out: Folder of the study.

    Raises:
        InputError: No Docker engine answers.
        SparkhuError: Containers may be left.
    """
    root = out.absolute()
    with closing(engine()) as client:
        words = [sys.executable, "-m", "sparkhu_pipelines.local.ending", str(root)]
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", *words], stdin=subprocess.PIPE, start_new_session=True, cwd="/"
        )
        try:
            yield Containers(client, root)
        finally:
            guard.communicate()
    if guard.returncode != 0:
        told = f"containers may be left. See: docker ps --filter label={RUN}={root}"
        raise SparkhuError(told)
