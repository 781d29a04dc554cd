"""Policies that several put into force at the same moment, on SQLite and on PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu_retention.database import policy_versions
from sparkhu_retention.database.opening import Database
from sparkhu_retention.service.answers import PolicyAnswer
from sparkhu_retention.service.enforcing import in_force, put_into_force
from tests.retention_service.database.conftest import postgres_url, url

__all__ = ["postgres_url", "url"]

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def both_have_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody save before two are about to, or until it is plain that the one waits for the other."""
    save, barrier = policy_versions.save, Barrier(2)

    def saved(*given: Any, **named: Any) -> int:
        with suppress(BrokenBarrierError):
            barrier.wait(timeout=1)
        return save(*given, **named)

    monkeypatch.setattr(policy_versions, "save", saved)


def put_at_once(database: Database, *documents: Mapping[str, Any]) -> list[Sequence[PolicyAnswer] | InputError]:
    """Put policies into force, each in a thread of its own, and give what came of each."""

    def put(document: Mapping[str, Any]) -> Sequence[PolicyAnswer] | InputError:
        try:
            return put_into_force(database, [document], {}, [], at=NOW, by="ann")
        except InputError as error:
            return error

    with ThreadPoolExecutor(len(documents)) as pool:
        return list(pool.map(put, documents))


def test_of_two_policies_of_equal_rank_that_are_set_at_once_one_comes_into_force(database: Database) -> None:
    about = {"match": {"dataset": "logs/**"}, "archive_after": "1 year"}
    ended = put_at_once(database, {"name": "one", **about}, {"name": "two", **about})
    (refused,) = (each for each in ended if isinstance(each, InputError))
    assert "are equally specific for the dataset 'logs'" in str(refused)
    with database.reading() as connection:
        assert len(in_force(connection, {})) == 1


def test_two_that_set_one_policy_at_once_make_two_versions_of_it(database: Database) -> None:
    ended = put_at_once(database, *({"name": "logs", "archive_after": f"{years} years"} for years in (1, 2)))
    assert not [each for each in ended if isinstance(each, InputError)]
    with database.reading() as connection:
        assert [each.version for each in policy_versions.history(connection, "logs")] == [2, 1]
