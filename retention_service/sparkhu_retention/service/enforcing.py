"""Policies that are put into force, and those that are."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.database import policy_versions
from sparkhu_retention.database.opening import Database
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.refreshes import check_refreshes
from sparkhu_retention.policies.comparing import Steps
from sparkhu_retention.policies.naming import about_no_storage, with_uri, with_uris
from sparkhu_retention.policies.policy import Policy, PolicyVersion, document_of, policy_of
from sparkhu_retention.policies.ranking import Crossing, check_apart, crossing, crossing_without, equal, has_rules
from sparkhu_retention.service import answering
from sparkhu_retention.service.answers import PolicyAnswer
from sparkhu_retention.service.operations import NoSuch

TRIES: Final = 5
"""How often policies are compared, while others set theirs in between."""
MOST_TOLD: Final = 20
STEPS_TO_TELL: Final = 1_000_000
Found = TypeVar("Found")
Saved = TypeVar("Saved")


def in_force(connection: Connection, storages: Mapping[str, str]) -> list[PolicyVersion]:
    """Read the policies in force, with the URIs of the storages that they name.

    Args:
        connection: A transaction.
        storages: The URIs of the storages by name.
    """
    return with_uris(answering.in_force(policy_versions.in_force(connection)), storages)


def put_into_force(
    database: Database,
    documents: Sequence[Mapping[str, Any]],
    storages: Mapping[str, str],
    needs: Sequence[Need],
    *,
    at: datetime,
    by: str,
) -> list[PolicyAnswer]:
    """Put policies into force, all or none.

    Raises:
        InputError: One cannot be used, two are equally specific for something, or a refresh still reads what one takes.
        SparkhuError: The database fails, or others keep changing the policies.
    """
    policies = [policy_of(document, now=at) for document in documents]
    names = [policy.name for policy in policies]
    new = [with_uri(policy, storages) for policy in policies]

    def check(there: Sequence[Policy]) -> None:
        others = [each for each in there if each.name not in names]
        steps = Steps()
        check_apart(new, others, steps)
        for found in crossing_without(_gone(there, new), others, new, steps):
            raise InputError(_left_without(found))
        check_refreshes(new, others, needs)

    def save(connection: Connection, _: None) -> list[policy_versions.Version | None]:
        for policy in policies:
            policy_versions.save(connection, policy.name, document_of(policy), at=at, by=by)
        return [policy_versions.newest(connection, name) for name in names]

    saved = _compared(database, storages, check, save)
    warnings = about_no_storage(policies, storages)
    return [answering.policy(each, _some(warnings.get(each.name))) for each in saved if each is not None]


def take_out_of_force(
    database: Database, name: str, storages: Mapping[str, str], *, at: datetime, by: str
) -> PolicyAnswer:
    """Take a policy out of force; it goes as well where others are told apart by it alone, with a warning.

    Raises:
        NoSuch: There is no such policy.
        SparkhuError: The database fails, or others keep changing the policies.
    """

    def check(there: Sequence[Policy]) -> list[str]:
        gone = [each for each in there if each.name == name]
        if not gone:
            raise no_policy(name)
        others = [each for each in there if each.name != name]
        try:
            return [_left_without(found) for found in crossing_without(gone, others)]
        except InputError as error:
            return [str(error)]

    def save(connection: Connection, warnings: list[str]) -> PolicyAnswer:
        policy_versions.save(connection, name, None, at=at, by=by)
        newest = policy_versions.newest(connection, name)
        if newest is None:
            raise no_policy(name)
        return answering.policy(newest, warnings)

    return _compared(database, storages, check, save)


def crossing_in_force(database: Database, storages: Mapping[str, str]) -> list[str]:
    """Say which policies in force are of equal rank, for plans refuse what falls under both; no more than `MOST_TOLD`.

    They came into force before such were refused, or where what told them apart was removed.
    """
    with database.reading() as connection:
        policies = [each.policy for each in in_force(connection, storages)]
    told: list[str] = []
    try:
        there = islice(crossing(policies, (), Steps(STEPS_TO_TELL)), MOST_TOLD)
        told.extend(str(equal(each.first, each.second, f"dataset '{each.dataset}', for one")) for each in there)
    except InputError as error:
        told.append(str(error))
    return told


def no_policy(name: str) -> NoSuch:
    """Say that there is no such policy."""
    return NoSuch(f"there is no policy '{name}'; sparkhu retention policies list shows them")


def _compared(
    database: Database,
    storages: Mapping[str, str],
    check: Callable[[Sequence[Policy]], Found],
    save: Callable[[Connection, Found], Saved],
) -> Saved:
    """Check policies beside those in force, and save them where these are still the same: no check holds up a run."""
    for _ in range(TRIES):
        with database.reading() as connection:
            versions = policy_versions.in_force(connection)
        found = check([each.policy for each in with_uris(answering.in_force(versions), storages)])
        with database.writing() as connection:
            policy_versions.lock(connection)
            if policy_versions.in_force(connection) == versions:
                return save(connection, found)
    raise SparkhuError(f"the policies were changed {TRIES} times while these were compared with them. Set them again.")


def _gone(there: Sequence[Policy], new: Sequence[Policy]) -> list[Policy]:
    """Give the policies in force that are about something else, or hold alone, once new ones are in force."""
    becomes = {each.name: each for each in new}
    return [
        each
        for each in there
        if each.name in becomes
        and (each.match != becomes[each.name].match or has_rules(each) != has_rules(becomes[each.name]))
    ]


def _left_without(found: Crossing) -> str:
    what = f"dataset '{found.dataset}', for one, which was left to another policy that is changed or removed here"
    return str(equal(found.first, found.second, what))


def _some(warning: str | None) -> list[str]:
    return [] if warning is None else [warning]
