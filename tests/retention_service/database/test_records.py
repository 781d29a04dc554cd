"""Versions of policies, plans and holds, as the database keeps them."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError
from sparkhu_retention.database import audit, holds, plans, policy_versions
from sparkhu_retention.database.opening import Database
from sparkhu_retention.planning.action import ACTIONS

AT = datetime(2024, 3, 1, tzinfo=UTC)


def test_a_changed_policy_is_a_new_version_and_the_same_one_is_none(database: Database) -> None:
    with database.writing() as connection:
        documents = [{"archive_after": "1 year"}, {"archive_after": "1 year"}, {"archive_after": "2 years"}, None, None]
        numbers = [policy_versions.save(connection, "old", each, at=AT, by="ann") for each in documents]
        assert numbers == [1, 1, 2, 3, 3]
        assert policy_versions.in_force(connection) == []
        assert policy_versions.save(connection, "old", documents[0], at=AT, by="ann") == 4
        assert policy_versions.save(connection, "never", None, at=AT, by="ann") == 0
        assert [(each.name, each.version) for each in policy_versions.in_force(connection)] == [("old", 4)]
        told = [each.document for each in policy_versions.history(connection, "old")]
        assert told == [documents[0], None, documents[2], documents[0]]
        assert [row["what"] for row in audit.read(connection)] == [
            "policy saved",
            "policy saved",
            "policy removed",
            "policy saved",
        ]


def actions(first: int, rows: int) -> pl.DataFrame:
    numbers = pl.int_range(first, first + rows, eager=True)
    frame = pl.DataFrame({"id": numbers.cast(pl.String), "rows": numbers, "held_by": [["a hold"]] * rows})
    lacking = [pl.lit(None, kind).alias(name) for name, kind in ACTIONS.items() if name not in frame.columns]
    made = frame.with_columns(lacking).with_columns(
        policy=pl.lit("old"), policy_version=pl.lit(3, pl.Int64), end=pl.lit(AT).cast(pl.Datetime("us", "UTC"))
    )
    return made.select(list(ACTIONS)).cast(dict(ACTIONS))


def test_a_plan_is_read_back_whole_and_in_pages(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "ROWS_PER_PART", 40)
    frames = [actions(0, 7), actions(7, 100), actions(107, 3)]
    whole = pl.concat(frames)
    with database.writing() as connection:
        made = plans.save(connection, "p", iter(frames), storage="/data", kind="folder", at=AT, by="ann")
        assert (made.rows, made.policies) == (110, {"old": 3})
        assert plans.find(connection, "p") == made
        assert_frame_equal(pl.concat(plans.parts(connection, "p")), whole)
        for first, limit in [(0, 10), (35, 20), (0, 110), (100, 50), (110, 5), (46, 1)]:
            assert_frame_equal(plans.page(connection, "p", first=first, limit=limit), whole.slice(first, limit))
        assert plans.listed(connection, storage="/data") == [made]
        assert plans.listed(connection, storage="/other") == []


def test_a_plan_that_there_is_none_of_is_told(database: Database) -> None:
    with database.reading() as connection, pytest.raises(InputError, match="no plan 'p'"):
        plans.find(connection, "p")


def test_a_hold_stands_until_it_is_lifted(database: Database) -> None:
    with database.writing() as connection:
        one = holds.place(connection, "court", at=AT, by="ann", storage="/data", ids=["b", "a", "b"])
        other = holds.place(connection, "audit", at=AT + timedelta(1), by="ann", start=AT, end=AT + timedelta(5))
        assert holds.standing(connection, "/data") == [one, other]
        assert holds.standing(connection, "/else") == [other]
        for same in ("/data/", "file:///data", "/", "/data/plant"):
            assert holds.standing(connection, same) == [one, other]
        need = one.need()
        assert (need.storage, need.ids) == ("/data", frozenset("ab"))
        assert "court" in need.by
        assert holds.lift(connection, one.id, at=AT, by="bob").lifted_by == "bob"
        assert holds.lift(connection, one.id, at=AT, by="eve").lifted_by == "bob"
        assert holds.standing(connection) == [other]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x", "start": AT, "end": AT}, "end"),
        ({"reason": "x", "ids": ["a"]}, "ids"),
        ({"reason": "x", "ids": [], "storage": "/data"}, "ids"),
    ],
)
def test_holds_that_say_nothing_are_refused(database: Database, given: dict[str, object], named: str) -> None:
    with database.writing() as connection, pytest.raises(InputError, match=f"^{named} must"):
        holds.place(connection, at=AT, by="ann", **given)  # type: ignore[arg-type]


def test_a_hold_that_there_is_none_of_is_told(database: Database) -> None:
    with database.writing() as connection, pytest.raises(InputError, match="no hold 'h'"):
        holds.lift(connection, "h", at=AT, by="ann")
