"""What watches over random schedules notices a service that does not ask again what must stay."""

import shutil
from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pytest

from sparkhu_retention.applying import expiring, guarding, purging, settling
from tests.retention_service.applying.schedules import NAMES, Schedules

DAYS = [name for name in NAMES if name.endswith("/a.parquet")]


@pytest.fixture
def schedule() -> Iterator[Schedules]:
    made = Schedules()
    yield made
    made.database.close()
    shutil.rmtree(made.root)


def test_a_version_that_is_the_newest_again(schedule: Schedules, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule.begin(set(DAYS), {"name": "old", "archive_after": "11 months", "keep_newest": 2}, "buried")
    for name in DAYS[-2:]:
        schedule.delete(name)
    schedule.world.now += timedelta(days=8)
    none = pl.lit(value=False).alias(guarding.NEWEST)
    monkeypatch.setattr(guarding, "_newest", lambda *_: none)
    with pytest.raises(AssertionError, match="is one of the newest 2"):
        schedule.settle(0, "nothing", 0)


def test_an_item_that_is_not_due(schedule: Schedules, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule.begin(set(DAYS), {"name": "old", "archive_after": "1 year"}, "buried")
    schedule.world.now -= timedelta(days=7)
    with schedule.database.writing() as connection:
        connection.exec_driver_sql("UPDATE retention_journal SET purge_at = '2024-01-01 00:00:00'")
    for module in (purging, settling):
        monkeypatch.setattr(module, "held_back", lambda *_: {})
    with pytest.raises(AssertionError, match="it is not due"):
        schedule.settle(0, "nothing", 0)


def test_a_copy_that_is_held(schedule: Schedules, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule.begin(set(DAYS), {"name": "old", "archive_after": "1 year", "delete_after": "13 months"}, "purged")
    schedule.world.now += timedelta(days=60)
    schedule.plan_the_archive()
    schedule.hold({DAYS[0]})
    monkeypatch.setattr(expiring, "held_back", lambda *_: {})
    with pytest.raises(AssertionError, match="goes and is held"):
        schedule.expire(0, "nothing", 0)
