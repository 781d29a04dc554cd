"""Plans: what would be done, before anything is."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from sparkhu_retention.names import Name
from sparkhu_retention.service.answers import Page, PlanAnswer, PlannedItem, PlanRequest, StorageAnswer
from sparkhu_retention.service.routes.asking import CHANGING, FINDING, FIRST, REFUSALS, After, Asked, By, Limit

router = APIRouter(prefix="/v1", tags=["plans"])
PlanId = Annotated[Name, Path(description="Id of the plan.")]


@router.get("/storages", summary="Storages that are retained.", responses=REFUSALS)
def storages(asked: Asked) -> list[StorageAnswer]:
    """List the storages."""
    return asked.operations.storages(kinds=True)


@router.post(
    "/plans", summary="Plan a storage; nothing is done to it.", status_code=HTTPStatus.CREATED, responses=CHANGING
)
def make_plan(asked: Asked, by: By, wanted: PlanRequest, response: Response) -> PlanAnswer:
    """Plan a storage."""
    with asked.planning.turn():
        made = asked.operations.make_plan(wanted.storage, by=by, tier=wanted.tier)
    response.headers["Location"] = f"/v1/plans/{made.id}"
    return made


@router.get("/plans", summary="Plans, the newest first.", responses=REFUSALS)
def plans(asked: Asked, after: After = None, limit: Limit = FIRST) -> Page[PlanAnswer]:
    """List plans."""
    return asked.operations.plans(after=after, limit=limit)


@router.get("/plans/{plan}", summary="A plan's totals by action, policy and what holds back.", responses=FINDING)
def plan(asked: Asked, plan: PlanId) -> PlanAnswer:
    """Give a plan."""
    return asked.operations.plan(plan)


@router.get("/plans/{plan}/items", summary="The items of a plan, and what becomes of each.", responses=FINDING)
def planned(
    asked: Asked,
    plan: PlanId,
    action: Annotated[Literal["archive", "delete", "keep", "held"] | None, Query(description="Only these.")] = None,
    after: After = None,
    limit: Limit = FIRST,
) -> Page[PlannedItem]:
    """List the items of a plan."""
    return asked.operations.planned(plan, action=action, after=after, limit=limit)
