"""Which versions the policies keep because they are among the newest of their line, without a plan."""

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from sparkhu_retention.items import INSTANT
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.expiry import kept_newest
from sparkhu_retention.planning.holding import holders
from sparkhu_retention.planning.newest import NEWEST, ranked, versions
from sparkhu_retention.policies.matching import kinds
from sparkhu_retention.policies.policy import Policy

KEPT: Final = pl.Schema({"policy": pl.String(), "dataset": pl.String(), "line": pl.String(), "end": INSTANT})
"""The name of a policy, and the version that it keeps."""


def kept(
    storage: str,
    items: Iterable[pl.DataFrame],
    policies: Sequence[Policy],
    needs: Sequence[Need],
    listed: Sequence[pl.DataFrame] = (),
) -> pl.DataFrame:
    """List the versions that are among the newest of their line; as in a plan, what is held comes on top.

    Args:
        storage: URI of the storage.
        items: Frames with the columns of `ITEMS`.
        policies: The policies in force.
        needs: What needs data, holds among them.
        listed: What `versions` gave of further items, under the same policies and needs.

    Returns:
        Of the schema `KEPT`.

    Raises:
        InputError: Two policies are equally specific for an item.
    """
    keep = kept_newest(policies, "live")
    parts = list(listed)
    for frame in items if keep else ():
        found = kinds(frame, storage, policies)
        place = found.table["policy"].gather(found.of_item)
        held = holders(frame, found, storage, policies, needs).held
        parts.append(versions(frame.select("dataset", "line", "end").with_columns(policy=place, held=held), keep))
    if not parts:
        return pl.DataFrame(schema=KEPT)
    newest = ranked(parts).filter(pl.col("version") == NEWEST)
    names = pl.Series([policy.name for policy in policies], dtype=pl.String).gather(newest["policy"])
    return newest.with_columns(policy=names).select(list(KEPT))
