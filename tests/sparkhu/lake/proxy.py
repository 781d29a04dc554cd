"""A forwarding HTTP proxy that stands before an S3 endpoint and does harm at a chosen write."""

import socket
import threading
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

When = Literal["before", "middle", "after"]
WRITES = ("PUT", "POST", "DELETE")


class Proxy(ThreadingHTTPServer):
    """Forwards every request to `upstream`, and calls `harm` at the `strike`-th write since `arm`.

    Harm is done before the request is forwarded, when half of its body has been, or after the endpoint has answered;
    the client never hears of that request again. A proxy that is `away` hangs up on everybody. Of `cut_reads` answers
    to reads half is sent.
    """

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.away = False
        self.cut_reads = 0
        self.writes: list[str] = []
        self.strike = 0
        self.when: When = "before"
        self.harm: Callable[[], None] = lambda: None
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def arm(self, strike: int, when: When, harm: Callable[[], None]) -> None:
        """Count writes anew and do harm at the `strike`-th; 0 is never."""
        with self.lock:
            self.writes, self.strike, self.when, self.harm = [], strike, when, harm

    def is_struck(self, line: str) -> bool:
        """Count a write and tell whether it is the one."""
        with self.lock:
            self.writes.append(line)
            return len(self.writes) == self.strike

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that break off: they are what this is for."""

    def close(self) -> None:
        """Stop."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, HTTPException):
            self.close_connection = True

    def _forward(self) -> None:
        if self.server.away:
            return self._hang_up()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_struck = self.command in WRITES and self.server.is_struck(f"{self.command} {self.path}")
        when = self.server.when if is_struck else None
        if when == "before":
            return self._strike()
        with closing(HTTPConnection(self.server.upstream, timeout=30)) as upstream:
            self._ask(upstream)
            upstream.send(body[: len(body) // 2] if when == "middle" else body)
            if when != "middle":
                with closing(upstream.getresponse()) as answer:
                    content = answer.read()
        return self._strike() if when else self._answer(answer, content)

    def _ask(self, upstream: HTTPConnection) -> None:
        """Pass the head of a request on; the signature holds for the host that the client asked."""
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                upstream.putheader(name, value)
        upstream.endheaders()

    def _answer(self, answer: HTTPResponse, content: bytes) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(content)))
        self.end_headers()
        if self.command == "GET" and self.server.cut_reads:
            self.server.cut_reads -= 1
            self.wfile.write(content[: len(content) // 2])
            return self._hang_up()
        self.wfile.write(content)
        return None

    def _strike(self) -> None:
        self.server.harm()
        self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815 - names that http.server looks for
