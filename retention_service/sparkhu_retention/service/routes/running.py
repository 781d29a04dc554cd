"""Runs, which apply plans or restore items in the background."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from sparkhu_retention.names import Name
from sparkhu_retention.service.answers import RestoreRequest, RunAnswer, RunRequest
from sparkhu_retention.service.routes.asking import CHANGING, FINDING, FIRST, REFUSALS, Asked, By, Limit
from sparkhu_retention.service.runs import Wanted

router = APIRouter(prefix="/v1", tags=["runs"])


@router.post(
    "/runs",
    summary="Apply a plan in the background; the answer's address tells how far it is.",
    status_code=HTTPStatus.ACCEPTED,
    responses=CHANGING,
)
def apply(asked: Asked, by: By, wanted: RunRequest, response: Response) -> RunAnswer:
    """Begin to apply a plan."""
    plan, operations = asked.operations.plan(wanted.plan), asked.operations
    items = sum(total.items for total in plan.totals if total.action in ("archive", "delete"))
    begun = asked.runs.begin(
        Wanted("apply", plan.storage, plan.id, by, items),
        lambda run, watch: operations.apply(plan.id, by=by, watch=watch, run=run),
    )
    response.headers["Location"] = f"/v1/runs/{begun.id}"
    return begun


@router.post(
    "/restores",
    summary="Put items back, from the tombstone or the archive, in the background.",
    status_code=HTTPStatus.ACCEPTED,
    responses=CHANGING,
)
def restore(asked: Asked, by: By, wanted: RestoreRequest, response: Response) -> RunAnswer:
    """Begin to put items back; what was not removed is refused at once."""
    operations = asked.operations
    items = operations.restorable(wanted)
    begun = asked.runs.begin(
        Wanted("restore", wanted.storage, None, by, items),
        lambda run, watch: operations.restore(wanted, by=by, watch=watch, run=run),
    )
    response.headers["Location"] = f"/v1/runs/{begun.id}"
    return begun


@router.get("/runs", summary="Runs, the newest first.", responses=REFUSALS)
def runs(asked: Asked, limit: Limit = FIRST) -> list[RunAnswer]:
    """List runs: those of this process, which may not have come to their turn, and all that the database has."""
    here = asked.runs.listed()
    known = {run.id for run in here}
    others = [run for run in asked.operations.runs(limit=limit) if run.id not in known]
    newest = sorted([*here, *others], key=lambda run: run.began_at, reverse=True)[:limit]
    return [run.model_copy(update={"failures": [each for each in run.failures if not each.item]}) for run in newest]


@router.get("/runs/{run}", summary="How far a run is.", responses=FINDING)
def run(asked: Asked, run: Annotated[Name, Path(description="Id of the run.")]) -> RunAnswer:
    """Give a run; one of before the service began, or of another, as the database has it."""
    found = asked.runs.find(run)
    return asked.operations.run(run) if found is None else found
