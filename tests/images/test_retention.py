"""The image that retains data: what it holds, that it works as any user, and when it is reached from elsewhere."""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.images.conftest import DOCKER, HARDENED, TEMPORARY, Image, docker
from tests.images.test_images import LIST_PACKAGES

EXERCISE = Path(__file__).parents[2] / "images" / "exercise_retention.py"
HOME, PORT = "/var/lib/sparkhu", 8087
EVERYWHERE = ("--env", "SPARKHU_RETENTION_HOST=0.0.0.0")
ANOTHER_ADDRESS = "127.0.0.2"
"""Of the same machine; who listens at 127.0.0.1 alone does not answer there."""

ASK = """
import sys, time, urllib.request
for _ in range(300):
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=30).read().decode())
        break
    except OSError as error:
        if "--once" in sys.argv:
            sys.exit(str(error))
        time.sleep(0.2)
"""
pytestmark = pytest.mark.containers
Find = Callable[[str], Image]


@contextmanager
def serving(image: Image, *options: str) -> Iterator[str]:
    """Let the image do what it does by itself, in a container of its own."""
    container = docker("run", "--detach", *HARDENED, *TEMPORARY, *options, image.name)
    try:
        yield container
    finally:
        docker("rm", "--force", container)


def ask(container: str, address: str, *options: str) -> subprocess.CompletedProcess[str]:
    url = f"http://{address}:{PORT}/health"
    command = [DOCKER, "exec", container, "python3", "-c", ASK, url, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def volume() -> Iterator[str]:
    """A new volume, as an engine makes it: who may write there, the image says."""
    name = docker("volume", "create", f"sparkhu-retention-{uuid.uuid4().hex}")
    yield name
    docker("volume", "rm", name)


def test_it_holds_what_retention_imports_and_no_framework_of_the_pipelines(image: Find) -> None:
    found = set(json.loads(image("retention").run("python3", "-c", LIST_PACKAGES)))
    assert {name for name in found if name.startswith("sparkhu")} == {"sparkhu", "sparkhu-retention"}
    assert {"mlflow-skinny", "minio", "psycopg", "psycopg-binary", "s3fs"} <= found
    left_out = {"feast", "kfp", "kubernetes", "mlflow", "numba", "pandas", "pyarrow", "scipy", "torch"}
    assert found & left_out == set()


def test_the_image_of_the_command_has_no_retention(image: Find) -> None:
    found = set(json.loads(image("services").run("python3", "-c", LIST_PACKAGES)))
    assert found & {"sparkhu-retention", "alembic", "fastapi", "minio", "mlflow-skinny"} == set()


def test_what_the_build_tried_works_as_another_user_who_can_write_nowhere_else(image: Find) -> None:
    options = ("--user", "4711:815", "--env", "SPARKHU_HOME=/tmp/home")
    said = image("retention").run("python3", "-c", EXERCISE.read_text(), "/tmp/tried", options=options)
    assert '"path": "/v1/policies", "status": 200' in said


def test_by_itself_it_serves_its_own_machine_alone(image: Find) -> None:
    with serving(image("retention")) as container:
        assert json.loads(ask(container, "127.0.0.1").stdout) == {"status": "ok"}
        assert "refused" in ask(container, ANOTHER_ADDRESS, "--once").stderr


def test_it_is_reached_from_elsewhere_once_there_is_a_key_which_a_volume_keeps(image: Find, volume: str) -> None:
    found = image("retention")
    kept = ("--mount", f"type=volume,source={volume},target={HOME}", "--env", f"SPARKHU_HOME={HOME}")
    refused = subprocess.run(
        [DOCKER, "run", "--rm", *HARDENED, *TEMPORARY, *kept, *EVERYWHERE, found.name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "sparkhu retention key add" in refused.stderr
    docker("run", "--rm", *HARDENED, *TEMPORARY, *kept, found.name, "key", "add", "ann", "--role", "operator")
    with serving(found, *kept, *EVERYWHERE) as container:
        assert json.loads(ask(container, ANOTHER_ADDRESS).stdout) == {"status": "ok"}
