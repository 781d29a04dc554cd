"""Whether a policy takes data away before the refreshes of a lake have read them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import polars as pl

from sparkhu.errors import InputError
from sparkhu_retention.items import INSTANT
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.expiry import midnight
from sparkhu_retention.policies.matching import comes_before, is_about
from sparkhu_retention.policies.patterns import fits
from sparkhu_retention.policies.policy import Policy
from sparkhu_retention.policies.ranking import has_rules


def check_refreshes(new: Sequence[Policy], others: Sequence[Policy], needs: Iterable[Need]) -> None:
    """Refuse policies whose period is shorter than the span that a refresh or a backfill reads back.

    What is due only because a refresh is late is no matter of the policy: plans hold it back until it was read.
    A policy that asks for tags is about a part of a dataset that a need cannot tell; plans hold back what it takes too
    early.

    Args:
        new: Are to come into force.
        others: Stay in force; one of them may be more specific for what is read.
        needs: What needs data; those that nothing will read are no matter.

    Raises:
        InputError: One is; the message names the field, the refresh, and what is long enough.
    """
    for need in needs:
        if need.read_at is None or need.dataset is None:
            continue
        about = [each for each in (*others, *new) if _is_about(each, need.storage, need.dataset)]
        for policy in about:
            field = _too_early(policy, need.start, need.read_at)
            if field is None or policy not in new or any(comes_before(each.match, policy.match) for each in about):
                continue
            span = "from its first row on" if need.start is None else f"from {need.start:%Y-%m-%d %H:%M} UTC on"
            raise InputError(
                f"field '{field}' must leave what will still be read, got '{getattr(policy, field)}': of the dataset "
                f"'{need.dataset}' of '{need.storage}', {need.by}, {span}, on {need.read_at:%Y-%m-%d %H:%M} UTC or "
                "later. Give a longer period or an earlier floor, or set a shorter look-back of the runs."
            )


def _is_about(policy: Policy, storage: str, dataset: str) -> bool:
    """Tell whether a policy has rules for all of a dataset, whatever its tags."""
    match = policy.match
    return has_rules(policy) and not match.tags and fits(match.dataset, dataset) and is_about(match, storage)


def _too_early(policy: Policy, start: datetime | None, read_at: datetime) -> str | None:
    """Name the field by which what ends right behind `start` is gone by `read_at`; null: it is there still."""
    floor = midnight(policy)
    if floor is not None and (start is None or start < floor):
        return "floor"
    if policy.period is None:
        return None
    due = start and policy.period.after(pl.Series([start], dtype=INSTANT), policy.zone)[0]
    if due is not None and due >= read_at:
        return None
    return "delete_after" if policy.without_archive else "archive_after"
