"""Logs as JSON lines, and a line a request; none holds a secret."""

import json
import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sparkhu.sources.secrets import redacted

if TYPE_CHECKING:
    from sparkhu_retention.service.metrics import Metrics

QUIET: Final = frozenset({"/health", "/ready", "/metrics"})
ADDED: Final = ("request", "caller", "method", "path", "status", "seconds", "run", "plan", "storage", "failure")
SAID: Final = "said"
"""What went wrong, in words that may name an address."""

logger = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; passwords in addresses are left out, of tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        line |= {name: getattr(record, name) for name in ADDED if getattr(record, name, None) is not None}
        if (said := getattr(record, SAID, None)) is not None:
            line[SAID] = redacted(str(said))
        if record.exc_info:
            line["traceback"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class Watched:
    """Gives each request an id, and writes what became of it to the log and the metrics.

    Args:
        app: What is watched.
        metrics: Where requests are counted.
        clock: Tells seconds that only go on.
    """

    def __init__(self, app: ASGIApp, *, metrics: "Metrics", clock: Callable[[], float] = time.monotonic) -> None:
        self.app, self.metrics, self.clock = app, metrics, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = self.clock(), 500
        identity = uuid.uuid4().hex[:16]
        scope.setdefault("state", {})["id"] = identity

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = ((b"x-request-id", identity.encode()), (b"x-content-type-options", b"nosniff"))
                message["headers"] = [*message.get("headers", []), *added, (b"cache-control", b"no-store")]
            await send(message)

        try:
            await self.app(scope, receive, with_id)
        except Exception:
            logger.exception("a request failed", extra={"request": identity})
            raise
        finally:
            self._write(scope, status, self.clock() - began)

    def _write(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        self.metrics.count_request(scope["method"], route, status, seconds)
        if scope["path"] in QUIET and status < 400:
            return
        caller = scope["state"].get("caller")
        told = {"method": scope["method"], "path": scope["path"], "status": status, "seconds": round(seconds, 4)}
        told |= {"request": scope["state"]["id"], "caller": caller.name if caller else None}
        logger.info("request", extra=told)
