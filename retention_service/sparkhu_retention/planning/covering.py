"""How many items one need holds, a hold that people place say."""

import polars as pl

from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.holding import holders
from sparkhu_retention.policies.matching import kinds


def covered(items: pl.DataFrame, storage: str, need: Need) -> int:
    """Count the items that a need holds.

    Args:
        items: Of the schema `ITEMS`.
        storage: URI of their storage.
        need: What needs them.
    """
    held = holders(items, kinds(items, storage, []), storage, [], [need])
    return int(held.names.list.contains(need.by).sum())
