"""What patterns have in common, beside plain enumeration of texts, and which of them take how many steps."""

import re
import time
from functools import cache
from itertools import combinations, product
from typing import Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu_retention.items import items
from sparkhu_retention.policies.comparing import Steps, TooIntricateError, example, lies_within
from sparkhu_retention.policies.matching import kinds
from sparkhu_retention.policies.patterns import expression
from sparkhu_retention.policies.policy import Match, Policy
from sparkhu_retention.policies.ranking import check_apart, crossing_without

ORDINARY: Final = [
    "**",
    "*.csv",
    "logs/**",
    "models/**",
    "*-????????-??????.log",
    "*_????-??-??",
    "*.????-??-??",
    "raw_*/????-??-??*",
    "*/20??-??-??/*",
    "*20??-??-??*",
    "*-20????????.csv",
    "*_v??_????????",
    "logs/*_????????T??????Z.json",
    "logs/*-????-??-??-??.json",
    "models/*-????????-????-????-????-????????????",
    "models/*_????????????????????????????????",
    "*/observations_????-??-??.parquet",
    "*_????????.parquet",
    "*_????????.csv",
]
MADE_UP: Final = ("*a?" * 330 + "*", "*b?" * 330 + "*")
TEXTS: Final = ["".join(made) for count in range(6) for made in product("ab/", repeat=count)]
patterns = st.lists(st.sampled_from(["a", "b", "/", "*", "?", "**", "**/", "/**"]), min_size=1, max_size=5).map("".join)


def policy(name: str, dataset: str, **fields: object) -> Policy:
    return Policy.model_validate({"name": name, "match": {"dataset": dataset}, "archive_after": "1 year", **fields})


@cache
def fitting(pattern: str) -> frozenset[str]:
    return frozenset(text for text in TEXTS if re.search(expression(pattern).replace("$", r"\Z"), text))


@given(st.lists(patterns, min_size=1, max_size=2), st.lists(patterns, max_size=2))
def test_an_example_is_found_where_texts_fit_the_ones_and_not_the_others(ones: list[str], others: list[str]) -> None:
    found = example(tuple(ones), tuple(others))
    common = frozenset.intersection(*map(fitting, ones)).difference(*map(fitting, others))
    assert found is not None or not common
    if found is not None:
        assert all(pl.Series([found]).str.contains(expression(each))[0] for each in ones)
        assert not any(pl.Series([found]).str.contains(expression(each))[0] for each in others)
        assert not common or len(found) == min(map(len, common))


@pytest.mark.parametrize(("one", "other"), list(combinations(ORDINARY, 2)))
def test_ordinary_patterns_are_compared_in_few_steps(one: str, other: str) -> None:
    steps = Steps(20_000)
    for left, right in ((one, other), (other, one)):
        lies_within(left, right, steps)
    example((one, other), (), steps)


def test_ordinary_patterns_are_told_apart_or_named_in_no_time() -> None:
    began = time.monotonic()
    for one, other in combinations(ORDINARY, 2):
        try:
            check_apart([policy("one", one), policy("two", other)])
        except InputError as error:
            assert "equally specific" in str(error)  # noqa: PT017 - others are apart
    assert time.monotonic() - began < 10
    assert lies_within("models/*-????????-????-????-????-????????????", "models/**")
    check_apart([policy(str(number), each) for number, each in enumerate(("**", "models/**", *ORDINARY[14:15]))])


@pytest.mark.parametrize("beside", ["models/*_????????????????????????????????", MADE_UP[0]], ids=["id", "made up"])
def test_a_policy_about_something_else_does_not_hinder_others(beside: str) -> None:
    three = [policy("logs", "logs/**"), policy("tmp", "**/tmp"), policy("both", "logs/**/tmp")]
    check_apart(three, [policy("beside", f"x/{beside}")])


def test_hundreds_of_policies_about_different_datasets_take_no_steps_at_all() -> None:
    began = time.monotonic()
    check_apart([policy(f"p{number}", f"plant{number:04d}/sensors/*") for number in range(600)], (), Steps(0))
    check_apart([policy(f"p{number}", f"**/sensor{number:04d}") for number in range(200)], (), Steps(0))
    assert time.monotonic() - began < 10


def test_patterns_that_are_too_intricate_are_refused_when_set_and_their_policies_named() -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=r"field 'match'.*too intricate.* of 'one' and .* of 'two'\. Use fewer"):
        check_apart([policy("one", MADE_UP[0]), policy("two", MADE_UP[1])])
    with pytest.raises(TooIntricateError):
        example(MADE_UP)
    assert not lies_within("a" * 900 + "*", "b*" * 400)
    assert time.monotonic() - began < 60


def test_the_steps_of_a_request_are_counted_together() -> None:
    several = [policy(f"p{number}", f"*/part{number}/*") for number in range(20)]
    with pytest.raises(InputError, match="set fewer policies at once"):
        check_apart(several, (), Steps(1_000))


def test_a_plan_asks_of_its_items_alone_where_patterns_of_before_are_too_intricate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sparkhu_retention.policies.comparing.MOST_STEPS", 1)
    policies = [policy("all", "**"), policy("one", "u*?v"), policy("two", "u*v")]
    found = kinds(items({"id": ["1", "2"], "dataset": ["m", "uv"]}), "/data", policies)
    assert found.table["policy"].to_list() == [0, 2]
    with pytest.raises(InputError, match="'one' and 'two' are equally specific for the item '1'"):
        kinds(items({"id": ["1"], "dataset": ["uxv"]}), "/data", policies)


def test_what_only_a_policy_that_goes_told_apart_is_found_and_what_crossed_before_is_not() -> None:
    one, two, third = policy("one", "a*"), policy("two", "*a"), policy("third", "a*a")
    short = policy("short", "a")
    crossing = list(crossing_without([third], [one, two, short]))
    assert [(found.first, found.second, found.dataset) for found in crossing] == [(one, two, "aa")]
    assert list(crossing_without([third], [one, two])) == []
    assert list(crossing_without([short], [one, two, third], [policy("short", "a", zone="Europe/Berlin")])) == []
    assert (
        len(
            list(
                crossing_without([third], [one, two, short], [policy("third", "a*a", hold="case", archive_after=None)])
            )
        )
        == 1
    )
    assert len(list(crossing_without([third], [one, two, short], [policy("third", "a*aa*a")]))) == 1
    tagged = Policy(name="third", match=Match(dataset="a*a", tags={"team": "x"}), keep_newest=1)
    assert len(list(crossing_without([third], [one, two, short], [tagged]))) == 1
