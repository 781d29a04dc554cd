"""The schedule at work: beside other runners, over storages that fail, and while the service ends."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest
from fastapi.testclient import TestClient

from sparkhu_retention.applying.failures import FAILURES
from sparkhu_retention.applying.leases import RunnerLease, take
from sparkhu_retention.database.opening import Database
from sparkhu_retention.places import Place
from sparkhu_retention.service.answers import RunAnswer
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.logs import JsonLines
from sparkhu_retention.service.metrics import Metrics
from sparkhu_retention.service.runs import Runs, Wanted
from sparkhu_retention.service.scheduler import Scheduler

POLICY = {"name": "logs", "match": {"dataset": "logs/**"}, "archive_after": "1 month"}
Client = Callable[..., TestClient]


@pytest.fixture
def runs() -> Runs:
    return Runs(Metrics())


@pytest.fixture
def scheduler(operations: Embedded, runs: Runs) -> Scheduler:
    operations.set_policy(POLICY, by="test")
    return Scheduler(operations, runs, "30 2 * * *", "UTC", pause=0.05)


def taken(database: Database) -> RunnerLease:
    return take(database, "another")


def failed() -> float:
    return sum(sample.value for metric in FAILURES.collect() for sample in metric.samples if "total" in sample.name)


def left(live: Path) -> int:
    return len(list((live / "logs").rglob("*.txt")))


def test_what_finds_another_runner_at_work_waits_for_its_turn_and_is_no_failure(
    database: Database, scheduler: Scheduler, runs: Runs, live: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lease, before = taken(database), failed()
    working = Thread(target=scheduler.work)
    working.start()
    while not any(run.state == "busy" for run in runs.listed()):
        time.sleep(0.02)
    assert left(live) == 30
    lease.release()
    working.join(60)
    assert left(live) == 0
    assert {run.state for run in runs.listed()} == {"busy", "done"}
    assert (failed(), [each for each in caplog.records if each.levelno >= logging.ERROR]) == (before, [])


def test_a_run_that_a_caller_has_begun_delays_the_schedule_and_does_not_cancel_it(
    scheduler: Scheduler, runs: Runs, live: Path
) -> None:
    go_on = Event()

    def slow(*_: object) -> RunAnswer:
        go_on.wait(60)
        raise OSError("it ended")

    runs.begin(Wanted("restore", "plant", None, "ann", 0), slow)
    working = Thread(target=scheduler.work)
    working.start()
    working.join(0.5)
    assert left(live) == 30
    go_on.set()
    working.join(60)
    assert left(live) == 0


def test_a_schedule_that_never_has_its_turn_gives_up_when_its_next_time_comes(
    database: Database, operations: Embedded, runs: Runs, live: Path
) -> None:
    times = iter([datetime(2026, 1, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, 2, 29, tzinfo=UTC)])
    later = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    lease = taken(database)
    Scheduler(operations, runs, "30 2 * * *", "UTC", now=lambda: next(times, later), pause=0.01).work()
    lease.release()
    assert {run.state for run in runs.listed()} == {"busy"}
    assert left(live) == 30


def test_a_storage_that_cannot_be_planned_keeps_no_other_from_it_and_is_counted(
    database: Database, place: Place, runs: Runs, live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    gone = Place(name="gone", uri=str(tmp_path / "gone"), kind="folder")
    operations = Embedded(database, {"gone": gone, place.name: place})
    operations.set_policy(POLICY, by="test")
    planned = operations.make_plan

    def make_plan(storage: str, **said: str) -> object:
        if storage == "gone":
            raise PermissionError(13, "Permission denied", "/somewhere")
        return planned(storage, **said)  # type: ignore[arg-type]

    monkeypatch.setattr(operations, "make_plan", make_plan)
    before = failed()
    Scheduler(operations, runs, "30 2 * * *", "UTC").work()
    assert (left(live), failed() - before) == (0, 1)


def test_a_service_that_ends_does_not_wait_for_the_run_of_its_schedule(
    operations: Embedded, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = Event(), Event()

    def apply(*_: object, **__: object) -> RunAnswer:
        began.set()
        go_on.wait(60)
        raise OSError("it ended")

    monkeypatch.setattr(operations, "apply", apply)
    start, real = datetime(2026, 1, 1, 2, 29, 59, 900_000, tzinfo=UTC), datetime.now(UTC)
    scheduler = Scheduler(operations, runs, "30 2 * * *", "UTC", now=lambda: start + (datetime.now(UTC) - real))
    scheduler.start()
    assert began.wait(30)
    asked = time.monotonic()
    scheduler.stop()
    took = time.monotonic() - asked
    go_on.set()
    runs.wait()
    assert took < 3


def test_a_plan_that_does_not_fit_on_the_disk_says_so(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no-such-folder"))
    answer = client().post("/v1/plans", json={"storage": "plant"})
    assert (answer.status_code, "no-such-folder" in answer.json()["detail"]) == (503, True)


def test_the_line_of_a_failed_run_says_why_and_no_password(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    from sparkhu.errors import SparkhuError
    from sparkhu_retention.applying.failures import alert

    def fail(*_: object) -> RunAnswer:
        error = SparkhuError("postgresql://ann:pea@db/mlflow does not answer")
        alert(error, storage="plant", run="r1")
        raise error

    with caplog.at_level(logging.INFO):
        runs.begin(Wanted("apply", "plant", None, "ann", 0), fail)
        runs.wait()
    lines = [JsonLines().format(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 2
    assert all('"said": "postgresql://ann:***@db/mlflow does not answer"' in line for line in lines)
    assert '"failure": "other"' in lines[0]
