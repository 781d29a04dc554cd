"""When items are due, and why: by age once for each policy and end, by their number for each line of versions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from sparkhu_retention.items import INSTANT
from sparkhu_retention.planning.newest import NEWEST, OLDER, with_versions
from sparkhu_retention.policies.policy import Policy

Tier = Literal["live", "archive"]
NO_POLICY: Final = "no policy is about it"
UNDATED: Final = "covers no interval, so that no period ends"
SCHEMA: Final = {"policy": pl.Int32(), "end": INSTANT, "expires": INSTANT, "why": pl.String()}


def kept_newest(policies: Sequence[Policy], tier: Tier) -> dict[int, int]:
    """Give for the place of each policy that keeps the newest versions, how many; the archive keeps none for that."""
    return {number: rule.keep_newest for number, rule in enumerate(policies) if rule.keep_newest and tier == "live"}


def dated(
    items: pl.DataFrame, ranks: pl.DataFrame | None, policies: Sequence[Policy], *, now: datetime, tier: Tier
) -> pl.DataFrame:
    """Say when items are due, and why.

    Args:
        items: `policy` (its place; null: none), `dataset`, `line` and `end` of the items.
        ranks: What `sparkhu_retention.planning.newest.ranked` gave of all of the items; null: no policy keeps any.
        policies: The policies in force.
        now: The time, UTC: of what is due at once.
        tier: As `expiries` takes it.

    Returns:
        For each item `due` (null: never) and `reason`.
    """
    keep, told = kept_newest(policies, tier), with_versions(items, ranks)
    by_age = expiries(told.select("policy", "end"), policies, tier).join(
        _sentences(policies, keep), on="policy", how="left", nulls_equal=True
    )
    key = ["policy", "end", "version"]
    reasons = told.select(key).unique().join(by_age, on=["policy", "end"], how="left", nulls_equal=True)
    alone = pl.col("alone") & (pl.col("version") == OLDER)
    reasons = reasons.select(
        *key,
        "expires",
        alone=alone.fill_null(value=False),
        reason=pl.when(pl.col("version") == NEWEST)
        .then("stays")
        .when(alone)
        .then("older")
        .when(pl.col("version") == OLDER)
        .then(pl.format("{}; {}", "why", "older"))
        .otherwise("why"),
    )
    joined = told.join(reasons, on=key, how="left", nulls_equal=True, maintain_order="left")
    late = pl.max_horizontal("expires", "superseded")
    due = (
        pl.when(pl.col("version") == NEWEST)
        .then(pl.lit(None, INSTANT))
        .when("alone")
        .then(pl.coalesce("superseded", pl.lit(now, INSTANT)))
        .when(pl.col("expires").is_not_null())
        .then(late)
    )
    return joined.select("reason", due=due)


def _sentences(policies: Sequence[Policy], keep: Mapping[int, int]) -> pl.DataFrame:
    """Say of each policy that keeps the newest what it says of these and of others, and whether nothing else counts."""
    rows = [
        {
            "policy": number,
            "stays": f"one of the newest {count:,}, which stay" if count > 1 else "the newest, which stays",
            "older": f"no longer one of the newest {count:,}" if count > 1 else "no longer the newest",
            "alone": policies[number].period is None and policies[number].floor is None,
        }
        for number, count in keep.items()
    ]
    kind = {"policy": pl.Int32(), "stays": pl.String(), "older": pl.String(), "alone": pl.Boolean()}
    return pl.DataFrame(rows, schema=kind)


def expiries(spans: pl.DataFrame, policies: Sequence[Policy], tier: Tier) -> pl.DataFrame:
    """Find when what ends at some moments expires by age, and say why.

    Args:
        spans: `policy` (its place, null where there is none) and `end`, of the items.
        policies: The policies in force.
        tier: `live`: when items leave their storage; `archive`: when they leave the archive.

    Returns:
        Each distinct pair with `expires`, null where no period ends, and `why`.
    """
    distinct = spans.unique()
    parts = [_of_policy(part["end"], place, policies, tier) for (place,), part in distinct.group_by("policy")]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])


def _of_policy(ends: pl.Series, place: object, policies: Sequence[Policy], tier: Tier) -> pl.DataFrame:
    frame = pl.DataFrame({"end": ends}, schema={"end": INSTANT}).select(policy=pl.lit(place, pl.Int32), end="end")
    if not isinstance(place, int):
        return _never(frame, NO_POLICY)
    policy = policies[place]
    if policy.no_policy:
        return _never(frame, "its policy is that there is none: nothing is archived or removed")
    period = policy.delete_after if tier == "archive" else policy.period
    floor = None if tier == "archive" else midnight(policy)
    by_age = (
        period.after(frame["end"], policy.zone) if period else pl.repeat(None, len(ends), dtype=INSTANT, eager=True)
    )
    before = pl.col("end") <= pl.lit(floor, INSTANT)
    verb = "removed from the archive" if tier == "archive" else "removed" if policy.without_archive else "archived"
    wanted = policy.downsample if tier == "live" else None
    first = f", downsampled to {wanted.to} by {wanted.by} first" if wanted else ""
    covers = pl.format("covers up to {}; ", _shown(policy.zone))
    by_floor = before & (pl.col("by_age").is_null() | (pl.col("by_age") > pl.lit(floor, INSTANT)))
    return frame.with_columns(by_age=by_age).select(
        "policy",
        "end",
        expires=pl.when(by_floor.fill_null(value=False)).then(pl.lit(floor, INSTANT)).otherwise("by_age"),
        why=pl.when(pl.col("end").is_null())
        .then(pl.lit(UNDATED))
        .when(by_floor.fill_null(value=False))
        .then(pl.format("{}all before {} is archived{}", covers, pl.lit(str(policy.floor)), pl.lit(first)))
        .when(pl.lit(period is None))
        .then(pl.format("{}no period ends", covers))
        .otherwise(pl.format("{}{} {} after it{}", covers, pl.lit(verb), pl.lit(str(period)), pl.lit(first))),
    )


def _never(frame: pl.DataFrame, why: str) -> pl.DataFrame:
    return frame.with_columns(expires=pl.lit(None, INSTANT), why=pl.lit(why))


def midnight(policy: Policy) -> datetime | None:
    """Give the moment that the floor of a policy means; null: it has none."""
    if policy.floor is None:
        return None
    return datetime.combine(policy.floor, time(), ZoneInfo(policy.zone)).astimezone(UTC)


def _shown(zone: str) -> pl.Expr:
    """Write ends as days of the zone where they are midnights, else with the time."""
    local = pl.col("end").dt.convert_time_zone(zone)
    day, moment = local.dt.strftime("%Y-%m-%d"), local.dt.strftime("%Y-%m-%d %H:%M:%S %Z")
    return pl.when(local.dt.time() == pl.time()).then(day).otherwise(moment)
