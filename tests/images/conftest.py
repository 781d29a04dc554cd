"""What tests of the images share: a docker client that answers, and the images that are built."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pytest

DOCKER = os.environ.get("DOCKER", "docker")
HARDENED = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
TEMPORARY = ("--tmpfs", "/tmp:size=1g")


@dataclass(frozen=True)
class Image:
    """An image that is built."""

    target: str
    name: str

    @property
    def config(self) -> dict[str, Any]:
        return dict(self.inspected["Config"])

    @property
    def inspected(self) -> dict[str, Any]:
        return dict(json.loads(docker("image", "inspect", self.name))[0])

    def run(self, *command: str, options: tuple[str, ...] = ()) -> str:
        """Run a command in a container without network, rights or a file system to write to."""
        program, *arguments = command
        return docker(
            "run", "--rm", *HARDENED, *TEMPORARY, *options, "--entrypoint", program, self.name, *arguments
        )  # fmt: skip


def docker(*arguments: str) -> str:
    asked = subprocess.run([DOCKER, *arguments], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr[-2000:]
    return asked.stdout.strip()


def answers() -> bool:
    if not shutil.which(DOCKER):
        return False
    asked = subprocess.run([DOCKER, "version"], capture_output=True, check=False)
    return asked.returncode == 0


@pytest.fixture(scope="session")
def image() -> Callable[[str], Image]:
    """Look up an image by its target."""
    if not answers():
        pytest.skip("no docker daemon answers")

    def find(target: str) -> Image:
        name = f"sparkhu/{target}:{version('sparkhu')}"
        found = subprocess.run([DOCKER, "image", "inspect", name], capture_output=True, check=False)
        if found.returncode:
            pytest.fail(f"{name} is not built; make image-{target} builds it")
        return Image(target, name)

    return find
