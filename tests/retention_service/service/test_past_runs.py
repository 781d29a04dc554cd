"""Runs after the service that began them has ended: under the same name, from the database."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sparkhu.errors import SparkhuError
from sparkhu_retention.applying.leases import LASTS, take
from sparkhu_retention.database import audit, journal
from sparkhu_retention.database.journal import Ran
from sparkhu_retention.database.opening import Database
from sparkhu_retention.places import Place
from sparkhu_retention.service.applied import MOST_FAILURES, failures_of
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.operations import NoSuch
from sparkhu_retention.service.past_runs import last_successes
from sparkhu_retention.storages import folder
from sparkhu_retention.storages.protocol import Exported
from tests.retention_service.database.conftest import postgres_url, url
from tests.retention_service.service.test_running import PART, POLICY, applied, ended

__all__ = ["postgres_url", "url"]

Client = Callable[..., TestClient]
LAST = 'sparkhu_retention_last_success_timestamp_seconds{storage="plant"} '


def last_success(client: TestClient) -> float:
    (line,) = (line for line in client.get("/metrics").text.splitlines() if line.startswith(LAST))
    return float(line.removeprefix(LAST))


def test_a_run_is_found_after_a_restart_under_the_name_that_the_history_has(client: Client) -> None:
    operator = client(burst=1000)
    operator.put("/v1/policies/logs", json=POLICY)
    run = applied(operator)
    back = ended(
        operator, operator.post("/v1/restores", json={"storage": "plant", "items": [PART]}).headers["location"]
    )

    later = client(burst=1000)

    again = later.get(f"/v1/runs/{run['id']}").json()
    assert (again["state"], again["items"], again["done"], again["plan"]) == ("done", 30, run["done"], run["plan"])
    assert (again["kind"], again["by"], again["storage"]) == ("apply", "key:a-operator", "plant")
    restored = later.get(f"/v1/runs/{back['id']}").json()
    assert (restored["kind"], restored["items"], restored["done"]) == ("restore", None, back["done"])
    assert [each["id"] for each in later.get("/v1/runs").json()] == [back["id"], run["id"]]
    assert [each["id"] for each in operator.get("/v1/runs").json()] == [back["id"], run["id"]]
    assert len(later.get("/v1/runs", params={"limit": 1}).json()) == 1
    lines = later.get("/v1/history", params={"item": PART}).json()["items"]
    assert {line["run"] for line in lines if line["what"] == "buried"} == {run["id"]}
    assert later.get("/v1/runs/nothing").status_code == 404


def test_the_last_success_is_that_of_any_process_and_a_run_with_failures_is_none(
    client: Client, operations: Embedded, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = client("viewer", burst=1000)
    operations.set_policy({"name": "logs", **POLICY}, by="test")
    began = datetime.now(UTC).timestamp()
    assert last_success(viewer) == 0
    operations.apply(operations.make_plan("plant", by="test").id, by="command", watch=lambda _: None)
    well = last_success(viewer)
    assert well >= began

    (live / PART).parent.mkdir(exist_ok=True, parents=True)
    (live / "logs/day=2023-02-01").mkdir()
    (live / "logs/day=2023-02-01/part.txt").write_text("new")

    def refused(item: str, *_: Any) -> Exported:
        raise SparkhuError(f"cannot export '{item}'")

    monkeypatch.setattr(folder, "copied", refused)
    run = operations.apply(operations.make_plan("plant", by="test").id, by="command", watch=lambda _: None)
    assert (run.state, operations.run(run.id).state) == ("failed", "failed")
    assert operations.run(run.id).failures == run.failures
    assert last_success(viewer) == well


def test_a_run_that_was_stopped_by_a_failure_says_why(operations: Embedded, tmp_path: Path) -> None:
    operations.set_policy({"name": "logs", **POLICY}, by="test")
    plan = operations.make_plan("plant", by="test").id
    (tmp_path / "archive").rmdir()
    (tmp_path / "archive").symlink_to("nowhere")
    with pytest.raises(SparkhuError) as failed:
        operations.apply(plan, by="test", watch=lambda _: None, run="r1")
    told = operations.run("r1")
    assert (told.state, told.items) == ("failed", 30)
    assert str(failed.value) in told.failures[-1].detail


def test_a_run_is_under_way_while_its_lease_counts_and_was_killed_after_it(
    operations: Embedded, database: Database, place: Place
) -> None:
    now = datetime.now(UTC)
    database.clock = lambda: now
    lease = take(database, "another")
    ran = Ran("r1", None, place.uri, None, "another", lease.token, now, None, "running", None, {})
    with database.writing() as connection:
        journal.begin(connection, ran)
    assert [(run.id, run.state) for run in operations.runs()] == [("r1", "running")]
    database.clock = lambda: now + LASTS + timedelta(seconds=1)
    assert operations.run("r1").state == "killed"
    with pytest.raises(NoSuch, match="no run 'r2'"):
        operations.run("r2")


def test_the_last_success_is_read_from_any_database(url: str) -> None:
    database, at = Database(url), datetime(2025, 1, 1, tzinfo=UTC)
    counted = {"failed": {"items": 1, "rows": 0, "bytes": 0}}
    ends = [("done", {}), ("done", {"failed": {"items": 0}}), ("done", counted), ("failed", {})]
    with database.writing() as connection:
        for day, (state, counts) in enumerate(ends):
            ended_at = at + timedelta(days=day)
            journal.begin(connection, Ran(f"r{day}", None, "/a", None, "ann", day, at, ended_at, state, None, counts))
        assert last_successes(connection) == {"/a": at + timedelta(days=1)}
    database.close()


def test_a_list_of_runs_names_no_items_and_a_run_the_first(
    client: Client, operations: Embedded, database: Database, place: Place
) -> None:
    at, lines = datetime(2025, 1, 1, tzinfo=UTC), 30
    counts = {"failed": {"items": lines * 7, "rows": None, "bytes": 0}}
    with database.writing() as connection:
        journal.begin(connection, Ran("r1", None, place.uri, None, "ann", 1, at, at, "failed", "disk full", counts))
        for line in range(lines):
            objects = [{"id": f"{line}/{number}"} for number in range(7)]
            audit.append(connection, "failed", at=at, who="ann", run="r1", objects=objects, said="no room")
    (listed,) = client("viewer").get("/v1/runs").json()
    assert (listed["failures"], listed["done"]) == ([{"item": None, "detail": "disk full"}], counts)
    told = operations.run("r1").failures
    assert [each.item for each in told] == [*(f"{number // 7}/{number % 7}" for number in range(MOST_FAILURES)), None]


def test_of_failures_no_more_lines_are_read_than_are_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    at, read = datetime(2025, 1, 1, tzinfo=UTC), list[str]()
    with database.writing() as connection:
        for _ in range(5):
            objects = [{"id": str(number)} for number in range(MOST_FAILURES)]
            audit.append(connection, "failed", at=at, who="ann", run="r1", objects=objects, said="no room")

    def loads(line: str) -> Any:
        read.append(line)
        return json.loads(line)

    monkeypatch.setattr("sparkhu_retention.service.applied.json", SimpleNamespace(loads=loads))
    with database.reading() as connection:
        assert len(failures_of(connection, "r1")) == MOST_FAILURES
    assert len(read) == 1
