"""Which policy an item falls under, beside plain Python that asks every policy about every item."""

import re
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from itertools import product

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu_retention.items import items
from sparkhu_retention.policies.comparing import example, lies_within
from sparkhu_retention.policies.matching import kinds
from sparkhu_retention.policies.patterns import expression, fits
from sparkhu_retention.policies.policy import Match, Policy
from sparkhu_retention.policies.ranking import check_apart, is_more_specific

STORAGE = "s3://plant/data"
EVERY = ["/".join(made) for count in range(1, 5) for made in product(["a", "ab", "b", "x", "xy", "logs"], repeat=count)]
"""Datasets that tell all patterns of these tests apart, but for those of the same meaning."""
WIDTHS = {STORAGE: 0, "s3://plant/**": 1, "**": 2}
parts = st.sampled_from(["a", "ab", "b", "logs"])
datasets = st.lists(parts, min_size=1, max_size=3).map("/".join)
patterns = st.lists(st.sampled_from(["a", "ab", "b", "logs", "*", "a*", "?", "**"]), min_size=1, max_size=3).map(
    "/".join
)
tags = st.dictionaries(st.sampled_from(["team", "kind"]), st.sampled_from(["x", "y"]), max_size=2)
matches = st.builds(
    Match, dataset=patterns, tags=tags, storage=st.sampled_from(["**", STORAGE, "s3://plant/**", "s3://b"])
)


def policy(name: str, match: Match, **rules: object) -> Policy:
    return Policy.model_validate({"name": name, "match": match, **(rules or {"archive_after": "1 year"})})


def matched(pattern: str, text: str) -> bool:
    """Match part by part, as the documentation says it."""

    def step(wanted: Sequence[str], there: Sequence[str]) -> bool:
        if not wanted:
            return not there
        if wanted[0] == "**":
            return any(step(wanted[1:], there[taken:]) for taken in range(len(there) + 1))
        return bool(there) and fnmatchcase(there[0], wanted[0]) and step(wanted[1:], there[1:])

    return step(pattern.split("/"), text.split("/"))


@cache
def meant(pattern: str) -> frozenset[str]:
    return frozenset(dataset for dataset in EVERY if matched(pattern, dataset))


def plainly_more_specific(match: Match, other: Match) -> bool:
    """Rank as the documentation says it."""
    if meant(match.dataset) != meant(other.dataset):
        return meant(match.dataset) < meant(other.dataset)
    if match.tags != other.tags:
        return set(match.tags.items()) > set(other.tags.items())
    return WIDTHS[match.storage] < WIDTHS[other.storage]


def plainly(dataset: str, own: dict[str, str], policies: Sequence[Policy]) -> list[str]:
    """Name the most specific policies of an item."""
    about = [
        each
        for each in policies
        if matched(each.match.dataset, dataset)
        and each.match.storage in ("**", STORAGE, "s3://plant/**")
        and each.match.tags.items() <= own.items()
    ]
    return [each.name for each in about if not any(plainly_more_specific(other.match, each.match) for other in about)]


@given(patterns, datasets)
def test_patterns_mean_what_they_mean_part_by_part(pattern: str, dataset: str) -> None:
    assert fits(pattern, dataset) == matched(pattern, dataset)
    assert pl.Series([dataset]).str.contains(expression(pattern))[0] == matched(pattern, dataset)


@pytest.mark.parametrize("sign", [*r".+()[]{}^$|\-#&~ <>%@!'\"", "\n", "ß", "€"])
def test_signs_of_regular_expressions_are_themselves(sign: str) -> None:
    text = f"a{sign}b"
    assert fits(text, text)
    assert not fits(text, "ab")
    assert not fits(text, "aab")
    assert pl.Series([text, "ab", f"{text}\n"]).str.contains(expression(text)).to_list() == [True, False, False]


def test_no_pattern_takes_long() -> None:
    began = time.monotonic()
    assert not fits("**/" * 300 + "b", "a/" * 2_000 + "a")
    assert time.monotonic() - began < 20


