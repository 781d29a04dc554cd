"""What is buried comes in pages, as it was written down."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from sparkhu_retention.applying.step import State
from sparkhu_retention.database import buried, journal
from sparkhu_retention.database.earlier import earlier_copies
from sparkhu_retention.database.opening import Database
from sparkhu_retention.items import items
from sparkhu_retention.planning.action import ACTIONS

AT = datetime(2024, 3, 1, 12, 30, 0, 250_000, tzinfo=UTC)
STATES = (State.BURIED, State.BURIED, State.PURGING, State.RESTORING, State.PURGED, State.BURIED)


def entered(database: Database, storage: str = "/data") -> list[journal.Entered]:
    """Write down six items in as many states; the last has no dates and no rows."""
    frame = items(
        {
            "id": [f"ä/{number}" for number in range(6)],
            "dataset": ["logs"] * 6,
            "line": ["m", None, None, None, None, None],
            "start": [AT] * 5 + [None],
            "end": [AT + timedelta(hours=1)] * 5 + [None],
            "rows": [7] * 5 + [None],
            "bytes": [3] * 6,
            "content": ["x"] * 6,
            "tags": [["b=ü", 'a="'], [], [], [], [], []],
        }
    )
    named = {"action": "archive", "policy": "old", "policy_version": 2, "due": AT, "reason": "old"}
    told = frame.with_columns(held_by=pl.lit([], pl.List(pl.String)), **{k: pl.lit(v) for k, v in named.items()})
    with database.writing() as connection:
        made = journal.enter(
            connection,
            told.select(list(ACTIONS)).cast(ACTIONS),
            run=f"run of {storage}",
            batch=1,
            storage=storage,
            at=AT,
        )
        for one, state in zip(made, STATES, strict=True):
            journal.move(connection, [one], state, at=AT, purge_at=[AT + timedelta(days=one.entry % 2)])
    return made


@pytest.mark.parametrize("page", [1, 2, 50])
def test_pages_have_each_entry_once_and_whole(database: Database, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(buried, "PAGE", page)
    made = entered(database)
    entered(database, "/other")
    wanted = [one for one, state in zip(made, STATES, strict=True) if state in buried.BURIED]
    with database.reading() as connection:
        found = list(buried.buried(connection, "/data"))
        assert buried.counted(connection, "/data") == len(wanted) == 4
    assert all(0 < frame.height <= page for frame in found)
    assert pl.concat(found).sort("entry").equals(journal.frame(wanted))


def test_none_is_buried(database: Database) -> None:
    with database.reading() as connection:
        assert list(buried.buried(connection, "/data")) == []
        assert buried.counted(connection, "/data") == 0


def test_words_of_earlier_copies_come_from_pages(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buried, "PAGE", 2)
    entered(database)
    with database.reading() as connection:
        found = dict(earlier_copies(connection, "/data", now=AT).sort("id").iter_rows())
    until = "its earlier copy is in its tombstone until 2024-03-02"
    back = "its earlier copy is being put back"
    assert {id_: said for id_, said in found.items() if said == back} == {"ä/3": back}
    assert {id_ for id_, said in found.items() if said == until} | {"ä/3"} == set(found)
    assert set(found) < {"ä/0", "ä/1", "ä/2", "ä/3", "ä/5"}
