"""What a plan comes to: totals by policy and action, what holds how much back, and why the rest stays."""

from collections.abc import Iterable
from typing import Final

import polars as pl

from sparkhu_retention.planning.action import ARCHIVE, DELETE, KEEP, WAIT

ORDER: Final = {ARCHIVE: 0, DELETE: 1, WAIT: 2, KEEP: 3}
ROWS: Final = pl.when(pl.col("rows").is_not_null().any()).then(pl.col("rows").sum()).alias("rows")
"""Null where no item is known to have any."""
TOTALS: Final = (pl.len().cast(pl.Int64).alias("items"), ROWS, pl.col("bytes").sum().alias("bytes"))
ADDED: Final = {
    "items": pl.col("items").sum(),
    "rows": ROWS,
    "bytes": pl.col("bytes").sum(),
    "due": pl.col("due").min(),
}
COVERS: Final = r"^covers up to [^;]*; "
"""How the reason of a dated item begins (`sparkhu_retention.planning.expiry`)."""


def added_up(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Add up what one of the functions below gave of each part of a plan; in the order of the first part."""
    joined = pl.concat(parts)
    names = [name for name in joined.columns if name not in ADDED]
    added = [ADDED[name] for name in joined.columns if name in ADDED]
    return joined.group_by(names, maintain_order=True).agg(*added)


def totals(planned: pl.DataFrame) -> pl.DataFrame:
    """Add up a plan by policy and action.

    Args:
        planned: Of the schema `ACTIONS`.

    Returns:
        `policy`, `policy_version`, `action`, `items`, `rows`, `bytes`; by policy, those without one last, and what is
        done before what is held and what is kept.
    """
    order = pl.col("action").replace_strict(ORDER, return_dtype=pl.Int64)
    grouped = planned.group_by("policy", "policy_version", "action").agg(*TOTALS)
    return grouped.sort("policy", "policy_version", order, nulls_last=True)


def held_back(planned: pl.DataFrame) -> pl.DataFrame:
    """Add up what is due and held, by what holds it; an item that several hold counts with each of them.

    Args:
        planned: Of the schema `ACTIONS`.

    Returns:
        `held_by`, `items`, `rows`, `bytes`; what holds most bytes first.
    """
    held = planned.filter(pl.col("action") == WAIT).select("held_by", "rows", "bytes").explode("held_by")
    return held.group_by("held_by").agg(*TOTALS).sort(["bytes", "held_by"], descending=[True, False])


def kept(planned: pl.DataFrame) -> pl.DataFrame:
    """Add up what stays, by policy and by why, without the dates of single items.

    Args:
        planned: Of the schema `ACTIONS`.

    Returns:
        `policy`, `reason`, `items`, `rows`, `bytes`, and `due`, when the first of them is (null: none ever is); by
        policy, the items without one last.
    """
    stays = planned.filter(pl.col("action") == KEEP).group_by("policy", "reason").agg(*TOTALS, pl.col("due").min())
    reason = pl.col("reason").str.replace(COVERS, "").str.replace(r" after it\b", " after its end")
    waits = pl.when(pl.col("due").is_null()).then(reason).otherwise(pl.format("not due yet: {}", reason))
    return added_up([stays.with_columns(reason=waits)]).sort("policy", "reason", nulls_last=True)
