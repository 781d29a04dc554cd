"""Plans that are removed in time, and those that a run goes on with."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from sparkhu_retention.database.opening import Database
from sparkhu_retention.database.tables import PlanPart, Run
from sparkhu_retention.places import Place
from sparkhu_retention.service.answers import RestoreRequest
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.operations import NoSuch

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = {"name": "logs", "match": {"dataset": "logs/**"}, "archive_after": "1 month"}


def test_plans_of_long_ago_are_removed_and_what_was_done_is_still_known(database: Database, place: Place) -> None:
    now = [START]
    operations = Embedded(database, {place.name: place}, now=lambda: now[0])
    operations.set_policy(POLICY, by="test")
    applied, idle, going_on = (operations.make_plan("plant", by="test").id for _ in range(3))
    operations.apply(applied, by="test", watch=lambda _: None)
    with database.writing() as connection:
        values = {name: getattr(row, name) for row in connection.execute(select(Run.__table__)) for name in row._fields}
        connection.execute(
            Run.__table__.insert().values({**values, "id": "other", "plan": going_on, "state": "running"})
        )

    now[0] = START + timedelta(days=89)
    recent = operations.make_plan("plant", by="test").id
    assert {plan.id for plan in operations.plans().items} == {applied, idle, going_on, recent}
    now[0] = START + timedelta(days=91)
    newest = operations.make_plan("plant", by="test").id

    assert {plan.id for plan in operations.plans().items} == {going_on, recent, newest}
    with pytest.raises(NoSuch, match=idle):
        operations.apply(idle, by="test", watch=lambda _: None)
    with database.reading() as connection:
        kept = set(connection.scalars(select(PlanPart.plan)))
    assert kept.isdisjoint({applied, idle})
    item = "logs/day=2023-01-02/part.txt"
    assert [line.what for line in operations.history(item=item).items] == ["buried", "verified", "archived"]
    removed = next(line for line in operations.history().items if line.what == "plans removed")
    assert removed.details["plans"] == sorted([applied, idle])
    assert operations.check_history() > 0
    with database.writing() as connection:
        connection.execute(update(Run).where(Run.id == "other").values(state="done"))
    operations.make_plan("plant", by="test")
    assert going_on not in {plan.id for plan in operations.plans().items}
    restored = operations.restore(RestoreRequest(storage="plant", items=[item]), by="test", watch=lambda _: None)
    assert restored.done["restored"].items == 1
