"""A filled storage of each kind in turn."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from sparkhu_retention.storages.s3_access import connect
from tests.retention_service.storages.cases import (
    BucketCase,
    Case,
    FolderCase,
    LakeCase,
    OnlineCase,
    RunsCase,
)
from tests.retention_service.storages.cases_mlflow import TrackingCase
from tests.services import S3Endpoint, conditional_s3_endpoint, postgres_url, s3_endpoint

__all__ = ["conditional_s3_endpoint", "postgres_url", "s3_endpoint"]

MADE: dict[str, Callable[[Path], Case]] = {
    "folder": FolderCase,
    "runs": RunsCase,
    "features": OnlineCase,
    "mlflow": TrackingCase,
    "mlflow on postgresql": TrackingCase,
    "lake": lambda folder: LakeCase(str(folder / "lake")),
    "lake on s3": lambda _: LakeCase(f"s3://plant/{uuid.uuid4().hex}/lake"),
    "s3": lambda _: BucketCase("plant"),
    "s3 of rclone": lambda _: BucketCase("plant"),
    "s3 with versions": lambda _: BucketCase(versioned("versions")),
}
ENDPOINTS = {
    **dict.fromkeys(("lake on s3", "s3", "s3 with versions"), "conditional_s3_endpoint"),
    "s3 of rclone": "s3_endpoint",
}


def versioned(bucket: str, *, lock: bool = False) -> str:
    """Make a bucket that keeps versions, unless it is there."""
    from minio.versioningconfig import ENABLED, VersioningConfig

    client = connect()
    if not client.bucket_exists(bucket):
        client.make_bucket(bucket, object_lock=lock)
        client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    return bucket


@pytest.fixture
def endpoint(conditional_s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> S3Endpoint:
    for name, value in conditional_s3_endpoint.environment.items():
        monkeypatch.setenv(name, value)
    return conditional_s3_endpoint


@pytest.fixture(scope="session")
def mlflow_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty database of MLflow, to be copied: making one takes seconds."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    uri = f"sqlite:///{path}"
    MlflowClient(tracking_uri=uri, registry_uri=uri).search_registered_models()
    return path


@pytest.fixture(scope="session")
def mlflow_template(postgres_url: str) -> str:
    """Make an empty database of MLflow on PostgreSQL, to be copied, and give the URL of the server."""
    from mlflow import MlflowClient

    server = postgres_url.rpartition("/")[0]
    _execute(postgres_url, "CREATE DATABASE mlflow_template")
    uri = f"{server}/mlflow_template"
    MlflowClient(tracking_uri=uri, registry_uri=uri).search_registered_models()
    return server


@pytest.fixture
def mlflow_on_postgresql(mlflow_template: str) -> Iterator[str]:
    """Give the URL of a database of MLflow that is the test's own."""
    name, away = f"mlflow_{uuid.uuid4().hex}", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
    admin = f"{mlflow_template}/postgres"
    _execute(admin, f"{away} 'mlflow_template'", f"CREATE DATABASE {name} TEMPLATE mlflow_template")
    yield f"{mlflow_template}/{name}"
    _execute(admin, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.fixture(params=MADE)
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Give a filled storage."""
    if request.param in ENDPOINTS:
        endpoint: S3Endpoint = request.getfixturevalue(ENDPOINTS[request.param])
        for name, value in endpoint.environment.items():
            monkeypatch.setenv(name, value)
    if request.param == "mlflow":
        shutil.copyfile(request.getfixturevalue("mlflow_schema"), tmp_path / "mlflow.db")
    if request.param == "mlflow on postgresql":
        return TrackingCase(tmp_path, request.getfixturevalue("mlflow_on_postgresql"))
    return MADE[request.param](tmp_path)
