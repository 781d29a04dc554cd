"""What a shard step gives back."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl


class StepResult(NamedTuple):
    """The outcome of one step on one shard.

    Attributes:
        frames: The step's outputs by name: rows, columns aligned with the shard's rows, or a table about its series.
        ledger: One entry a series, made with `sparkhu.ledger.entries`.
        counts: Row counts that concern the run as a whole, such as `{"quarantined": 3}`; summed over shards.
    """

    frames: dict[str, pl.DataFrame]
    ledger: pl.DataFrame
    counts: Mapping[str, int] = {}
