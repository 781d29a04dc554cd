"""Which policy an item falls under: the most specific one that is about it (`sparkhu_retention.policies.ranking`)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from sparkhu_retention.policies.comparing import TooIntricateError
from sparkhu_retention.policies.patterns import expression, fits
from sparkhu_retention.policies.policy import Match, Policy
from sparkhu_retention.policies.ranking import equal, has_rules, is_more_specific

TAGS: Final = "__tags"
MET: Final = pl.Schema({"kind": pl.UInt32(), "place": pl.Int32()})
"""That a policy is about a kind."""


@dataclass(frozen=True, eq=False)
class Kinds:
    """The kinds of items that policies can tell apart, and what each falls under.

    Attributes:
        of_item: For each item the row of its kind.
        table: For each kind its `dataset`, one `id`, and `policy`, the place of its policy; null: it falls under none.
        legal: For the place of each policy with a legal hold, which kinds it holds.
    """

    of_item: pl.Series
    table: pl.DataFrame
    legal: Mapping[int, pl.Series]


def kinds(items: pl.DataFrame, storage: str, policies: Sequence[Policy]) -> Kinds:
    """Find the policy that each item falls under; only what differs in dataset or tags is looked at.

    Args:
        items: Of the schema `ITEMS`.
        storage: URI of their storage.
        policies: The policies in force.

    Raises:
        InputError: Two policies are equally specific for an item; the message names both, and the item.
    """
    told = {place: policy for place, policy in enumerate(policies) if is_about(policy.match, storage)}
    keys = items.select(pl.col("dataset").fill_null(""), _tag_key(told.values()))
    firsts = keys.with_columns(id=items["id"], tags=items["tags"]).group_by(*keys.columns, maintain_order=True).first()
    table = firsts.with_row_index("kind")
    of_item = keys.join(table.select("kind", *keys.columns), on=keys.columns, how="left", maintain_order="left")["kind"]
    about = {place: table.select(_fitting(policy.match)).to_series() for place, policy in told.items()}
    chosen = table.select("dataset", "id").with_columns(_chosen(table, policies, about))
    return Kinds(of_item, chosen, {place: fit for place, fit in about.items() if policies[place].hold})


def is_about(match: Match, storage: str) -> bool:
    """Tell whether a policy is about a storage."""
    return fits(match.storage.rstrip("/"), storage.rstrip("/"))


def _tag_key(policies: Iterable[Policy]) -> pl.Expr:
    """Tell items apart by their tags, where a policy asks for one."""
    if not any(policy.match.tags for policy in policies):
        return pl.lit("").alias(TAGS)
    return pl.col("tags").list.sort().list.join("\0").fill_null("").alias(TAGS)


def _fitting(match: Match) -> pl.Expr:
    tagged = [
        pl.col("tags").list.contains(f"{name}={value}").fill_null(value=False) for name, value in match.tags.items()
    ]
    return pl.all_horizontal(pl.col("dataset").str.contains(expression(match.dataset)), *tagged)


def _chosen(table: pl.DataFrame, policies: Sequence[Policy], about: Mapping[int, pl.Series]) -> pl.Series:
    """Choose the most specific policy of each kind; kinds that the same policies are about are one question."""
    met = [
        pl.select(kind=fit.arg_true(), place=pl.lit(place)).cast(MET)
        for place, fit in about.items()
        if has_rules(policies[place])
    ]
    questions = (
        pl.concat([pl.DataFrame(schema=MET), *met])
        .group_by("kind")
        .agg(pl.col("place").sort())
        .group_by("place")
        .agg(pl.col("kind").sort())
        .sort(pl.col("kind").list.first())
    )
    answers = [
        pl.select(kind=pl.Series(same), place=_most_specific(those, policies, table.row(same[0], named=True))).cast(MET)
        for those, same in questions.iter_rows()
    ]
    found = pl.concat([pl.DataFrame(schema=MET), *answers])
    return table.select("kind").join(found, on="kind", how="left", maintain_order="left")["place"].alias("policy")


def _most_specific(places: Sequence[int], policies: Sequence[Policy], item: Mapping[str, Any]) -> int:
    """Choose the policy that no other is more specific than.

    Raises:
        InputError: There are several; the message names two, and the item.
    """
    best = [
        place
        for place in places
        if not any(comes_before(policies[other].match, policies[place].match) for other in places)
    ]
    if len(best) > 1:
        what = f"item '{item['id']}' of the dataset '{item['dataset']}'"
        raise equal(policies[best[0]], policies[best[1]], what)
    return best[0]


def comes_before(match: Match, other: Match) -> bool:
    """Tell whether what a policy is about is more specific; where that cannot be told, neither of two comes first."""
    try:
        return is_more_specific(match, other)
    except TooIntricateError:
        return False
