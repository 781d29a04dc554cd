"""A plan made item by item in plain Python, as the documentation says it, to compare the fast one with."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.tz import resolve_imaginary

from sparkhu_retention.needs.need import Need
from sparkhu_retention.policies.patterns import fits
from sparkhu_retention.policies.period import CalendarPeriod
from sparkhu_retention.policies.policy import Policy
from sparkhu_retention.policies.ranking import is_more_specific

Item = dict[str, Any]
MOMENT = timedelta(microseconds=1)


def about(policy: Policy, item: Item) -> bool:
    wanted = {f"{name}={value}" for name, value in policy.match.tags.items()}
    return fits(policy.match.dataset, item["dataset"]) and wanted <= set(item["tags"])


def rules(policy: Policy) -> bool:
    return bool(policy.no_policy or policy.period or policy.keep_newest or policy.floor)


def policy_of(item: Item, policies: Sequence[Policy]) -> Policy | None:
    there = [policy for policy in policies if about(policy, item) and rules(policy)]
    best = [each for each in there if not any(is_more_specific(other.match, each.match) for other in there)]
    assert len(best) < 2
    return best[0] if best else None


def needed(need: Need, item: Item) -> bool:
    if need.ids:
        return item["id"] in need.ids
    if need.dataset is not None and not fits(need.dataset, item["dataset"]):
        return False
    start, end = item["start"], item["end"]
    if start is not None and end is not None and end <= start:
        end = start + MOMENT
    begins_in_time = need.start is None or end is None or need.start < end
    ends_late = need.end is None or start is None or need.end > start
    return begins_in_time and ends_late


def holders(item: Item, policies: Sequence[Policy], needs: Sequence[Need]) -> set[str]:
    legal = {
        f"legal hold of the policy '{each.name}': {each.hold}" for each in policies if each.hold and about(each, item)
    }
    return {*item["holds"], *legal, *(need.by for need in needs if needed(need, item))}


def later(moment: datetime, period: CalendarPeriod, zone: str) -> datetime:
    local = moment.astimezone(ZoneInfo(zone)).replace(fold=0)
    return resolve_imaginary(local + relativedelta(**{f"{period.unit}s": period.count}))  # type: ignore[arg-type]


def expires(item: Item, policy: Policy) -> datetime | None:
    if item["end"] is None or policy.no_policy:
        return None
    moments = [later(item["end"], policy.period, policy.zone)] if policy.period else []
    if policy.floor:
        midnight = datetime.combine(policy.floor, time(), ZoneInfo(policy.zone))
        moments += [midnight] if item["end"] <= midnight else []
    return min(moments, default=None)


def gone(item: Item, there: Sequence[Item], policies: Sequence[Policy], needs: Sequence[Need], now: datetime) -> bool:
    """Tell whether an item is due."""
    policy = policy_of(item, policies)
    if policy is None or policy.no_policy:
        return False
    moment = expires(item, policy)
    if not policy.keep_newest or not item["line"]:
        return moment is not None and moment <= now
    ends = {
        each["end"]
        for each in there
        if (each["dataset"], each["line"]) == (item["dataset"], item["line"])
        and policy_of(each, policies) is policy
        and not holders(each, policies, needs)
    }
    newer = [end for end in ends if item["end"] is not None and (end is None or end > item["end"])]
    if len(newer) < policy.keep_newest:
        return False
    by = sorted(newer, key=lambda end: (end is None, end))[policy.keep_newest - 1]
    in_time = by is None or by <= now
    if policy.period is None and policy.floor is None:
        return in_time
    return moment is not None and moment <= now and in_time


def slowly(
    there: Sequence[Item], policies: Sequence[Policy], needs: Sequence[Need], now: datetime
) -> list[tuple[str, str | None, set[str]]]:
    """Give for each item the action, the policy and who holds it."""
    found = []
    for item in there:
        policy, held = policy_of(item, policies), holders(item, policies, needs)
        action = "keep"
        if gone(item, there, policies, needs, now):
            assert policy is not None
            action = "held" if held else "delete" if policy.without_archive else "archive"
        found.append((action, policy.name if policy else None, held))
    return found
