"""What routes take from a request beside its body."""

from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Query, Request

from sparkhu_retention.service.callers import ANYBODY, Caller
from sparkhu_retention.service.limiting import Planning
from sparkhu_retention.service.metrics import Metrics
from sparkhu_retention.service.operations import PAGE, Operations
from sparkhu_retention.service.problems import responses
from sparkhu_retention.service.runs import Runs

REFUSALS = responses(401, 403, 422, 429, 431, 503)
FINDING = REFUSALS | responses(404)
CHANGING = FINDING | responses(400, 409, 413, 415)

After = Annotated[
    str | None, Query(max_length=200, pattern=r"^[A-Za-z0-9._-]+$", description="`next` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Most items of a page.")]
FIRST: int = PAGE


@dataclass(frozen=True)
class Parts:
    """What an app consists of.

    Attributes:
        operations: Retention itself.
        runs: Runs in the background.
        metrics: What is counted.
        planning: Who may plan.
    """

    operations: Operations
    runs: Runs
    metrics: Metrics
    planning: Planning = field(default_factory=Planning)


def _parts(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)


def _caller(request: Request) -> str:
    caller: Caller = getattr(request.state, "caller", ANYBODY)
    return caller.name


Asked = Annotated[Parts, Depends(_parts)]
By = Annotated[str, Depends(_caller)]
