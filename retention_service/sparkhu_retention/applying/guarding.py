"""What must not go now, whatever the plan said: asked again right before anything leaves its place."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final

import polars as pl

from sparkhu_retention.applying.running import Asking
from sparkhu_retention.database import holds, policy_versions
from sparkhu_retention.database.buried import buried
from sparkhu_retention.database.downsampled import DOWNSAMPLES
from sparkhu_retention.database.downsampled import frame as downsamples
from sparkhu_retention.database.journal import Entered, frame
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.expiry import Tier
from sparkhu_retention.planning.holding import UNWRITTEN, holders
from sparkhu_retention.planning.keeping import KEPT, kept
from sparkhu_retention.policies.matching import kinds
from sparkhu_retention.policies.naming import with_uris
from sparkhu_retention.policies.policy import Policy, PolicyVersion

NEWEST: Final = "is_newest"
OTHERS: Final = ("policy", "policy_version", "place")
STAYS: Final = pl.Schema({"entry": pl.Int64(), "reason": pl.String()})
"""The number of an entry, and in words why it must stay."""


def held_back(
    asking: Asking, entries: Sequence[Entered], tier: Tier = "live", *, downsampled: bool = True
) -> dict[int, str]:
    """Find entries that must stay: number of the entry, and why.

    An entry stays when anything needs it, when it is not due, when it is one of the newest versions that its policy
    keeps, when its policy wants a downsample that is not there, and when what its policy says of removal was changed
    since it was planned, or another policy that says something else is more specific now: the next plan decides anew.

    Args:
        asking: Asks; a run, or a plan.
        entries: The entries.
        tier: `archive`, where they are to be removed from the archive: no version is kept there.
        downsampled: Whether a downsample that a policy wants must be there; else it is about to be written.

    Returns:
        Of those that must stay, the reasons in words.

    Raises:
        InputError: Two policies are equally specific for one of them.
    """
    if not entries:
        return {}
    return dict(must_stay(asking, frame(entries), tier, downsampled=downsampled).iter_rows())


def must_stay(asking: Asking, entries: pl.DataFrame, tier: Tier = "live", *, downsampled: bool = True) -> pl.DataFrame:
    """Find what `held_back` does of a frame of the schema `ENTRIES`, as a frame of the schema `STAYS`.

    Raises:
        InputError: Two policies are equally specific for one of them.
    """
    is_newest = _newest(asking, entries) if tier == "live" else pl.lit(value=False).alias(NEWEST)
    versions, needs = _in_force(asking)
    lacking = _lacking_downsamples(asking, entries, versions if downsampled else [])
    policies, uri = [each.policy for each in versions], asking.storage.uri
    found = kinds(entries, uri, policies)
    held = holders(entries, found, uri, policies, needs)
    told = entries.select("entry", "policy", "policy_version", "due").with_columns(
        is_newest, held.names, place=found.table["policy"].gather(found.of_item)
    )
    others = _other_policies(asking, told.select(*OTHERS).unique(), versions, tier)
    told = told.join(others, on=list(OTHERS), how="left", nulls_equal=True, maintain_order="left")
    told = told.join(lacking, on="entry", how="left", maintain_order="left")
    return told.select("entry", reason=_reason(asking.work.clock())).drop_nulls()


def _reason(now: datetime) -> pl.Expr:
    """Say why an entry must stay, the weightiest first; null: it may go."""
    until = pl.col("due").dt.strftime("%Y-%m-%d %H:%M:%S")
    return pl.coalesce(
        "other",
        pl.when(pl.col("held_by").list.len() > 0).then(pl.col("held_by").list.join("; ")),
        pl.when(pl.col("due") > now).then(pl.format("it is due on {} UTC only, by the clock of this run", until)),
        pl.when(NEWEST).then(
            pl.format("it is one of the newest versions now, which policy '{}' keeps", pl.col("policy"))
        ),
        "lacking",
    )


def _in_force(asking: Asking) -> tuple[list[PolicyVersion], list[Need]]:
    """Ask for the policies in force and for what needs data, the holds of people among it."""
    needs = asking.needs()
    with asking.work.database.reading() as connection:
        found = policy_versions.in_force(connection)
        standing = holds.standing(connection, asking.storage.uri)
    versions = [PolicyVersion(Policy.model_validate(each.document), each.version) for each in found]
    return with_uris(versions, asking.work.storages), [*needs, *(hold.need() for hold in standing)]


def _other_policies(asking: Asking, asked: pl.DataFrame, versions: Sequence[PolicyVersion], tier: Tier) -> pl.DataFrame:
    """Tell of each policy that a plan saw, and the place of the one that counts now, whether that is another."""
    said = [
        _other_policy(asking, (name, version), None if place is None else versions[place], tier)
        for name, version, place in asked.iter_rows()
    ]
    return asked.with_columns(pl.Series("other", said, pl.String))


def _other_policy(asking: Asking, saw: tuple[str, int], version: PolicyVersion | None, tier: Tier) -> str | None:
    """Tell where another policy counts for an entry than the plan saw, or the same one says something else of it."""
    if version is None or version.policy.no_policy:
        return f"policy '{saw[0]}' is no longer in force for it"
    policy, name = version.policy, version.policy.name
    if (name, version.version) == saw:
        return None
    planned = asking.policy(*saw)
    is_same = _removal(policy, tier) == _removal(planned, tier)
    if name == saw[0]:
        return None if is_same else f"policy '{name}' says something else of it since its version {version.version}"
    if is_same and tier == "live" and _by_age_alone(policy) and policy.grace == planned.grace:
        return None
    return f"it falls under policy '{name}', version {version.version} now"


def _by_age_alone(policy: Policy) -> bool:
    """Tell whether a policy looks at each item by itself, so that the same rules by another name are no matter."""
    return policy.keep_newest is None and policy.downsample is None


def _removal(policy: Policy, tier: Tier) -> tuple[Any, ...]:
    """Give what a policy says of when and how items go; the time of grace, say, is not of it."""
    if tier == "archive":
        return policy.delete_after, policy.zone
    how = policy.without_archive, policy.keep_newest, policy.downsample
    return policy.period, policy.floor, policy.zone, *how


def _newest(asking: Asking, entries: pl.DataFrame) -> pl.Series:
    """Tell which entries are of versions that are to be kept, of all that lie in the storage or in its tombstones.

    The storage is listed for it once in a run, and only where a policy keeps versions.
    """
    none = pl.repeat(False, entries.height, eager=True).alias(NEWEST)
    if not any(asking.policy(*saw).keep_newest for saw in entries.select("policy", "policy_version").unique().rows()):
        return none
    if asking.kept is None:
        asking.kept = _kept(asking)
    asked = entries.select(*KEPT)
    return asked.join(
        asking.kept.unique().with_columns(pl.lit(value=True).alias(NEWEST)),
        on=list(KEPT),
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )[NEWEST].fill_null(value=False)


def _kept(asking: Asking) -> pl.DataFrame:
    storage = asking.storage
    versions, needs = _in_force(asking)
    policies, lying = [each.policy for each in versions], asking.listed
    with asking.work.database.reading() as connection:
        there = chain(buried(connection, storage.uri), storage.items() if lying is None else ())
        return kept(storage.uri, there, policies, needs, lying or ())


def _lacking_downsamples(asking: Asking, entries: pl.DataFrame, versions: Sequence[PolicyVersion]) -> pl.DataFrame:
    """Find entries whose policy wants a downsample that is not there: number of the entry, and in words which."""
    wants = [(each.policy.name, each.policy.downsample) for each in versions]
    rows = [(name, one.to, one.by) for name, one in wants if one is not None]
    wanted = pl.DataFrame(rows, schema={"policy": pl.String(), "to": pl.String(), "by": pl.String()}, orient="row")
    asked = entries.select("entry", "policy").join(wanted, on="policy")
    with asking.work.database.reading() as connection:
        there = downsamples(connection, asking.storage.uri, asked["entry"].to_list())
    words = pl.format(UNWRITTEN, "to", "by")
    return asked.join(there, on=list(DOWNSAMPLES), how="anti").select("entry", lacking=words)
