"""Who is let in, and what is refused before anything is read."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.datastructures import URL
from starlette.requests import Request

from sparkhu.errors import SparkhuError
from sparkhu_retention.database.opening import Database
from sparkhu_retention.service.app import make_app
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.gate import MOST_HEADERS, OPEN
from sparkhu_retention.service.keys import Keys
from sparkhu_retention.service.limiting import MOST_CALLERS, Buckets
from sparkhu_retention.service.settings import RetentionSettings

Client = Callable[..., TestClient]
POLICY = {"match": {"dataset": "logs/**"}, "archive_after": "1 year"}
PROXY = {"X-Forwarded-User": "ann", "X-Forwarded-Groups": "people, keepers"}


def routes(app: Any) -> list[tuple[str, str]]:
    paths = app.openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_every_route_but_the_open_ones_wants_a_sign_in_before_it_looks_at_the_body(client: Client) -> None:
    anonymous = client(role=None, burst=1000)
    asked = routes(anonymous.app)
    assert len(asked) > 15
    for method, path in asked:
        answer = anonymous.request(method, path, content=b"{no json")
        if path in OPEN:
            assert answer.status_code == 200, path
        else:
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_viewer_may_look_and_nothing_else_whatever_the_route(client: Client) -> None:
    viewer = client("viewer", burst=1000)
    for method, path in routes(viewer.app):
        filled = path.format(name="a", plan="b", run="c", hold="d")
        answer = viewer.request(method, filled, json={} if method in ("PUT", "POST") else None)
        assert (answer.status_code == 403) == (method not in ("GET", "HEAD")), (method, path, answer.text)


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer spk_", "Bearer spk_" + "a" * 43, "Basic c3BrOnNwaw==", "Bearer ä".encode("latin-1")]
)
def test_what_is_no_key_signs_nobody_in(client: Client, given: str | bytes) -> None:
    assert client(role=None).get("/v1/policies", headers={"Authorization": given}).status_code == 401


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "sign in with the header 'Authorization: Bearer KEY'"),
        ("Bearer spk_" + "a" * 43, "unknown or revoked"),
        ("Bearer eyJhbGciOiJub25lIn0", "these begin with spk_"),
        ("Basic c3BrOnNwaw==", "of another form than 'Bearer KEY'"),
        ("spk_" + "a" * 43, "of another form than 'Bearer KEY'"),
    ],
)
def test_a_caller_is_told_whether_the_key_is_lacking_or_wrong(client: Client, given: str, said: str) -> None:
    answer = client(role=None).get("/v1/policies", headers={"Authorization": given} if given else {})
    assert said in answer.json()["detail"]
    assert not given or given.rpartition(" ")[2] not in answer.text
    assert ('error="invalid_token"' in answer.headers["www-authenticate"]) == bool(given)


def test_a_revoked_key_counts_no_longer_and_only_its_hash_was_kept(
    client: Client, database: Database, keys: dict[str, str]
) -> None:
    viewer = client("viewer")
    assert viewer.get("/v1/policies").status_code == 200
    Keys(database).revoke("a-viewer", by="test")
    assert viewer.get("/v1/policies").status_code == 401
    with database.engine.connect() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        kept = [str(row) for table in tables for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"')]
    assert not any(secret.removeprefix("spk_") in row for secret in keys.values() for row in kept)
    assert any("key revoked" in row for row in kept)


def test_a_proxy_names_users_only_from_its_own_address_and_with_its_secret(client: Client) -> None:
    settings = {
        "proxies": "10.0.0.0/8",
        "proxy_secret": "s3cret",
        "operators": "group:keepers",
        "viewers": "group:people, user:bob",
    }
    inside, outside = client(None, "10.1.2.3", **settings), client(None, "192.0.2.7", **settings)
    signed = PROXY | {"X-Sparkhu-Proxy-Secret": "s3cret"}
    assert inside.put("/v1/policies/a", json=POLICY, headers=signed).status_code == 200
    assert inside.get("/v1/policies", headers=PROXY).status_code == 401
    assert inside.get("/v1/policies", headers=PROXY | {"X-Sparkhu-Proxy-Secret": "s3creT"}).status_code == 401
    assert outside.get("/v1/policies", headers=signed).status_code == 401
    bob = signed | {"X-Forwarded-User": "bob", "X-Forwarded-Groups": ""}
    assert inside.get("/v1/policies", headers=bob).status_code == 200
    assert inside.put("/v1/policies/a", json=POLICY, headers=bob).status_code == 403
    for named_as_group in ("eve", "keepers", "people", "group:keepers"):
        assert inside.get("/v1/policies", headers=bob | {"X-Forwarded-User": named_as_group}).status_code == 403
    assert inside.get("/v1/policies", headers=bob | {"X-Forwarded-User": "eve", "X-Forwarded-Groups": "bob"}).is_error
    assert inside.get("/v1/policies").status_code == 401
    assert inside.get("/v1/policies", headers=bob | {"Authorization": "Bearer eyJ.of.the-proxy"}).status_code == 200
    assert inside.get("/v1/policies", headers=bob | {"Authorization": "Bearer spk_guess"}).status_code == 401
    twice = [*bob.items(), ("X-Forwarded-User", "ann")]
    assert inside.get("/v1/policies", headers=twice).status_code == 401
    made = inside.get("/v1/policies/a", headers=bob).json()
    assert made[0]["made_by"] == "user:ann"


def test_headers_of_a_proxy_count_for_nothing_where_none_is_configured(client: Client) -> None:
    assert client(role=None, operators="*").get("/v1/policies", headers=PROXY).status_code == 401


def test_pages_of_other_sites_may_not_call(client: Client) -> None:
    operator = client(origins="https://data.example.org")
    strange = [{"Origin": origin} for origin in ("https://evil.example", "null", "http://[")]
    for headers in (*strange, {"Sec-Fetch-Site": "cross-site"}):
        assert operator.put("/v1/policies/a", json=POLICY, headers=headers).status_code == 403, headers
    for origin in ("http://testserver", "https://data.example.org"):
        assert operator.put("/v1/policies/a", json=POLICY, headers={"Origin": origin}).status_code == 200, origin


def test_another_origin_may_read_only_where_it_is_configured(client: Client) -> None:
    headers = {"Origin": "https://data.example.org", "Access-Control-Request-Method": "GET"}
    plain, configured = client(), client(origins="https://data.example.org")
    for answer in (plain.get("/v1/policies", headers=headers), plain.options("/v1/policies", headers=headers)):
        assert not any(name.startswith("access-control") for name in answer.headers)
    allowed = configured.options("/v1/policies", headers=headers)
    assert allowed.headers["access-control-allow-origin"] == "https://data.example.org"
    assert "access-control-allow-credentials" not in allowed.headers
    strange = configured.get("/v1/policies", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in strange.headers


def test_a_form_or_a_text_cannot_change_anything(client: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = client().put("/v1/policies/a", content=json.dumps(POLICY), headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["title"]) == (415, "Unsupported Media Type")


def test_a_request_that_is_too_large_is_refused_also_when_it_hides_its_length(client: Client) -> None:
    operator = client(largest_body=1_000)
    large = json.dumps(POLICY | {"name": "a" * 2_000}).encode()
    kind = {"Content-Type": "application/json"}
    assert operator.put("/v1/policies/a", content=large, headers=kind).status_code == 413
    assert operator.put("/v1/policies/a", content=iter([large]), headers=kind).status_code == 413


def test_a_caller_that_asks_too_often_waits_and_others_do_not(client: Client) -> None:
    operator = client(rate=0.001, burst=3)
    assert [operator.get("/v1/policies").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert int(operator.get("/v1/policies").headers["retry-after"]) > 100
    assert operator.get("/health").status_code == 200


def test_guesses_are_slowed_down_by_address(client: Client, keys: dict[str, str]) -> None:
    guesser = client(role=None, rate=0.001, burst=3)
    guess = {"Authorization": "Bearer spk_guess"}
    assert [guesser.get("/v1/policies", headers=guess).status_code for _ in range(4)] == [401, 401, 401, 429]


def test_whoever_signs_in_does_not_wait_for_those_who_guess_from_the_same_address(
    client: Client, keys: dict[str, str]
) -> None:
    behind_proxy = client(role=None, rate=0.001, burst=3)
    for _ in range(10):
        refused = behind_proxy.get("/v1/policies", headers={"Authorization": "Bearer spk_guess"})
    assert refused.status_code == 429
    signed = {"Authorization": f"Bearer {keys['viewer']}"}
    assert behind_proxy.get("/v1/policies", headers=signed).status_code == 200


def test_what_is_open_to_all_has_a_rate_by_address_but_the_probe_of_life(client: Client) -> None:
    anybody = client(role=None, rate=0.001, burst=3)
    assert [anybody.get("/ready").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert anybody.get("/openapi.json").status_code == 429
    assert {anybody.get("/health").status_code for _ in range(10)} == {200}


def test_the_path_that_is_open_is_not_read_from_the_host(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # As frameworks build the address of a request: what a caller sends as Host comes before the path.
    monkeypatch.setattr(Request, "url", property(lambda asked: URL(f"http://{asked.headers['host']}{asked['path']}")))
    for host in ("x/health?", "x/health#", "x/openapi.json?"):
        assert client(role=None).get("/v1/policies", headers={"Host": host}).status_code == 401, host


def test_a_request_of_very_many_headers_is_refused(client: Client) -> None:
    many = {f"X-{number}": "" for number in range(MOST_HEADERS)}
    for path in ("/health", "/v1/policies"):
        assert client().get(path, headers=many).status_code == 431


def test_a_bucket_fills_at_its_rate_and_forgets_the_oldest() -> None:
    time = 0.0
    buckets = Buckets(2, 4, clock=lambda: time)
    assert [buckets.wait("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    time = 0.75
    assert (buckets.wait("a"), buckets.wait("a")) == (0, 0.25)
    for number in range(MOST_CALLERS):
        buckets.wait(f"caller {number}")
    assert buckets.wait("a") == 0


def test_without_sign_in_only_this_machine_by_its_own_names_is_answered(client: Client) -> None:
    free = client(role=None, authentication=False)
    assert free.get("/v1/policies", headers={"Host": "localhost:8087"}).status_code == 200
    assert free.get("/v1/policies", headers={"Host": "127.0.0.1:8087"}).status_code == 200
    assert free.get("/v1/policies", headers={"Host": "evil.example"}).status_code == 403
    assert free.get("/v1/policies", headers={"Host": "["}).status_code == 403
    strange = {"Host": "localhost:8087", "Origin": "https://evil.example"}
    assert free.get("/v1/policies", headers=strange).status_code == 403


def test_a_line_of_the_log_has_who_and_what_and_no_key(
    client: Client, keys: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    from sparkhu_retention.service.logs import JsonLines

    with caplog.at_level(logging.INFO):
        answer = client().get("/v1/policies")
        logging.getLogger("sparkhu_retention").info("opened postgresql://ann:pea@db/sales")
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    told = next(line for line in lines if line.get("path") == "/v1/policies")
    assert (told["caller"], told["status"], told["request"]) == ("key:a-operator", 200, answer.headers["x-request-id"])
    assert not any(secret in json.dumps(lines) for secret in (*keys.values(), "pea@"))


def test_health_and_metrics_tell_what_happened(client: Client, operations: Embedded) -> None:
    viewer = client("viewer")
    viewer.get("/v1/policies/nothing")
    assert viewer.get("/ready").json() == {"status": "ok"}
    text = viewer.get("/metrics").text
    line = 'sparkhu_retention_requests_total{method="GET",route="/v1/policies/{name}",status="404"} 1.0'
    assert line in text.splitlines()
    viewer.get("/v1/nowhere/at/all")
    assert "nowhere" not in viewer.get("/metrics").text
    operations.database.engine.dispose()


def test_metrics_are_there_as_nought_before_the_first_run(client: Client) -> None:
    lines = client("viewer").get("/metrics").text.splitlines()
    assert 'sparkhu_retention_items_total{step="purged",storage="plant"} 0.0' in lines
    assert 'sparkhu_retention_runs_total{kind="apply",state="failed"} 0.0' in lines
    assert 'sparkhu_retention_last_success_timestamp_seconds{storage="plant"} 0.0' in lines
    assert any(line.startswith('sparkhu_retention_failures_total{kind="disk full"} ') for line in lines)


def test_whoever_asks_whether_it_is_ready_does_not_learn_where_the_database_is(
    client: Client, operations: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise SparkhuError("the database 'postgresql://ann:***@inside.example/db' failed")

    monkeypatch.setattr(operations, "check", fail)
    answer = client(role=None).get("/ready")
    assert (answer.status_code, "inside" in answer.text) == (503, False)


def test_every_route_is_described_with_its_refusals(database: Database, operations: Embedded) -> None:
    app = make_app(operations, Keys(database), RetentionSettings())
    described = app.openapi()["paths"]
    for route in (route for route in app.routes if isinstance(route, APIRoute)):
        for method in route.methods:
            told = described[route.path][method.lower()]
            assert told["summary"], route.path
            if route.path not in OPEN:
                assert {"401", "403", "429"} <= set(told["responses"]), route.path
