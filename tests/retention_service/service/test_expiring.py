"""What a policy removes from the archive: by a plan of its own, and only what left the storage for good."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sparkhu.errors import SparkhuError
from sparkhu_retention.database.opening import Database
from sparkhu_retention.places import Place
from sparkhu_retention.service.answers import HoldRequest, RestoreRequest, RunAnswer
from sparkhu_retention.service.embedded import Embedded

POLICY = {"name": "logs", "match": {"dataset": "logs/**"}, "archive_after": "1 month", "delete_after": "2 years"}
PART = "logs/day=2023-01-02/part.txt"


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.rglob("*") if file.is_file())


class Clock:
    """Tells the time that it was set to."""

    def __init__(self) -> None:
        self.at = datetime(2023, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def operations(database: Database, place: Place, clock: Clock) -> Embedded:
    made = Embedded(database, {place.name: place}, clock)
    made.set_policy(POLICY, by="test")
    return made


def applied(operations: Embedded, tier: str = "live") -> RunAnswer:
    plan = operations.make_plan("plant", by="test", tier=tier)  # type: ignore[arg-type]
    return operations.apply(plan.id, by="test", watch=lambda _: None)


def test_the_archive_is_emptied_when_its_own_period_is_over(
    operations: Embedded, clock: Clock, tmp_path: Path, live: Path
) -> None:
    assert applied(operations).done["buried"].items == 30
    archive = tmp_path / "archive"
    lying = operations.make_plan("plant", by="test", tier="archive")
    assert lying.totals == []  # what lies in its tombstone only is in nobody's archive yet

    clock.at += timedelta(days=8)
    assert applied(operations).done["purged"].items == 30
    lying = operations.make_plan("plant", by="test", tier="archive")
    assert [(total.action, total.items) for total in lying.totals] == [("keep", 30)]
    assert "expired" not in applied(operations, "archive").done
    assert files(archive).count("part.txt") == 30

    clock.at = datetime(2025, 1, 15, tzinfo=UTC)  # two years after the first two weeks
    operations.hold(HoldRequest(storage="plant", items=[PART], reason="an audit"), by="test")
    run = applied(operations, "archive")
    gone = run.done["expired"]
    assert (gone.items, gone.bytes) == (13, sum(len(f"day {day}\n") * 100 for day in range(1, 15) if day != 2))
    assert files(archive).count("part.txt") == 17
    line = operations.history(item="logs/day=2023-01-05/part.txt").items[0]
    assert (line.what, line.storage) == ("expired", "plant")

    back = operations.restore(RestoreRequest(storage="plant", items=[PART]), by="test", watch=lambda _: None)
    assert back.done["restored"].items == 1
    assert (live / PART).read_text() == "day 2\n" * 100

    clock.at = datetime(2026, 1, 1, tzinfo=UTC)
    assert applied(operations, "archive").done["expired"].items == 16
    assert [name for name in files(archive) if name == "part.txt"] == ["part.txt"]


def test_files_that_a_killed_run_removed_are_written_down_by_the_next(
    operations: Embedded, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparkhu_retention.applying import expiring

    applied(operations)
    clock.at += timedelta(days=8)
    applied(operations)
    clock.at = datetime(2026, 1, 1, tzinfo=UTC)

    def killed(*_: object) -> None:
        raise SparkhuError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(expiring, "objects", killed)
        with pytest.raises(SparkhuError, match="killed here"):
            applied(operations, "archive")
    assert files(tmp_path / "archive").count("part.txt") == 0
    assert applied(operations, "archive").done["expired"].items == 30
    assert files(tmp_path / "archive") == []
