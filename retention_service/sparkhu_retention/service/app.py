"""The service over HTTP, put together from its parts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi

from sparkhu_retention.service.gate import OPEN, Gate
from sparkhu_retention.service.logs import Watched
from sparkhu_retention.service.metrics import Metrics
from sparkhu_retention.service.operations import Operations
from sparkhu_retention.service.problems import Problem, answer_problems
from sparkhu_retention.service.routes import health, plans, policies, records, running
from sparkhu_retention.service.routes.asking import Parts
from sparkhu_retention.service.runs import Runs
from sparkhu_retention.service.scheduler import Scheduler
from sparkhu_retention.service.settings import RetentionSettings

if TYPE_CHECKING:
    from sparkhu_retention.service.keys import Keys

TITLE: Final = "Sparkhu retention"
ABOUT: Final = """Archives and removes old data by policy, and nothing that is still needed.

`POST /v1/plans` says what would be done and what is held back by what; `POST /v1/runs` does it. Whoever only looks
needs the role viewer, everything else needs operator. What goes wrong is answered as RFC 9457 has it."""


def make_app(operations: Operations, keys: "Keys", settings: RetentionSettings) -> FastAPI:
    """Put the service together.

    Args:
        operations: Retention itself.
        keys: The API keys.
        settings: Of the service; with a schedule, the app works by it while it is up.
    """
    metrics = Metrics(storage.name for storage in operations.storages())
    parts = Parts(operations, Runs(metrics), metrics)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        scheduler = None
        if settings.schedule:
            scheduler = Scheduler(operations, parts.runs, settings.schedule, settings.zone)
            scheduler.start()
        yield
        if scheduler is not None:
            await run_in_threadpool(scheduler.stop)

    app = _with_routes(life)
    app.state.parts = parts
    answer_problems(app)
    app.add_middleware(Gate, keys=keys, settings=settings)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(Watched, metrics=metrics)
    return app


def openapi_document() -> dict[str, Any]:
    """Write the OpenAPI document of the service, which it serves as `/openapi.json` too."""
    return _with_routes().openapi()


def _with_routes(life: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None) -> FastAPI:
    # The pages of documentation would load scripts from elsewhere.
    app = FastAPI(title=TITLE, description=ABOUT, version="1", docs_url=None, redoc_url=None, lifespan=life)
    for module in (health, policies, plans, running, records):
        app.include_router(module.router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """Write the OpenAPI document: with the form of problems, and how callers sign in."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = schema.setdefault("components", {})
        template = "#/components/schemas/{model}"
        problems = Problem.model_json_schema(mode="serialization", ref_template=template)
        components["schemas"] |= problems.pop("$defs", {}) | {"Problem": problems}
        components["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "A key of `sparkhu retention key add`."}
        }
        for path, methods in schema["paths"].items():
            for method in methods.values():
                method["security"] = [] if path in OPEN else [{"key": []}]
        app.openapi_schema = schema
    return app.openapi_schema
