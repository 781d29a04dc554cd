"""Policies that name a storage as the file of the storages does."""

from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu_retention.service.embedded import Embedded

NAMED = {"name": "logs", "match": {"storage": "plant", "dataset": "logs/**"}, "archive_after": "1 month"}


def test_a_policy_may_name_its_storage(operations: Embedded, live: Path) -> None:
    assert operations.set_policy(NAMED, by="test").warnings == []
    plan = operations.make_plan("plant", by="test")
    assert [(total.action, total.policy, total.items) for total in plan.totals] == [("archive", "logs", 30)]
    run = operations.apply(plan.id, by="test", watch=lambda _: None)
    assert run.done["buried"].items == 30
    assert list((live / "logs").rglob("*.txt")) == []


def test_the_name_of_a_storage_and_its_uri_are_the_same(operations: Embedded, live: Path) -> None:
    operations.set_policy(NAMED, by="test")
    by_uri = {**NAMED, "name": "other", "match": {**NAMED["match"], "storage": f"{live}/"}}  # type: ignore[dict-item]
    with pytest.raises(InputError, match="'logs' and 'other' are equally specific"):
        operations.set_policy(by_uri, by="test")


@pytest.mark.parametrize("storage", ["plnt", "/data/elsewhere", "pl*"])
def test_a_policy_of_no_storage_is_told_when_it_is_set(operations: Embedded, storage: str) -> None:
    made = operations.set_policy({**NAMED, "match": {"storage": storage}}, by="test")
    assert made.version == 1
    (warning,) = made.warnings
    assert warning.startswith(f"field 'match.storage' is '{storage}', which is neither the name nor the URI")
    assert warning.endswith("there is 'plant'")


@pytest.mark.parametrize("storage", ["**", "/**", "plant"])
def test_a_policy_of_a_storage_that_there_is_is_set_without_a_word(operations: Embedded, storage: str) -> None:
    assert operations.set_policy({**NAMED, "match": {"storage": storage}}, by="test").warnings == []
