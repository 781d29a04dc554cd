"""What `sparkhu submit` refuses, what a server refuses, and that no secret is shown."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from sparkhu_cli.main import sparkhu
from tests.cli.submitter import SOURCE, Submit, told
from tests.pipelines_api import Fault, PipelinesApi, error, served_api


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Fault("GET healthz", 401, content=error(16, "who?")),
            "wants to know who you are (401): who?. Set SPARKHU_KFP_TOKEN to a token for it.",
        ),
        (Fault("GET healthz", 302, content="<html/>"), "wants to know who you are (302). Set SPARKHU_KFP_TOKEN"),
        (
            Fault("POST runs", 403, content=error(7, "User 'ann' is not authorized")),
            "does not let you (403): User 'ann' is not authorized. Ask for the right",
        ),
        (
            Fault("GET healthz", 404, content="<html>nginx</html>"),
            "gives answer 404. Is this the address of Kubeflow Pipelines? Behind Kubeflow's dashboard it ends in",
        ),
        (Fault("GET healthz", 200, content="<html>Sign in</html>"), "Is this the address of Kubeflow Pipelines?"),
        (
            Fault("POST runs", 400, content=error(3, "Failed to create a run:\n  the pipeline spec is invalid.")),
            "refuses it (400): Failed to create a run: the pipeline spec is invalid.",
        ),
    ],
)
def test_a_refusal_is_one_clear_sentence_and_is_not_repeated(
    api: PipelinesApi, submit: Submit, fault: Fault, message: str
) -> None:
    api.fail(fault, 9)
    result = submit(*SOURCE)
    assert result.exit_code == 2
    assert message in told(result)
    assert "Traceback" not in result.output
    assert (len(api.said(fault.on)), api.runs) == (1, [])


def test_a_redirection_is_not_followed_with_the_token(
    api: PipelinesApi, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_KFP_TOKEN", "s3cret-token")
    with served_api() as other:
        api.fail(Fault("GET healthz", 302, content="<html/>", headers=(("Location", f"{other.url}/login"),)))
        result = submit(*SOURCE)
        assert (result.exit_code, other.requests) == (2, [])
    assert "The token in SPARKHU_KFP_TOKEN is not accepted" in told(result)


def test_the_token_is_sent_as_a_bearer_and_shown_nowhere(
    api: PipelinesApi, submit: Submit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    api.token = "s3cret-token"
    monkeypatch.setenv("SPARKHU_KFP_TOKEN", "s3cret-token\n")
    result = submit("-v", *SOURCE, "--wait")
    assert result.exit_code == 0
    assert {each.headers["authorization"] for each in api.requests} == {"Bearer s3cret-token"}
    outputs = [result.output, caplog.text]
    api.fail(Fault("POST runs", 400, content=error(3, "bad header Bearer s3cret-token")))
    failed = submit("-v", *SOURCE)
    outputs += [failed.output, caplog.text, json.dumps([each.body for each in api.requests])]
    assert "bad header Bearer ***" in failed.output
    assert not any("s3cret-token" in output for output in outputs)


def test_a_token_that_no_header_takes_is_refused_unseen(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_KFP_TOKEN", "s3cret\ntoken")
    result = submit(*SOURCE)
    assert (result.exit_code, "s3cret" in result.output) == (2, False)
    assert "SPARKHU_KFP_TOKEN holds signs that no header takes" in told(result)


def test_a_cookie_signs_in_as_well(api: PipelinesApi, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_KFP_COOKIE", "authservice_session=abc")
    assert submit(*SOURCE).exit_code == 0
    assert {each.headers["cookie"] for each in api.requests} == {"authservice_session=abc"}


def test_a_file_of_certificates_that_is_not_there_is_named(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_KFP_CA", "/nowhere/ca.pem")
    assert "SPARKHU_KFP_CA='/nowhere/ca.pem' is no file" in told(submit(*SOURCE))


def test_a_server_of_several_users_wants_a_namespace(api: PipelinesApi, submit: Submit) -> None:
    api.multi_user = True
    refused = submit(*SOURCE)
    assert (refused.exit_code, api.runs) == (2, [])
    assert "Name your namespace with --namespace" in told(refused)
    for _ in range(2):
        assert submit(*SOURCE, "--namespace", "team").exit_code == 0
    assert [each["namespace"] for each in api.kept["experiments"].values()] == ["team"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--source", "sales.csv"], "source 'sales.csv' is on this machine"),
        (["--source", "file:///data/sales.csv"], "source 'file:///data/sales.csv' is on this machine"),
        (["--source", "sqlite:////data/sales.db"], "is on this machine"),
        (["--source", "zip://a.csv::/data/sales.zip"], "is on this machine"),
        (["--lake", "/data/lake"], "lake '/data/lake' is on this machine"),
        ([*SOURCE, "--metadata", "units.csv"], "metadata 'units.csv' is on this machine"),
        ([*SOURCE, "--past", "results"], "past 'results' is on this machine"),
        (["--source", "postgresql://ann:pea@db/sales"], "source 'postgresql://ann:***@db/sales' holds a password"),
        (["--source", "postgresql://ann:${PEA}@db/sales"], "asks for the variable PEA, which the tasks are not given"),
        ([], "a run reads either a source or a lake"),
        ([*SOURCE, "--split", "1/0/0"], "split"),
        ([*SOURCE, "--set", "horizons=3"], "parameter 'horizons' is unknown; did you mean horizon?"),
        (
            [*SOURCE, "--cron", "0 3 * * *"],
            "Give --cron a --name that says what it runs over, such as --name sales-nightly",
        ),
        ([*SOURCE, "--cron", "0 25 * * *", "--name", "n"], "the hour cannot be '25'"),
        ([*SOURCE, "--cron", "0 3 * * *", "--wait"], "--wait follows one run"),
        ([*SOURCE, "--cron", "0 3 * * *", "--name", "n", "--end", "[[ScheduledTime]]"], "Leave end out"),
        ([*SOURCE, "--pipeline", "predict", "--horizon", "3"], "horizon is not for --pipeline predict"),
        ([*SOURCE, "--pipeline", "predict", "--preset", "ett"], "preset 'ett' is not for --pipeline predict"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_sent(
    api: PipelinesApi, submit: Submit, words: list[str], message: str
) -> None:
    result = submit(*words)
    assert (result.exit_code, api.requests) == (2, [])
    assert message in told(result)
    assert "pea" not in result.output


def test_a_password_is_taken_from_a_secret_of_the_cluster(api: PipelinesApi, submit: Submit) -> None:
    uri = "postgresql://ann:${SALES_PASSWORD}@db/sales"
    assert submit("--source", uri, "--table", "days").exit_code == 0
    assert api.runs[0]["runtime_config"]["parameters"]["source"] == uri


def test_a_cluster_without_a_registry_is_refused(api: PipelinesApi) -> None:
    result = CliRunner().invoke(sparkhu, ["submit", "--host", api.url, *SOURCE])
    assert (result.exit_code, api.requests) == (2, [])
    assert "Set SPARKHU_TRACKING_URI to the address of an MLflow server under environment" in told(result)


def test_the_certificates_of_ones_own_authority_are_trusted_where_they_are_named(
    submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl") or pytest.skip("openssl, which makes a certificate, is not installed")
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, "req", "-x509", *words, "-keyout", key, "-out", file], check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + file.read_text())
    with served_api(both) as api:
        untrusted = submit(*SOURCE, host=api.url)
        assert (untrusted.exit_code, api.requests) == (2, [])
        assert "no certificate that is trusted. Name the file of its certificates in SPARKHU_KFP_CA." in told(untrusted)
        monkeypatch.setenv("SPARKHU_KFP_CA", str(file))
        assert submit(*SOURCE, host=api.url).exit_code == 0
        assert len(api.runs) == 1


def test_an_address_of_the_wrong_kind_is_told(api: PipelinesApi, submit: Submit) -> None:
    result = submit(*SOURCE, host=api.url.replace("http:", "https:"))
    assert result.exit_code == 2
    assert "has no TLS. Is it an http:// address?" in told(result)
