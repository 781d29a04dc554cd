"""The audit log, and holds."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from sparkhu_retention.names import ItemId, Name
from sparkhu_retention.service.answers import HistoryEntry, HoldAnswer, HoldRequest, Page
from sparkhu_retention.service.routes.asking import CHANGING, FINDING, FIRST, REFUSALS, After, Asked, By, Limit

router = APIRouter(prefix="/v1", tags=["records"])


@router.get("/history", summary="The audit log, the newest line first.", responses=FINDING)
def history(
    asked: Asked,
    *,
    storage: Annotated[Name | None, Query(description="Only of this storage.")] = None,
    item: Annotated[ItemId | None, Query(description="Only of this item.")] = None,
    policy: Annotated[Name | None, Query(description="Only of this policy.")] = None,
    after: After = None,
    limit: Limit = FIRST,
) -> Page[HistoryEntry]:
    """List the audit log."""
    return asked.operations.history(storage=storage, item=item, policy=policy, after=after, limit=limit)


@router.get("/holds", summary="Holds in force.", responses=REFUSALS)
def holds(
    asked: Asked, released: Annotated[bool, Query(description="Those of before as well.")] = False
) -> list[HoldAnswer]:
    """List holds."""
    return asked.operations.holds(released=released)


@router.post("/holds", summary="Hold data back from every policy.", status_code=HTTPStatus.CREATED, responses=CHANGING)
def hold(asked: Asked, by: By, wanted: HoldRequest) -> HoldAnswer:
    """Place a hold."""
    return asked.operations.hold(wanted, by=by)


@router.delete("/holds/{hold}", summary="End a hold.", responses=CHANGING)
def release(asked: Asked, by: By, hold: Annotated[Name, Path(description="Id of the hold.")]) -> HoldAnswer:
    """End a hold."""
    return asked.operations.release(hold, by=by)
