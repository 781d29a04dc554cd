"""Plans that are applied and items that are put back over HTTP, on a real folder."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sparkhu.errors import SparkhuError
from sparkhu_retention.applying.failures import FAILURES
from sparkhu_retention.applying.leases import take
from sparkhu_retention.database.opening import Database
from sparkhu_retention.service.app import make_app
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.keys import Keys
from sparkhu_retention.service.scheduler import Scheduler
from sparkhu_retention.service.settings import RetentionSettings
from sparkhu_retention.storages import folder
from sparkhu_retention.storages.protocol import Exported

Client = Callable[..., TestClient]
POLICY = {"match": {"dataset": "logs/**"}, "archive_after": "1 month"}
PART = "logs/day=2023-01-02/part.txt"


def ended(client: TestClient, begun: str) -> dict[str, object]:
    """Wait for a run as a caller does."""
    deadline = time.monotonic() + 60
    while True:
        run: dict[str, object] = client.get(begun).json()
        if run["state"] != "running":
            return run
        assert time.monotonic() < deadline, run
        time.sleep(0.2)


def counted_failures() -> float:
    return sum(sample.value for metric in FAILURES.collect() for sample in metric.samples if "_total" in sample.name)


def applied(client: TestClient) -> dict[str, object]:
    plan = client.post("/v1/plans", json={"storage": "plant"}).json()["id"]
    begun = client.post("/v1/runs", json={"plan": plan})
    assert begun.status_code == 202, begun.text
    return ended(client, begun.headers["location"])


def test_a_plan_is_applied_and_what_left_comes_back_the_same(client: Client, live: Path) -> None:
    operator = client(burst=1000)
    operator.put("/v1/policies/logs", json=POLICY)
    before = {file.relative_to(live): file.read_bytes() for file in live.rglob("*.txt")}

    run = applied(operator)

    assert (run["state"], run["failures"], run["items"]) == ("done", [], 30)
    assert run["done"]["buried"]["items"] == 30  # type: ignore[index]
    assert run["done"]["buried"]["bytes"] == sum(map(len, before.values()))  # type: ignore[index]
    assert not (live / PART).exists()
    assert operator.get(f"/v1/plans/{run['plan']}").json()["applied_at"] is not None
    lines = operator.get("/v1/history", params={"item": PART, "storage": "plant"}).json()["items"]
    assert [line["what"] for line in lines] == ["buried", "verified", "archived"]
    assert {line["by"] for line in lines} == {"key:a-operator"}

    back = operator.post("/v1/restores", json={"storage": "plant", "items": [PART]})
    restored = ended(operator, back.headers["location"])

    assert (restored["state"], restored["done"]["restored"]["items"]) == ("done", 1)  # type: ignore[index]
    assert (live / PART).read_bytes() == before[Path(PART)]
    text = operator.get("/metrics").text.splitlines()
    assert 'sparkhu_retention_items_total{step="buried",storage="plant"} 30.0' in text
    assert 'sparkhu_retention_runs_total{kind="restore",state="done"} 1.0' in text
    assert "sparkhu_retention_running 0.0" in text


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"items": ["logs/../../etc/passwd"]}, "items"),
        ({"items": [PART, "logs/typo"]}, "items"),
        ({"items": ["other/**"]}, "items"),
        ({"run": "20230101t000000-1"}, "run"),
    ],
)
def test_what_nothing_removed_is_refused_at_once_and_is_no_failure(
    client: Client, operations: Embedded, wanted: dict[str, object], field: str
) -> None:
    operator = client()
    operator.put("/v1/policies/logs", json=POLICY)
    applied(operator)
    failures, lines = counted_failures(), len(operations.history(limit=1_000).items)
    refused = operator.post("/v1/restores", json={"storage": "plant", **wanted})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    assert (counted_failures(), len(operations.history(limit=1_000).items)) == (failures, lines)
    assert operations.holds() == []


def test_a_request_to_restore_says_what(client: Client) -> None:
    operator = client()
    empty = {"start": "2023-01-02T00:00:00Z", "end": "2023-01-01T00:00:00Z"}
    mistakes: list[dict[str, object]] = [{}, {"items": []}, {**empty}]
    for wanted in mistakes:
        assert operator.post("/v1/restores", json={"storage": "plant", **wanted}).status_code == 422
    assert operator.post("/v1/restores", json={"storage": "nowhere", "items": ["a"]}).status_code == 404


def test_a_run_that_fails_says_why_and_leaves_the_source(client: Client, live: Path, tmp_path: Path) -> None:
    operator = client()
    operator.put("/v1/policies/logs", json=POLICY)
    (tmp_path / "archive").rmdir()
    (tmp_path / "archive").write_text("in the way")
    run = applied(operator)
    assert run["state"] == "failed"
    assert run["failures"]
    assert len(list(live.rglob("*.txt"))) == 30


def test_one_runner_at_a_time_also_over_several_services(client: Client, database: Database, live: Path) -> None:

    operator = client()
    operator.put("/v1/policies/logs", json=POLICY)
    lease = take(database, "another")
    run = applied(operator)
    assert run["state"] == "busy"
    assert "another" in run["failures"][0]["detail"]  # type: ignore[index]
    lease.release()
    assert applied(operator)["state"] == "done"


def test_the_schedule_plans_and_applies_every_storage(database: Database, operations: Embedded, live: Path) -> None:
    operations.set_policy({"name": "logs", **POLICY}, by="test")
    app = make_app(operations, Keys(database), RetentionSettings())
    parts = app.state.parts
    Scheduler(operations, parts.runs, "30 2 * * *", "UTC").work()
    of_archive, of_storage = parts.runs.listed()
    assert (of_storage.state, of_storage.by, of_storage.done["buried"].items) == ("done", "schedule", 30)
    assert (of_archive.state, of_archive.by, of_archive.done) == ("done", "schedule", {})
    assert list((live / "logs").rglob("*.txt")) == []


def test_a_run_names_what_it_could_not_deal_with_and_not_what_changed_beside_it(
    client: Client, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = client(burst=1000)
    operator.put("/v1/policies/logs", json=POLICY)
    plan = operator.post("/v1/plans", json={"storage": "plant"}).json()["id"]
    (live / PART).write_text("written anew")
    bad = "logs/day=2023-01-03/part.txt"
    copied = folder.copied

    def refused(item: str, *rest: Any) -> Exported:
        if item == bad:
            raise SparkhuError(f"cannot export '{item}': Permission denied.")
        return copied(item, *rest)

    monkeypatch.setattr(folder, "copied", refused)
    run = ended(operator, operator.post("/v1/runs", json={"plan": plan}).headers["location"])
    assert {what: done["items"] for what, done in run["done"].items()} == {  # type: ignore[attr-defined]
        "archived": 28,
        "buried": 28,
        "changed": 1,
        "failed": 1,
    }
    assert run["failures"] == [{"item": bad, "detail": f"cannot export '{bad}': Permission denied."}]
    assert run["state"] == "failed"
