"""Addresses that are refused, and a server that really listens."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from sparkhu.errors import InputError
from sparkhu_retention.database import policy_versions
from sparkhu_retention.database.opening import Database, open_database
from sparkhu_retention.service import serving
from sparkhu_retention.service.keys import Keys
from sparkhu_retention.service.listening import listen
from sparkhu_retention.service.serving import check_address
from sparkhu_retention.service.settings import RetentionSettings, is_loopback
from tests.services import free_port

COMMAND = [sys.executable, "-c", "from sparkhu_cli.main import main; main()", "retention"]


def test_names_and_addresses_of_this_machine_are_told_from_others() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "LOCALHOST")))
    others = ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "", "2130706433", "example.org")
    assert not any(map(is_loopback, others))


def test_an_address_that_others_reach_needs_somebody_who_can_sign_in(database: Database) -> None:
    keys = Keys(database)
    check_address(RetentionSettings(), keys)
    check_address(RetentionSettings(authentication=False), keys)
    with pytest.raises(InputError, match="key add"):
        check_address(RetentionSettings(host="0.0.0.0"), keys)
    check_address(RetentionSettings(host="0.0.0.0", proxy_secret="s"), keys)
    keys.add("ann", "viewer", by="test")
    check_address(RetentionSettings(host="0.0.0.0"), keys)
    with pytest.raises(InputError, match="AUTHENTICATION is off"):
        check_address(RetentionSettings(host="0.0.0.0", authentication=False), keys)
    keys.revoke("ann", by="test")
    with pytest.raises(InputError, match="key add"):
        check_address(RetentionSettings(host="::"), keys)


def test_the_command_serves_with_a_key_that_it_made_and_ends_in_order(tmp_path: Path) -> None:
    environment = os.environ | {"SPARKHU_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment["SPARKHU_RETENTION_OTHER"] = "x"
    made = subprocess.run(
        [*COMMAND, "key", "add", "ann", "--role", "viewer"], env=environment, check=True, capture_output=True, text=True
    )
    key, port = made.stdout.strip(), free_port()
    assert key.startswith("spk_")
    assert key not in made.stderr
    server = subprocess.Popen(
        [*COMMAND, "serve", "--port", str(port)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert answered(f"http://127.0.0.1:{port}/ready")[0] == 200
        assert answered(f"http://127.0.0.1:{port}/v1/policies")[0] == 401
        assert answered(f"http://127.0.0.1:{port}/v1/policies", key) == (200, [])
        assert refused_before_the_end(port)
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=30)
    finally:
        server.kill()
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line.get("caller") for line in lines if line.get("path") == "/v1/policies"} == {None, "key:ann"}
    assert key not in said
    told = [line["message"] for line in lines if line["level"] == "warning"]
    assert told[0] == "SPARKHU_RETENTION_OTHER is the variable of no setting and counts for nothing"


def test_policies_that_cross_already_are_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path))
    settings = RetentionSettings(port=free_port())
    database = open_database(settings.database)
    with database.writing() as connection:
        for name, dataset in (("one", "a*"), ("two", "*a")):
            document = {"name": name, "match": {"dataset": dataset}, "archive_after": "1 year"}
            policy_versions.save(connection, name, document, at=datetime.now(UTC), by="before")
    database.close()
    monkeypatch.setattr(serving, "_log_lines", lambda: None)
    ended = SimpleNamespace(run=lambda sockets: [each.close() for each in sockets])
    monkeypatch.setattr(serving, "_server", lambda _: ended)
    serving.serve(settings)
    assert "'one' and 'two' are equally specific for the dataset 'a'" in caplog.text


def test_a_port_that_is_taken_is_refused_with_the_way_out() -> None:
    (first,) = listen("127.0.0.1", 0)
    port = first.getsockname()[1]
    with first, pytest.raises(InputError, match=f"port {port} of '127.0.0.1' is taken: .*--port N"):
        listen("127.0.0.1", port)
    with listen("127.0.0.1", port)[0] as again:
        assert again.getsockname()[1] == port


def test_all_addresses_of_a_name_have_the_port_that_was_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(host: str, port: int, **asked: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    first, second = listen("localhost", 0)
    with first, second:
        assert first.getsockname() == ("127.0.0.1", port := second.getsockname()[1])
        assert port != 0


@pytest.mark.parametrize("host", ["192.0.2.1", "not a name"])
def test_an_address_that_this_machine_does_not_have_is_refused(host: str) -> None:
    with pytest.raises(InputError, match=f"host '{host}' is no address of this machine"):
        listen(host, 0)


def refused_before_the_end(port: int) -> bool:
    """Send headers without an end, and tell whether the server gave up on them."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        try:
            for number in range(30_000):
                connection.sendall(b"x%d:\r\n" % number)
            return connection.recv(1_000).startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
        except ConnectionError:
            return True


def answered(address: str, key: str | None = None) -> tuple[int, object]:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"} if key else {})
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, None
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
