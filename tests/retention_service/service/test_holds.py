"""How many items fall under a hold when it is placed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pydantic import ValidationError

from sparkhu_retention.service.answers import HoldRequest
from sparkhu_retention.service.embedded import Embedded
from tests.retention_service.service.conftest import Client

PART = "logs/day=2023-01-02/part.txt"


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 30),
        ({"dataset": "logs"}, 30),
        ({"dataset": "nothing"}, 0),
        ({"items": [PART, "logs/never"]}, 1),
        ({"items": ["logs/never"]}, 0),
        ({"start": datetime(2023, 1, 3, tzinfo=UTC), "end": datetime(2023, 1, 5, tzinfo=UTC)}, 2),
        ({"storage": None}, None),
    ],
)
def test_a_hold_tells_how_many_items_fall_under_it_now(
    operations: Embedded, wanted: dict[str, Any], count: int | None
) -> None:
    placed = operations.hold(HoldRequest(**{"storage": "plant", "reason": "audit", **wanted}), by="test")
    assert placed.items_now == count
    assert len(operations.holds()) == 1


def test_what_lies_in_a_tombstone_counts(operations: Embedded) -> None:
    operations.set_policy({"name": "logs", "archive_after": "1 month"}, by="test")
    operations.apply(operations.make_plan("plant", by="test").id, by="test", watch=lambda _: None)
    assert operations.hold(HoldRequest(storage="plant", items=[PART], reason="audit"), by="test").items_now == 1


def test_a_storage_that_is_away_is_held_and_not_counted(operations: Embedded) -> None:
    operations.places["gone"] = operations.places["plant"].model_copy(update={"uri": "/no/such/folder"})  # type: ignore[index]
    assert operations.hold(HoldRequest(storage="gone", reason="audit"), by="test").items_now is None
    assert len(operations.holds()) == 1


def test_items_are_held_by_themselves_or_by_what_they_cover(operations: Embedded) -> None:
    with pytest.raises(ValidationError, match="leave dataset, start and end out"):
        HoldRequest(storage="plant", items=[PART], dataset="logs", reason="audit")


@pytest.mark.parametrize("item", ["logs/*", "logs/day=2023-01-0?/part.txt", "**"])
def test_a_pattern_of_items_which_would_hold_nothing_is_refused(client: Client, item: str) -> None:
    asked = {"storage": "plant", "reason": "audit", "items": [PART, item]}
    refused = client().post("/v1/holds", json=asked)
    assert refused.status_code == 422
    assert "items.1: it must be the id of one item, not a pattern" in refused.json()["detail"]
    assert "name the items one by one, or hold a dataset" in refused.text
    assert client().get("/v1/holds").json() == []


def test_an_item_whose_id_looks_like_a_pattern_is_held_by_its_dataset(operations: Embedded, live: Path) -> None:
    odd = live / "odd*/day=2023-01-01/what?.txt"
    odd.parent.mkdir(parents=True)
    odd.write_text("odd")
    operations.set_policy({"name": "all", "archive_after": "1 month"}, by="test")
    assert operations.hold(HoldRequest(storage="plant", dataset="odd*", reason="audit"), by="test").items_now == 1
    plan = operations.make_plan("plant", by="test")
    assert [each.id for each in operations.planned(plan.id, action="held").items] == [str(odd.relative_to(live))]


def test_of_very_many_tombstones_only_the_number_is_read(operations: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    operations.set_policy({"name": "logs", "archive_after": "1 month"}, by="test")
    operations.apply(operations.make_plan("plant", by="test").id, by="test", watch=lambda _: None)

    def never(*_: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr("sparkhu_retention.service.held.MOST_LISTED", 5)
    monkeypatch.setattr("sparkhu_retention.database.buried.pages", never)
    assert operations.hold(HoldRequest(storage="plant", reason="audit"), by="test").items_now is None
