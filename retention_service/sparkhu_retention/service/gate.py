"""What every request goes through before anything of it is read: origin, sign-in, role, rate, size."""

import math
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sparkhu.errors import SparkhuError
from sparkhu_retention.service.callers import Caller, NotAllowed, NotSignedIn, Role, WrongKey, identify
from sparkhu_retention.service.limiting import Buckets
from sparkhu_retention.service.problems import problem
from sparkhu_retention.service.settings import is_loopback

if TYPE_CHECKING:
    from sparkhu_retention.service.keys import Keys
    from sparkhu_retention.service.settings import RetentionSettings

OPEN: Final = frozenset({"/health", "/ready", "/openapi.json"})
LOOKING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
ALIVE: Final = "/health"
"""Costs nothing, and a probe that is refused here would end the process: it is never slowed down."""
MOST_HEADERS: Final = 100


class Gate:
    """Lets through what may go on; whatever does not only look needs an operator.

    That rule stands here, by the method of the request, and not at the routes: a route that is added later cannot
    forget it. No cookie is ever looked at, so a page of another site has nothing to borrow; its `Origin` is refused
    all the same, for where nobody signs in, or a proxy signs in by cookie.

    Args:
        app: What is guarded.
        keys: The API keys.
        settings: Of the service.
    """

    def __init__(self, app: ASGIApp, *, keys: "Keys", settings: "RetentionSettings") -> None:
        self.app, self.keys, self.settings = app, keys, settings
        self.buckets = Buckets(settings.rate, settings.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or hand the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        refusal = await self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self.app(scope, _limited(receive, self.settings.largest_body), send)

    async def _refusal(self, request: Request) -> JSONResponse | None:
        identity = getattr(request.state, "id", None)
        if len(request.scope["headers"]) > MOST_HEADERS:
            detail = f"a request may have {MOST_HEADERS} headers at most"
            return problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail, request=identity)
        said = _strange_origin(request, self.settings)
        if said:
            return problem(HTTPStatus.FORBIDDEN, said, request=identity)
        peer = request.client.host if request.client else ""
        # The path that routes go by, not that of the whole address: in it the caller's Host stands before the path.
        if request.scope["path"] in OPEN and request.method in LOOKING:
            wait = 0.0 if request.scope["path"] == ALIVE else self.buckets.wait(f"open:{peer}")
            return _too_often(wait, identity) if wait else None
        try:
            caller = await run_in_threadpool(identify, _plain(request), peer, self.keys, self.settings)
        except (NotSignedIn, NotAllowed) as error:
            # By address only those are slowed down who fail to sign in: many may come from the address of one proxy.
            wait = self.buckets.wait(f"address:{peer}")
            return _too_often(wait, identity) if wait else _not_let_in(error, identity)
        wait = self.buckets.wait(caller.name)
        if wait:
            return _too_often(wait, identity)
        request.state.caller = caller
        return _unfit(request, caller, self.settings.largest_body, identity)


def _plain(request: Request) -> Mapping[str, str]:
    """Give the headers; one that comes twice is taken for none, since readers disagree on which of them counts."""
    given = request.headers.items()
    times = Counter(name for name, _ in given)
    return {name: value for name, value in given if times[name] == 1}


def _strange_origin(request: Request, settings: "RetentionSettings") -> str | None:
    """Say what is wrong with where a request comes from; null: nothing.

    Without sign-in the host must be this machine by name: another's name could be made to mean it (DNS rebinding).
    """
    host = request.headers.get("host", "")
    if not settings.authentication and not is_loopback(_hostname(host)):
        return "without sign-in the service answers to the names of this machine alone, such as localhost"
    if request.method in LOOKING and settings.authentication:
        return None
    origin = request.headers.get("origin")
    if origin is None:
        strange = request.headers.get("sec-fetch-site") == "cross-site"
    else:
        strange = origin not in (f"http://{host}", f"https://{host}", *settings.origins)
    return "pages of other sites may not call; SPARKHU_RETENTION_ORIGINS names those that may" if strange else None


def _hostname(host: str) -> str:
    """Give the name in a header Host; empty where it has none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _not_let_in(error: SparkhuError, identity: str | None) -> JSONResponse:
    if isinstance(error, NotAllowed):
        return problem(HTTPStatus.FORBIDDEN, str(error), request=identity)
    why = ', error="invalid_token"' if isinstance(error, WrongKey) else ""
    headers = {"WWW-Authenticate": f'Bearer realm="sparkhu retention"{why}'}
    return problem(HTTPStatus.UNAUTHORIZED, str(error), request=identity, headers=headers)


def _too_often(wait: float, identity: str | None) -> JSONResponse:
    seconds = math.ceil(wait)
    headers = {"Retry-After": str(seconds)}
    detail = f"too many requests; ask again in {seconds} s"
    return problem(HTTPStatus.TOO_MANY_REQUESTS, detail, request=identity, headers=headers)


def _unfit(request: Request, caller: Caller, largest: int, identity: str | None) -> JSONResponse | None:
    if request.method in LOOKING:
        return None
    if caller.role is not Role.OPERATOR:
        return problem(HTTPStatus.FORBIDDEN, "this needs the role operator; yours is viewer", request=identity)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in WITH_BODY and kind != "application/json":
        detail = f"the header Content-Type must be application/json, got '{kind}'"
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, request=identity)
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length) > largest:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(largest), request=identity)
    return None


def _too_large(largest: int) -> str:
    return f"a request may have {largest:,} bytes at most"


def _limited(receive: Receive, largest: int) -> Receive:
    """Count what arrives, for a request that does not say its length."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > largest:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(largest))
        return message

    return counted
