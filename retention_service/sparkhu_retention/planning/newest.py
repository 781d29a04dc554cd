"""Which versions are among the newest of their line, and since when the others are not."""

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

NEWEST: Final = "newest"
OLDER: Final = "older"
LINE: Final = ("policy", "dataset", "line")


def versions(items: pl.DataFrame, keep: Mapping[int, int]) -> pl.DataFrame:
    """List the versions among items: those of one line and one end are one.

    Args:
        items: `policy` (its place), `dataset`, `line`, `end` and `held` of the items.
        keep: For the place of each policy that keeps the newest, how many.

    Returns:
        `policy`, `dataset`, `line`, `end`, `keep`, and `counts`: whether anything of the version is held by nobody.
    """
    counted = pl.col("policy").replace_strict(list(keep), list(keep.values()), default=None, return_dtype=pl.Int64)
    of_lines = items.with_columns(keep=counted).filter(pl.col("line") != "", pl.col("keep").is_not_null())
    return of_lines.group_by(*LINE, "end", "keep").agg(counts=~pl.col("held").all())


def ranked(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Rank the versions of each line by their ends.

    What is held comes on top: it takes no place of the newest, so that of five versions, the newest one held, a policy
    that keeps 2 keeps three. A version without an end is the newest.

    Args:
        parts: What `versions` gave of parts of the items.

    Returns:
        `policy`, `dataset`, `line`, `end`, `version`: `newest` or `older`, and of older ones `superseded`, the end of
        the version by which they were no longer among the newest; null: it has none.
    """
    ends = (
        pl.concat(parts)
        .group_by(*LINE, "end", "keep")
        .agg(pl.col("counts").any())
        .sort("end", descending=True, nulls_last=False)
        .with_columns(newer=(pl.col("counts").cum_sum() - pl.col("counts")).over(LINE).cast(pl.Int64))
    )
    places = ends.filter("counts").select(*LINE, pl.col("newer").alias("by"), pl.col("end").alias("superseded"))
    told = ends.with_columns(by=pl.col("newer") - pl.col("keep")).join(places, on=[*LINE, "by"], how="left")
    version = pl.when(pl.col("by") < 0).then(pl.lit(NEWEST)).otherwise(pl.lit(OLDER))
    return told.select(*LINE, "end", "superseded", version=version)


def with_versions(items: pl.DataFrame, ranks: pl.DataFrame | None) -> pl.DataFrame:
    """Add `version` and `superseded` to items; both are null where no line's newest are kept."""
    if ranks is None:
        return items.with_columns(version=pl.lit(None, pl.String), superseded=pl.lit(None, items.schema["end"]))
    return items.join(ranks, on=[*LINE, "end"], how="left", nulls_equal=True, maintain_order="left")
