"""What a policy removes from the archive: by a plan of its own, and only what left the storage for good."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.lake import Replace, create_lake
from sparkhu_retention.database.opening import Database
from sparkhu_retention.places import Place
from sparkhu_retention.service.answers import HoldRequest, RestoreRequest, RunAnswer
from sparkhu_retention.service.embedded import Embedded
from tests.sparkhu.lake.made_rows import DAY, START, observed

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


def test_copies_of_a_lake_that_lack_a_downsample_are_held_until_they_were_restored_and_have_one(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    rows, read = observed(hours=48), lake.version().number
    lake.commit({"clean": Replace(rows, START, START + 2 * DAY, read, "p", None)}, run="a", based_on=lake.version())
    (tmp_path / "cold").mkdir()
    place = Place(name="plant", uri=lake.uri, kind="lake", archive=str(tmp_path / "cold"))
    operations = Embedded(database, {place.name: place}, clock)
    policy = {"name": "rows", "match": {"dataset": "clean"}, "archive_after": "1 month", "delete_after": "2 years"}
    operations.set_policy(policy, by="test")
    clock.at = datetime(2024, 6, 1, tzinfo=UTC)
    count = applied(operations).done["buried"].items
    clock.at += timedelta(days=8)
    assert applied(operations).done["purged"].items == count

    operations.set_policy({**policy, "downsample": {"to": "1d"}}, by="test")
    clock.at = datetime(2026, 6, 1, tzinfo=UTC)
    plan = operations.make_plan("plant", by="test", tier="archive")
    assert [(total.action, total.items) for total in plan.totals] == [("held", count)]
    assert [held.held_by for held in plan.held] == ["its downsample to 1d by mean is not yet written and verified"]
    assert applied(operations, "archive").done == {}

    operations.restore(RestoreRequest(storage="plant", items=["tables/**"]), by="test", watch=lambda _: None)
    for hold in operations.holds():
        operations.release(hold.id, by="test")
    assert applied(operations).done["buried"].items == count
    clock.at += timedelta(days=8)
    assert applied(operations).done["purged"].items == count
    assert applied(operations, "archive").done["expired"].items == 2 * count
    (left,) = [path for path in (tmp_path / "cold").rglob("*") if path.is_file()]
    assert pl.read_parquet(left)["count"].to_list() == [24, 24]
