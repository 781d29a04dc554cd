"""What the next run puts back before it deals with anything else, told before it does."""

from collections.abc import Sequence

import polars as pl

from sparkhu_retention.applying.guarding import must_stay
from sparkhu_retention.applying.running import Asking, Work
from sparkhu_retention.database.buried import buried
from sparkhu_retention.planning.summary import TOTALS, added_up

RETURNS = pl.Schema({"reason": pl.String(), "rows": pl.Int64(), "bytes": pl.Int64()})


def returning(work: Work, listed: Sequence[pl.DataFrame] | None = None) -> pl.DataFrame:
    """Add up what is buried and must not stay so, by why.

    Something needs it now, or its policy was removed or says something else.

    Args:
        work: What the run would need.
        listed: What `sparkhu_retention.planning.newest.versions` gave of all that lies in the storage; null: it is
            listed where a policy keeps the newest.

    Returns:
        `reason`, `items`, `rows`, `bytes`; what returns most bytes first.
    """
    asking, parts = Asking(work, listed=listed), [pl.DataFrame(schema=RETURNS).group_by("reason").agg(*TOTALS)]
    with work.database.reading() as connection:
        for page in buried(connection, work.storage.uri):
            back = page.select("entry", "rows", "bytes").join(must_stay(asking, page), on="entry")
            parts.append(back.group_by("reason").agg(*TOTALS))
    return added_up(parts).sort(["bytes", "reason"], descending=[True, False])
