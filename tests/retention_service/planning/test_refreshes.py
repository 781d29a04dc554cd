"""Policies that take data away before a refresh has read them are refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.refreshes import check_refreshes
from sparkhu_retention.policies.policy import Policy

LAKE = "/data/lake"
START = datetime(2024, 3, 1, tzinfo=UTC)
NEXT = Need("the next interval will look back on it", LAKE, "observations", START, read_at=START + timedelta(days=31))


def policy(**fields: Any) -> Policy:
    return Policy.model_validate({"name": "new", "match": {"dataset": "observations"}, **fields})


@pytest.mark.parametrize(
    ("fields", "field", "value"),
    [
        ({"archive_after": "30 days"}, "archive_after", "30 days"),
        ({"without_archive": True, "delete_after": "4 weeks"}, "delete_after", "4 weeks"),
        ({"archive_after": "1 year", "floor": "2024-03-02"}, "floor", "2024-03-02"),
    ],
)
def test_a_period_shorter_than_what_is_read_back_is_refused(fields: dict[str, Any], field: str, value: str) -> None:
    with pytest.raises(InputError, match=f"field '{field}' .* got '{value}'.*'observations' of '{LAKE}', the next"):
        check_refreshes([policy(**fields)], [], [NEXT])


@pytest.mark.parametrize(
    "fields",
    [
        {"archive_after": "31 days"},
        {"archive_after": "1 month"},  # March has 31 days
        {"without_archive": True, "delete_after": "31 days"},
        {"archive_after": "31 days", "delete_after": "32 days"},
        {"archive_after": "1 year", "floor": "2024-03-01"},
        {"keep_newest": 3},
        {"no_policy": True},
        {"match": {"dataset": "clean"}, "archive_after": "1 day"},
        {"match": {"dataset": "**", "storage": "/data/other"}, "archive_after": "1 day"},
    ],
)
def test_a_policy_that_leaves_what_is_read_comes_into_force(fields: dict[str, Any]) -> None:
    check_refreshes([policy(**fields)], [], [NEXT])


def test_a_refresh_that_reads_from_the_first_row_on_leaves_no_period_long_enough() -> None:
    whole = Need("the next interval will look back on it", LAKE, "observations", read_at=START)
    with pytest.raises(InputError, match="from its first row on"):
        check_refreshes([policy(archive_after="100 years")], [], [whole])


def test_a_policy_that_another_one_overrides_for_what_is_read_comes_into_force() -> None:
    every = Policy.model_validate({"name": "every", "archive_after": "1 day"})
    check_refreshes([every], [policy(archive_after="1 year")], [NEXT])
    with pytest.raises(InputError, match="archive_after"):
        check_refreshes([policy(archive_after="1 day")], [every], [NEXT])


def test_what_no_refresh_reads_is_left_to_plans() -> None:
    champion = Need("champion 'x' version 1 was trained on it", LAKE, "observations", START)
    registry = Need("the model registry cannot be asked", "")
    check_refreshes([policy(archive_after="1 day")], [], [champion, registry])


def test_others_that_cross_on_what_is_read_do_not_hinder_a_policy() -> None:
    crossing = [
        Policy.model_validate({"name": name, "match": {"dataset": dataset}, "archive_after": "1 year"})
        for name, dataset in (("one", "obs*"), ("two", "*tions"))
    ]
    check_refreshes([policy(match={"dataset": "**"}, archive_after="1 day")], crossing, [NEXT])
    with pytest.raises(InputError, match="archive_after"):
        check_refreshes([policy(archive_after="1 day")], crossing, [NEXT])
