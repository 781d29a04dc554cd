"""What retention deals with: items, the smallest things that are archived and removed by themselves.

Items come in frames, a row each, so that a plan over millions of them fits into memory.
"""

from typing import Final

import polars as pl

INSTANT: Final = pl.Datetime("us", "UTC")

ITEMS: Final = pl.Schema(
    {
        "id": pl.String(),
        "dataset": pl.String(),
        "line": pl.String(),
        "start": INSTANT,
        "end": INSTANT,
        "rows": pl.Int64(),
        "bytes": pl.Int64(),
        "content": pl.String(),
        "tags": pl.List(pl.String()),
        "holds": pl.List(pl.String()),
    }
)
"""The columns of items.

- `id`: where the item lies, from the root of its storage; unique there, and stable as long as the content is.
- `dataset`: what policies match by glob, such as `observations`, `models/forecaster` or a folder; parts are joined
  with `/`.
- `line`: what the item is one of several versions of, for policies that keep the newest N; empty: of nothing.
- `start`, `end`: the interval `[start, end)` that it covers, UTC. Its age counts from `end`; null: it has none, and no
  period expires it.
- `rows`: its rows; null where it has no rows.
- `bytes`: its size.
- `content`: changes when the content does: a checksum, an ETag, a version; what a plan saw is compared with it before
  anything is done.
- `tags`: each as `name=value`.
- `holds`: why the store itself forbids removing it, such as `legal hold of the bucket`.
"""


def items(rows: dict[str, object]) -> pl.DataFrame:
    """Make a frame of items from columns; columns that are not given are null, lists empty."""
    frame = pl.DataFrame(rows, schema_overrides={name: kind for name, kind in ITEMS.items() if name in rows})
    lacking = [
        (pl.lit([], dtype) if isinstance(dtype, pl.List) else pl.lit(None, dtype)).alias(name)
        for name, dtype in ITEMS.items()
        if name not in frame.columns
    ]
    return frame.with_columns(lacking).select(list(ITEMS))
