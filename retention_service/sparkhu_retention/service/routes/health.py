"""Whether the service is well, and its metrics."""

import logging
from contextlib import suppress

from fastapi import APIRouter, HTTPException, Response
from prometheus_client import CONTENT_TYPE_LATEST

from sparkhu.errors import SparkhuError
from sparkhu_retention.service.answers import Said
from sparkhu_retention.service.problems import responses
from sparkhu_retention.service.routes.asking import REFUSALS, Asked

router = APIRouter(tags=["health"])
logger = logging.getLogger(__name__)


class Well(Said):
    """All is well."""

    status: str = "ok"


@router.get("/health", summary="The process answers; nobody needs to sign in.", responses=responses(431))
async def health() -> Well:
    """Tell that the process answers, also while all of its threads are at work."""
    return Well()


@router.get(
    "/ready",
    summary="The database answers; nobody needs to sign in.",
    responses=responses(429, 431, 503),
)
def ready(asked: Asked) -> Well:
    """Tell that requests can be answered; why not is in the log, for anybody may ask here."""
    try:
        asked.operations.check()
    except SparkhuError as error:
        logger.error("not ready: %s", error)
        raise HTTPException(503, "the database cannot be used; the log says why") from None
    return Well()


@router.get(
    "/metrics",
    summary="Metrics in Prometheus' text format.",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}, **REFUSALS},
)
def metrics(asked: Asked) -> Response:
    """Write the metrics; where the database is away, times of success are those of before."""
    with suppress(SparkhuError):
        asked.metrics.set_last_successes(asked.operations.last_successes())
    return Response(asked.metrics.text(), media_type=CONTENT_TYPE_LATEST)
