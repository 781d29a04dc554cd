"""What a plan says of each item."""

from typing import Final

import polars as pl

from sparkhu_retention.items import ITEMS

ARCHIVE: Final = "archive"
DELETE: Final = "delete"
KEEP: Final = "keep"
WAIT: Final = "held"

ACTIONS: Final = pl.Schema(
    {
        **ITEMS,
        "action": pl.String(),
        "policy": pl.String(),
        "policy_version": pl.Int64(),
        "due": pl.Datetime("us", "UTC"),
        "reason": pl.String(),
        "held_by": pl.List(pl.String()),
    }
)
"""The columns of a plan: those of an item, and

- `action`: `archive` (to the archive, then the live copy is removed), `delete` (removed without one, as the policy
  says so), `keep`, or `held` (would be one of the first two, but for `held_by`).
- `policy`, `policy_version`: what it falls under; null: no policy does.
- `due`: when it expired or will.
- `reason`: why, in words, such as `covers up to 2023-01-01; archived 1 year after it`.
- `held_by`: what still needs it, such as `champion 'forecaster' version 3 was trained on it`.
"""
