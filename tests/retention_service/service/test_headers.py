"""Headers as no client writes them: no request makes the service fail, whoever signs in and whether anybody has to."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Client = Callable[..., TestClient]
NAMES = {"Host", "Origin", "Authorization", "Content-Type", "Content-Length", "Sec-Fetch-Site", "Accept", "Cookie"}
NAMES |= {"X-Forwarded-User", "X-Forwarded-Groups", "X-Sparkhu-Proxy-Secret", "Access-Control-Request-Method"}
BEGINNINGS = ["", "http://", "https://", "Bearer ", "Bearer spk_", "application/json", "null", "cross-site", "PUT"]
ENDINGS = [
    "",
    "[",
    "]",
    "[::1]",
    "localhost",
    ":8087",
    ":x",
    "/",
    "?",
    "#",
    "@",
    "%00",
    "*",
    ",",
    ";charset=",
    "9" * 30,
]
VALUES = st.tuples(
    st.sampled_from(BEGINNINGS), st.sampled_from(ENDINGS), st.text(st.characters(max_codepoint=255), max_size=2)
)
HEADERS = st.lists(st.tuples(st.sampled_from(sorted(NAMES)), VALUES.map("".join)), max_size=5)
REQUESTS = st.sampled_from(
    [("GET", "/v1/policies"), ("PUT", "/v1/policies/a"), ("POST", "/v1/plans"), ("GET", "/ready"), ("OPTIONS", "/a")]
)


@pytest.mark.parametrize("signing_in", [{}, {"proxies": "127.0.0.1"}, {"authentication": False}])
def test_no_header_makes_the_server_fail(client: Client, signing_in: dict[str, Any]) -> None:
    operator = client(rate=1e9, burst=1_000_000, origins="https://data.example.org", **signing_in)
    anybody = client(role=None, rate=1e9, burst=1_000_000, **signing_in)

    @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(request=REQUESTS, headers=HEADERS)
    def send(request: tuple[str, str], headers: list[tuple[str, str]]) -> None:
        method, path = request
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        for asking in (operator, anybody):
            assert asking.request(method, path, headers=raw, json={}).status_code < 500

    send()
