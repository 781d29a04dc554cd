"""The journal and what it is asked with: lists of any length, and the newest entry of each item."""

from datetime import UTC, datetime, timedelta

import polars as pl
from sqlalchemy import update

from sparkhu_retention.database import archived, downsampled, journal
from sparkhu_retention.database.downsampled import Downsampled
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.database.opening import Database
from sparkhu_retention.database.tables import Entry
from sparkhu_retention.planning.action import ACTIONS

AT = datetime(2024, 3, 1, tzinfo=UTC)
TOO_MANY = 260_000
"""More than PostgreSQL (65,535) and SQLite (250,000 where it takes the most) take at once."""


def entered(database: Database, run: str, *ids: str, storage: str = "/data", left: bool = True) -> list[Entered]:
    actions = pl.DataFrame({"id": ids}, schema={"id": pl.String})
    lacking = [pl.lit(None, kind).alias(name) for name, kind in ACTIONS.items() if name != "id"]
    frame = actions.with_columns(lacking).select(list(ACTIONS)).with_columns(action=pl.lit("archive"))
    with database.writing() as connection:
        made = journal.enter(connection, frame, run=run, batch=1, storage=storage, at=AT)
        journal.move(connection, made, journal.State.RESTORED, at=AT, purge_at=[AT] * len(made) if left else None)
    return made


def test_the_newest_entry_by_which_an_item_left_is_found_by_items_and_by_runs(database: Database) -> None:
    entered(database, "first", "a", "b", "c")
    entered(database, "second", "b", "c")
    entered(database, "other", "a", storage="/other")
    entered(database, "third", "a", "b", left=False)
    with database.reading() as connection:

        def found(ids: list[str] | None = None, run: str | None = None) -> list[tuple[str, str]]:
            return [(one.id, one.run) for one in journal.removed(connection, "/data", ids=ids, run=run)]

        assert found() == [("a", "first"), ("b", "second"), ("c", "second")]
        assert found(["c", "a", "nothing"]) == [("a", "first"), ("c", "second")]
        assert found(run="first") == [("a", "first")]
        assert found(["b"], run="second") == [("b", "second")]
        assert found([]) == []


def test_more_is_asked_for_than_a_statement_takes(database: Database) -> None:
    (one,) = entered(database, "run", "0")
    names = [str(number) for number in range(TOO_MANY)]
    with database.writing() as connection:
        file = ("/archive", "0.parquet", 1, 100, "abc")
        downsampled.keep(connection, [Downsampled("/data", "0", one.content, "1d", "mean", *file, AT)])
    with database.reading() as connection:
        assert downsampled.frame(connection, "/data", range(TOO_MANY)).rows() == [(one.entry, "1d", "mean")]
        assert [number for number, _ in downsampled.of_entries(connection, range(TOO_MANY))] == [one.entry]
        assert [found.entry for found in journal.removed(connection, "/data", ids=names)] == [one.entry]
        assert archived.of_entries(connection, [one._replace(entry=number) for number in range(TOO_MANY)]) == []


def test_what_was_removed_is_chosen_by_the_time_that_it_covers(database: Database) -> None:
    day, dates = (
        timedelta(days=1),
        {"dated": (AT, AT + timedelta(days=2)), "instant": (AT, AT), "undated": (None, None)},
    )
    for name, (start, end) in dates.items():
        (one,) = entered(database, name, name)
        with database.writing() as connection:
            connection.execute(update(Entry).where(Entry.entry == one.entry).values(start=start, end=end))
    with database.reading() as connection:

        def found(start: datetime | None = None, end: datetime | None = None) -> list[str]:
            return [one.id for one in journal.removed(connection, "/data", start=start, end=end)]

        assert found() == list(dates)
        assert found(start=AT) == found(start=AT, end=AT + day) == ["dated", "instant"]
        assert found(start=AT + day) == found(start=AT + day, end=AT + 2 * day) == ["dated"]
        assert found(start=AT + 2 * day) == found(end=AT) == []
        left = journal.left_by(connection, "/data")
        assert left["id"].to_list() == list(dates)
        last = journal.removed(connection, "/data", entries=left["entry"].to_list()[1:], start=AT)
        assert [one.id for one in last] == ["instant"]
        assert journal.left_by(connection, "/data", run="instant")["id"].to_list() == ["instant"]
