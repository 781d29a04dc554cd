"""The versions that policies keep, without a plan: those of which a plan says that they stay."""

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.keeping import KEPT, kept
from sparkhu_retention.policies.policy import Policy, policy_of
from tests.retention_service.planning.test_planner import NOW, STORAGE, day, frame_of, planned, rules, things, wants


@given(there=st.lists(things, min_size=1, max_size=12), policies=rules(), needs=wants())
def test_the_versions_are_those_that_a_plan_lets_stay(
    there: list[dict[str, Any]], policies: list[Policy], needs: list[Need]
) -> None:
    frame = frame_of([{"id": str(number), **each} for number, each in enumerate(there)])
    needs = [need for need in needs if need.start is None or need.end is None or need.start < need.end]
    plan = planned(frame, policies, NOW, needs=needs)
    stay = plan.filter(pl.col("reason").str.contains("the newest.*, which stay"))["id"].to_list()
    found = kept(STORAGE, frame.iter_slices(5), policies, needs)
    assert found.schema == KEPT
    met = plan.join(found, on=list(KEPT), how="semi", nulls_equal=True)["id"].to_list()
    assert met == stay


def test_nothing_is_listed_where_no_policy_keeps_versions() -> None:
    def never() -> Any:
        raise AssertionError
        yield

    assert kept(STORAGE, never(), [policy_of({"name": "p", "archive_after": "1 year"})], []).is_empty()
    keeps = policy_of({"name": "p", "keep_newest": 1})
    assert kept(STORAGE, [], [keeps], []).is_empty()
    assert kept(STORAGE, [frame_of([day(0, line="m")])], [keeps], []).height == 1
