"""A place for a lake of its own for every test: a folder, an S3 endpoint, and one that ignores conditions."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkhu.lake import Lake, create_lake
from tests.services import S3Endpoint, conditional_s3_endpoint, s3_endpoint

__all__ = ["conditional_s3_endpoint", "s3_endpoint"]

ENDPOINTS = {"s3": "conditional_s3_endpoint", "s3 without conditions": "s3_endpoint"}


def lead_to(endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the standard variables of an endpoint."""
    for name, value in endpoint.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["folder", *ENDPOINTS])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the URI of a place for a lake, in each kind of storage in turn."""
    if request.param == "folder":
        yield str(tmp_path / "lake")
        return
    yield from s3_place(request.getfixturevalue(ENDPOINTS[request.param]), monkeypatch)


@pytest.fixture
def conditional_place(conditional_s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the URI of a place for a lake in an S3 bucket."""
    yield from s3_place(conditional_s3_endpoint, monkeypatch)


@pytest.fixture
def unconditional_place(s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the URI of a place for a lake in an S3 bucket whose endpoint ignores conditions."""
    yield from s3_place(s3_endpoint, monkeypatch)


def s3_place(endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Lead to an endpoint and give a prefix of its own in the bucket `plant`."""
    lead_to(endpoint, monkeypatch)
    yield f"s3://plant/{uuid.uuid4().hex[:8]}/lake"


@pytest.fixture
def lake(place: str) -> Lake:
    """Make a lake in the test's place."""
    return create_lake(place)
