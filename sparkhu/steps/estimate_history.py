"""From estimates to a decision: the majority of the last five, so that one odd interval turns nothing over."""

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME

REMEMBERED = 5
ESTIMATES: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "estimated_at": TIME,
    "version": pl.Int64(),
    "estimate": pl.String(),
    "estimate_label": pl.String(),
    "decision": pl.String(),
    "period_label": pl.String(),
}
PAST_COLUMNS = tuple(ESTIMATES)


def decide(estimates: pl.DataFrame, past: pl.DataFrame | None, stated: str | None = None) -> pl.DataFrame:
    """Decide for each series by the majority of its last five estimates, the newest among them.

    First `regular`, `irregular` or `no_decision`, then, if regular, the period most of the regular ones found. A tie
    keeps what stood before, if that is among the tied, else goes to the newest. Earlier estimates made at the same
    instant as the new one or later are left out: a second run over the same interval gives the same decision, and a
    backfill does not look ahead.

    Args:
        estimates: `unique_id`, `estimated_at`, `estimate`, `estimate_label`, one row a series.
        past: Estimates (or profiles) of earlier runs, any number of rows a series; None on the first run.
        stated: Label of a period that is given: every series is regular with it, whatever the estimates say.

    Returns:
        The estimates with `version` (from 1), `decision`, `period_label` (null unless regular) and `changed` (decision
        or period differ from those that stood before).

    Raises:
        InputError: `past` lacks a column.
    """
    earlier = _earlier(estimates, past)
    standing = earlier.group_by("unique_id", maintain_order=True).agg(
        pl.col("version", "decision", "period_label").last().name.prefix("standing_")
    )
    table = estimates.join(standing, on="unique_id", how="left", maintain_order="left")
    table = table.with_columns(version=pl.col("standing_version").fill_null(0) + 1)
    shared = ["unique_id", "version", "estimate", "estimate_label"]
    votes = pl.concat([earlier.select(shared), table.select(shared)])
    votes = votes.join(
        standing.select("unique_id", "standing_decision", "standing_period_label"), on="unique_id", how="left"
    )
    votes = votes.sort("unique_id", "version").group_by("unique_id").tail(REMEMBERED)
    decisions = _majority(votes, "estimate", "standing_decision", "decision")
    regular = votes.filter(pl.col("estimate") == "regular")
    labels = _majority(regular, "estimate_label", "standing_period_label", "period_label")
    decided = table.join(decisions, on="unique_id", how="left", maintain_order="left")
    decided = decided.join(labels, on="unique_id", how="left", maintain_order="left").with_columns(
        period_label=pl.when(pl.col("decision") == "regular").then("period_label")
    )
    if stated is not None:
        decided = decided.with_columns(decision=pl.lit("regular"), period_label=pl.lit(stated))
    return decided.with_columns(changed=_changed()).drop(
        "standing_version", "standing_decision", "standing_period_label"
    )


def remembered(profile: pl.DataFrame, past: pl.DataFrame | None) -> pl.DataFrame:
    """Put the new estimates behind the earlier ones that they were decided with: what the next run is to be given.

    Args:
        profile: The new estimates with their decisions, one row a series.
        past: Estimates of earlier runs, as `decide` takes them.

    Returns:
        `ESTIMATES`, per series the five latest, oldest first.

    Raises:
        InputError: `past` lacks a column.
    """
    new = profile.select(PAST_COLUMNS).cast(pl.Schema(ESTIMATES))
    both = pl.concat([_earlier(new, past), new]).sort("unique_id", "version")
    return both.group_by("unique_id", maintain_order=True).tail(REMEMBERED)


def changes(estimates: pl.DataFrame) -> pl.DataFrame:
    """Find the series whose newest decision or period differs from the one before.

    Args:
        estimates: As `remembered` gives them.

    Returns:
        `unique_id`, `before`, `after`: the period such as `1h`, or `irregular` or `no decision`, sorted by series.
    """
    way = pl.coalesce("period_label", pl.col("decision").str.replace("_", " "))
    ways = estimates.with_columns(after=way).with_columns(before=pl.col("after").shift().over("unique_id"))
    newest = ways.group_by("unique_id", maintain_order=True).last()
    return newest.filter(pl.col("before") != pl.col("after")).select("unique_id", "before", "after")


def _earlier(estimates: pl.DataFrame, past: pl.DataFrame | None) -> pl.DataFrame:
    if past is None:
        return pl.DataFrame(schema=ESTIMATES)
    missing = [name for name in PAST_COLUMNS if name not in past.columns]
    if missing:
        raise InputError(f"past lacks the columns {', '.join(missing)}; give the estimates of an earlier run")
    now = estimates.select("unique_id", now="estimated_at")
    known = past.select(PAST_COLUMNS).join(now, on="unique_id").filter(pl.col("estimated_at") < pl.col("now"))
    return known.select(PAST_COLUMNS).cast(pl.Schema(ESTIMATES)).sort("unique_id", "version")


def _majority(votes: pl.DataFrame, value: str, standing: str, name: str) -> pl.DataFrame:
    counted = votes.group_by("unique_id", value).agg(
        votes=pl.len(), stands=(pl.col(value) == pl.col(standing)).any(), newest=pl.col("version").max()
    )
    ranked = counted.sort("unique_id", "votes", "stands", "newest")
    return ranked.group_by("unique_id").agg(pl.col(value).last().alias(name))


def _changed() -> pl.Expr:
    decision = pl.col("decision") != pl.col("standing_decision")
    return decision.fill_null(value=False) | (
        pl.col("standing_decision").is_not_null() & pl.col("period_label").ne_missing(pl.col("standing_period_label"))
    )
