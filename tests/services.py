"""Real services for tests: an S3 endpoint and a PostgreSQL server, started once a session and ended with it.

A test module, or a `conftest.py`, that needs one imports its fixture:

    from tests.services import postgres_url, s3_endpoint

There are two S3 services: `s3_endpoint` (rclone) ignores the conditions of a conditional write, as some endpoints do;
`conditional_s3_endpoint` (SeaweedFS) heeds them, as AWS does.

A machine that lacks the program skips the tests that need it.
"""

import json
import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pytest

STARTS_WITHIN_SECONDS = 30
GRPC_PORTS = 10_000
POSTGRES_PASSWORD = "s3cret/w@rd"
POSTGRES_QUOTED = "s3cret%2Fw%40rd"


class S3Endpoint(NamedTuple):
    """A running S3 service; of rclone each sub-folder of `folder` is a bucket."""

    url: str
    key: str
    secret: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The standard variables that lead a client to it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        }


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    """A real S3 service with sign-in, over a folder of its own; it has one bucket, `plant`."""
    rclone = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))
    if rclone is None:
        pytest.skip("rclone, which serves S3, is not installed")
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    endpoint = S3Endpoint(f"http://127.0.0.1:{port}", "sparkhu-key", "sparkhu-secret", folder)
    (folder / "plant").mkdir()
    command = [rclone, "serve", "s3", "--config", os.devnull, "--auth-key", f"{endpoint.key},{endpoint.secret}"]
    command = [*command, "--addr", f"127.0.0.1:{port}", "--vfs-cache-mode", "off", str(folder)]
    with _running(command, partial(_answers, port)):
        yield endpoint


@pytest.fixture(scope="session")
def conditional_s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    """A real S3 service with sign-in and conditional writes; it has one bucket, `plant`."""
    weed = shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))
    if weed is None:
        pytest.skip("SeaweedFS, which serves S3 with conditions, is not installed")
    folder, ports = tmp_path_factory.mktemp("weed"), _port_pairs()
    endpoint = S3Endpoint(f"http://127.0.0.1:{ports['s3']}", "sparkhu-key", "sparkhu-secret", folder)
    credentials = [{"accessKey": endpoint.key, "secretKey": endpoint.secret}]
    identity = {"name": "test", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = [weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    command += ["-s3", f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=60", "-master.volumeSizeLimitMB=64"]
    command += [f"-{name}.port={port}" for name, port in ports.items()]
    command += [f"-{name}.port.grpc={port + GRPC_PORTS}" for name, port in ports.items()]
    with _running(command, partial(_takes_objects, endpoint), cwd=folder, patience=0):
        yield endpoint


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """SQLAlchemy URL of a private, empty PostgreSQL database; its password holds signs that URLs must quote."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    # The server refuses to run as root, so it gets a user without rights and a folder that this user can reach.
    user = None if os.getuid() else _unprivileged_user()
    folder, port = Path(tempfile.mkdtemp(prefix="sparkhu-postgres-")), free_port()
    try:
        (folder / "password").write_text(POSTGRES_PASSWORD)
        if user:
            shutil.chown(folder, user)
            shutil.chown(folder / "password", user)
        data = folder / "data"
        initialise = [programs / "initdb", "-D", data, "-U", "sparkhu", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [*initialise, "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=user,
        )
        serve = [programs / "postgres", "-D", data, "-k", folder, "-h", "127.0.0.1", "-p", str(port), "-F"]
        with _running([str(part) for part in serve], partial(_takes_sign_in, port), user=user, cwd=folder):
            yield f"postgresql+psycopg://sparkhu:{POSTGRES_QUOTED}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Find a port of this machine that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _port_pairs() -> dict[str, int]:
    """Find ports for the parts of SeaweedFS, below those that the system hands out, each with one for gRPC above it."""
    found: list[int] = []
    while len(found) < 4:
        port = random.randrange(12_000, 22_000)
        if port not in found and not any(_answers(each) for each in (port, port + GRPC_PORTS)):
            found.append(port)
    return dict(zip(("master", "volume", "filer", "s3"), found, strict=True))


def _postgres_programs() -> Path | None:
    """Find the folder of the server's programs; Debian keeps them out of the search path, a folder a version."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


def _unprivileged_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    found = next((name for name in ("postgres", "nobody") if name in names), None)
    if found is None:
        pytest.skip("there is no user without rights that PostgreSQL could run as")
    return found


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return not probe.connect_ex(("127.0.0.1", port))


def _takes_objects(endpoint: S3Endpoint) -> bool:
    """Tell whether an S3 service stores an object; its parts come up one after the other."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session

    once = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
    client = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.key,
        aws_secret_access_key=endpoint.secret,
        config=once,
    )
    try:
        if "plant" not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket="plant")
        client.put_object(Bucket="plant", Key="ready", Body=b"")
        client.delete_object(Bucket="plant", Key="ready")
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True


def _takes_sign_in(port: int) -> bool:
    """Tell whether the database answers; a server that is starting up refuses."""
    import psycopg

    try:
        psycopg.connect(
            host="127.0.0.1", port=port, user="sparkhu", password=POSTGRES_PASSWORD, dbname="postgres"
        ).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def _running(
    command: list[str],
    is_ready: Callable[[], bool],
    *,
    user: str | None = None,
    cwd: Path | None = None,
    patience: float = 10,
) -> Iterator[None]:
    """Run a server until the block ends; enter the block when it is ready. It has `patience` seconds to end."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, user=user, cwd=cwd, start_new_session=True)
        try:
            _wait(process, is_ready, output)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], output: BinaryIO) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_ready():
            return
        time.sleep(0.05)
    output.seek(0)
    raise RuntimeError(f"{process.args!r} did not start: {output.read().decode(errors='replace')}")


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Any]:
    """The Docker engine of this machine, or that of `DOCKER_HOST`, with the images of this code."""
    import docker

    from sparkhu_components.images import STEPS, TRAINING
    from sparkhu_pipelines.local.containers import check_images

    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine answers: {error}")
    check_images([STEPS, TRAINING])
    yield client
    client.close()