@given(st.lists(matches, max_size=4), st.lists(st.tuples(datasets, tags), min_size=1, max_size=6))
def test_the_most_specific_policy_counts_and_equals_are_refused(
    found: list[Match], there: list[tuple[str, dict[str, str]]]
) -> None:
    policies = [policy(f"p{number}", match) for number, match in enumerate(found)]
    frame = items(
        {
            "id": [f"{number}" for number in range(len(there))],
            "dataset": [dataset for dataset, _ in there],
            "tags": [[f"{name}={value}" for name, value in own.items()] for _, own in there],
        }
    )
    expected = [plainly(dataset, own, policies) for dataset, own in there]
    if any(len(names) > 1 for names in expected):
        with pytest.raises(InputError, match="equally specific") as refused:
            kinds(frame, STORAGE, policies)
        named = set(re.findall(r"'(p\d)'", str(refused.value)))
        item = int(re.findall(r"item '(\d+)'", str(refused.value))[0])
        assert len(named) == 2
        assert named <= set(expected[item])
        return
    result = kinds(frame, STORAGE, policies)
    chosen = result.table["policy"].gather(result.of_item)
    assert [[] if place is None else [f"p{place}"] for place in chosen] == expected


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (Match(dataset="logs/**"), Match(dataset="logs/web")),
        (Match(dataset="**"), Match(dataset="logs/**")),
        (Match(dataset="logs/**"), Match(dataset="logs/*")),
        (Match(dataset="logs/**/web"), Match(dataset="logs/*/web")),
        (Match(dataset="a*"), Match(dataset="a?")),
        (Match(dataset="logs/**", tags={"a": "b"}), Match(dataset="logs/web")),
        (Match(dataset="logs"), Match(dataset="logs", tags={"a": "b"})),
        (Match(dataset="logs"), Match(dataset="logs", storage=STORAGE)),
        (Match(dataset="logs", storage=STORAGE), Match(dataset="logs", tags={"a": "b"})),
    ],
)
def test_what_is_more_specific(less: Match, more: Match) -> None:
    assert is_more_specific(more, less)
    assert not is_more_specific(less, more)


def test_a_legal_hold_holds_what_a_more_specific_policy_is_about() -> None:
    policies = [policy("all", Match(), hold="case 1"), policy("logs", Match(dataset="logs"))]
    frame = items({"id": ["1", "2"], "dataset": ["logs", "rows"]})
    found = kinds(frame, STORAGE, policies)
    assert found.table["policy"].gather(found.of_item).to_list() == [1, None]
    assert found.legal[0].gather(found.of_item).to_list() == [True, True]


@given(patterns, patterns)
def test_what_lies_within_a_pattern_and_what_two_have_in_common_is_what_datasets_tell(one: str, other: str) -> None:
    assert lies_within(one, other) == (meant(one) <= meant(other))
    both = example((one, other))
    assert (both is None) == (not meant(one) & meant(other))
    if both is not None:
        assert matched(one, both)
        assert matched(other, both)


@pytest.mark.parametrize(
    ("one", "other", "dataset"),
    [
        (Match(dataset="a"), Match(dataset="a"), "a"),
        (Match(dataset="a*"), Match(dataset="*a"), "a"),
        (Match(dataset="logs/**"), Match(dataset="**/tmp"), "logs/tmp"),
        (Match(dataset="a", tags={"team": "x"}), Match(dataset="a", tags={"kind": "y"}), "a"),
        (Match(dataset="a", storage="s3://plant/*"), Match(dataset="a", storage="s3://*/data/"), "a"),
    ],
)
def test_policies_that_overlap_with_equal_rank_are_refused_before_there_is_an_item(
    one: Match, other: Match, dataset: str
) -> None:
    refusal = rf"field 'match'.*'one' and 'two'.*dataset '{dataset}', for one"
    with pytest.raises(InputError, match=refusal):
        check_apart([policy("one", one), policy("two", other)])
    with pytest.raises(InputError, match=refusal):
        check_apart([policy("two", other)], [policy("one", one)])
    check_apart([], [policy("one", one), policy("two", other)])
    check_apart([policy("one", one), policy("two", other, hold="case")])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Match(dataset="a"), Match(dataset="a", tags={"a": "b"})),
        (Match(dataset="a", tags={"team": "x"}), Match(dataset="a", tags={"team": "y"})),
        (Match(dataset="a*"), Match(dataset="b*")),
        (Match(dataset="a", storage="s3://a"), Match(dataset="a", storage="s3://b")),
        (Match(dataset="a*"), Match(dataset="a?")),
    ],
)
def test_policies_of_which_one_is_more_specific_or_that_have_nothing_in_common_are_apart(
    one: Match, other: Match
) -> None:
    check_apart([policy("one", one), policy("two", other)])


def test_what_two_have_in_common_may_be_left_to_a_third() -> None:
    two = [policy("logs", Match(dataset="logs/**")), policy("tmp", Match(dataset="**/tmp"))]
    third = policy("both", Match(dataset="logs/**/tmp"))
    check_apart([*two, third])
    check_apart([third], two)
    with pytest.raises(InputError, match=r"dataset 'logs/.?/tmp'"):
        check_apart([*two, policy("both", Match(dataset="logs/tmp"))])
    frame = items({"id": ["1"], "dataset": ["logs/a/tmp"]})
    assert kinds(frame, STORAGE, [*two, third]).table["policy"].to_list() == [2]
    with pytest.raises(InputError, match=r"'logs' and 'tmp'.*item '1'"):
        kinds(frame, STORAGE, two)


def test_items_without_a_dataset_fall_under_what_is_about_all() -> None:
    found = kinds(items({"id": ["1"], "tags": [None]}), STORAGE, [policy("all", Match(tags={"a": "b"}))])
    assert found.table["policy"].to_list() == [None]
    assert kinds(items({"id": ["1"]}), STORAGE, [policy("all", Match())]).table["policy"].to_list() == [0]
