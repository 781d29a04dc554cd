"""`sparkhu submit` as a test calls it, against a server of its own that speaks the API of Kubeflow Pipelines."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sparkhu_cli.main import sparkhu
from sparkhu_pipelines.submission import submitting
from tests.pipelines_api import PipelinesApi, served_api

CLUSTER = """
pipeline_root: s3://sparkhu/runs
registry: registry.example.org/team
environment: {SPARKHU_TRACKING_URI: "http://mlflow.mlflow:5000"}
secrets:
  object-store: {accesskey: AWS_ACCESS_KEY_ID, secretkey: AWS_SECRET_ACCESS_KEY}
  sales: {password: SALES_PASSWORD}
components:
  train_linear: {memory: 8Gi, timeout: 2h}
"""
MINIMAL = """
environment: {SPARKHU_TRACKING_URI: "http://mlflow.mlflow:5000"}
"""
SOURCE = ["--source", "s3://bucket/sales.csv"]
Submit = Callable[..., Result]
compiled: dict[str, dict] = {}


def package_of(submission: submitting.Submission, compile_anew: Callable = submitting.package_of) -> dict:
    """Compile each pipeline once for all tests: that takes longer than all the rest."""
    key = f"{submission.pipeline} {submission.groups} {submission.cluster!r}"
    if key not in compiled:
        compiled[key] = compile_anew(submission)
    return compiled[key]


@pytest.fixture
def api() -> Iterator[PipelinesApi]:
    with served_api() as server:
        yield server


@pytest.fixture
def submit(api: PipelinesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Submit:
    monkeypatch.setattr("sparkhu_pipelines.submission.connecting.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("sparkhu_pipelines.submission.submitting.POLL_SECONDS", 0.01)
    monkeypatch.setattr("sparkhu_pipelines.submission.submitting.package_of", package_of)
    (tmp_path / "cluster.yaml").write_text(CLUSTER)

    def run(*words: str, host: str = "") -> Result:
        start = ["submit", "--host", host or api.url, "--cluster", str(tmp_path / "cluster.yaml")]
        return CliRunner().invoke(sparkhu, [*start, *words])

    return run


def told(result: Result) -> str:
    """What the command says of its failure, on a line."""
    return " ".join(result.stderr.split())
