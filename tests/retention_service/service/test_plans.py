"""Plans over HTTP: of a real folder, by the real planner."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore

import polars as pl
import pytest
from fastapi.testclient import TestClient

from sparkhu.lake import create_lake
from sparkhu_retention.database.opening import Database
from sparkhu_retention.places import Place
from sparkhu_retention.service.answers import PlanAnswer
from sparkhu_retention.service.app import make_app
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.keys import Keys
from sparkhu_retention.service.limiting import MOST_PLANS
from sparkhu_retention.service.settings import RetentionSettings
from sparkhu_retention.storages.folder import Folder

Client = Callable[..., TestClient]
POLICY = {"match": {"dataset": "logs/**"}, "archive_after": "1 month"}


def test_a_plan_says_what_would_go_and_what_is_held_and_touches_nothing(client: Client, live: Path) -> None:
    operator = client()
    operator.put("/v1/policies/logs", json=POLICY)
    wanted = {"storage": "plant", "start": "2023-01-03T00:00:00Z", "end": "2023-01-05T00:00:00Z", "reason": "an audit"}
    operator.post("/v1/holds", json=wanted)
    before = sorted(live.rglob("*"))

    made = operator.post("/v1/plans", json={"storage": "plant"})

    assert made.status_code == 201
    plan = operator.get(made.headers["location"]).json()
    assert plan == made.json()
    assert {total["action"]: total["items"] for total in plan["totals"]} == {"archive": 28, "held": 2}
    assert sum(total["bytes"] for total in plan["totals"]) == sum(
        file.stat().st_size for file in live.rglob("*") if file.is_file()
    )
    assert [(each["items"], "an audit" in each["held_by"]) for each in plan["held"]] == [(2, True)]
    held = operator.get(f"/v1/plans/{plan['id']}/items", params={"action": "held"}).json()["items"]
    assert [each["id"] for each in held] == [f"logs/day=2023-01-0{day}/part.txt" for day in (3, 4)]
    assert all("an audit" in each["held_by"][0] for each in held)
    assert sorted(live.rglob("*")) == before
    assert (plan["made_by"], plan["applied_at"]) == ("key:a-operator", None)


def test_a_file_that_is_written_again_waits_until_its_earlier_copy_is_purged(operations: Embedded, live: Path) -> None:
    operations.set_policy({"name": "logs", **POLICY}, by="test")
    operations.apply(operations.make_plan("plant", by="test").id, by="test", watch=lambda _: None)
    again = live / "logs/day=2023-01-02/part.txt"
    again.parent.mkdir(parents=True, exist_ok=True)
    again.write_text("written again")
    plan = operations.make_plan("plant", by="test")
    assert [(total.action, total.items) for total in plan.totals] == [("held", 1)]
    assert (plan.held[0].held_by or "").startswith("its earlier copy is in its tombstone until 2")


def test_the_items_of_a_plan_come_in_pages_without_gap_or_repeat(client: Client) -> None:
    operator = client()
    operator.put("/v1/policies/logs", json=POLICY)
    plan = operator.post("/v1/plans", json={"storage": "plant"}).json()["id"]
    for action in ({}, {"action": "archive"}):
        seen, after = [], {}
        while True:
            page = operator.get(f"/v1/plans/{plan}/items", params={"limit": 7, **action, **after}).json()
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            assert len(page["items"]) == 7
            after = {"after": page["next"]}
        assert len(seen) == len(set(seen)) == 30
    assert operator.get(f"/v1/plans/{plan}/items", params={"action": "keep"}).json() == {"items": [], "next": None}


def test_plans_are_listed_the_newest_first_in_pages(client: Client) -> None:
    operator = client()
    made = [operator.post("/v1/plans", json={"storage": "plant"}).json()["id"] for _ in range(3)]
    first = operator.get("/v1/plans", params={"limit": 2}).json()
    rest = operator.get("/v1/plans", params={"limit": 2, "after": first["next"]}).json()
    assert [plan["id"] for plan in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None


def test_plans_that_take_long_leave_room_for_other_requests(
    client: Client, operations: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = Semaphore(0), Event()
    planned = operations.make_plan

    def slow(*given: str, **named: str) -> PlanAnswer:
        began.release()
        go_on.wait(60)
        return planned(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(operations, "make_plan", slow)
    operator = client(burst=1000)
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(operator.post, "/v1/plans", json={"storage": "plant"}) for _ in range(50)]
        for _ in range(MOST_PLANS):
            assert began.acquire(timeout=30)
        refused = operator.post("/v1/plans", json={"storage": "plant"})
        others = [operator.get(path).status_code for path in ("/health", "/ready", "/v1/policies")]
        go_on.set()
        statuses = [each.result().status_code for each in asked]
    assert (refused.status_code, refused.headers["retry-after"], others) == (409, "10", [200, 200, 200])
    assert (statuses.count(201), statuses.count(409)) == (MOST_PLANS, 50 - MOST_PLANS)
    assert operator.post("/v1/plans", json={"storage": "plant"}).status_code == 201


def test_what_is_not_there_is_not_found(client: Client) -> None:
    operator = client()
    assert operator.post("/v1/plans", json={"storage": "nowhere"}).status_code == 404
    for path in ("/v1/plans/nothing", "/v1/plans/nothing/items", "/v1/runs/nothing", "/v1/policies/nothing"):
        assert operator.get(path).status_code == 404, path
    assert operator.post("/v1/runs", json={"plan": "nothing"}).status_code == 404


@pytest.mark.parametrize("storage", ["../plant", "%2e%2e/plant", "%252e%252e", "/etc", "plant/../..", "", "a" * 101])
def test_a_storage_is_a_name_and_never_a_path(client: Client, storage: str) -> None:
    answer = client().post("/v1/plans", json={"storage": storage})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.storage")


def test_the_kind_of_a_storage_is_found_out_where_its_file_leaves_it_out(
    database: Database, keys: dict[str, str], live: Path, tmp_path: Path
) -> None:
    create_lake(str(tmp_path / "lake"))
    uris = {"files": str(live), "lake": str(tmp_path / "lake"), "trials": "sqlite:////mlflow.db", "away": "s3://"}
    places = {name: Place(name=name, uri=uri) for name, uri in uris.items()}
    app = make_app(Embedded(database, places), Keys(database), RetentionSettings())
    with TestClient(app, headers={"Authorization": f"Bearer {keys['viewer']}"}) as viewer:
        found = {each["name"]: each["kind"] for each in viewer.get("/v1/storages").json()}
    assert found == {"files": "folder", "lake": "lake", "trials": "mlflow", "away": None}


def test_notes_count_all_that_stays_and_say_where_a_list_was_cut(
    operations: Embedded, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkhu_retention.service.planned.MOST_TOLD", 2)
    for number in range(3):
        (live / f"kept{number}").mkdir()
        (live / f"kept{number}" / "part.txt").write_text("1")
        policy = {"name": f"p{number}", "match": {"dataset": f"kept{number}/**"}, "archive_after": "90 years"}
        operations.set_policy(policy, by="test")
    plan = operations.make_plan("plant", by="test")
    assert [each.policy for each in plan.kept] == ["p0", "p1"]
    assert "no policy is about 30 items" in plan.notes
    assert "'kept' lists the first 2 of 4" in plan.notes


def test_a_plan_that_keeps_the_newest_lists_its_storage_once(
    operations: Embedded, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = {"name": "logs", **POLICY, "keep_newest": 1}
    operations.set_policy(policy, by="test")
    operations.apply(operations.make_plan("plant", by="test").id, by="test", watch=lambda _: None)
    times, items = [], Folder.items

    def listed(folder: Folder) -> Iterator[pl.DataFrame]:
        times.append(1)
        return iter(items(folder))

    monkeypatch.setattr(Folder, "items", listed)
    operations.make_plan("plant", by="test")
    assert len(times) == 1
