"""What a shard step gives back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import polars as pl

Step = TypeVar("Step", bound=Callable[..., Any])
Columns = Mapping[str, Sequence[str]]
"""Columns by the name of a frame; a frame that is not named is read whole."""

FILLED: Final = ("unique_id", "ds", "y", "y_raw", "available_at", "needs_fill", "fill_strategy")
"""What there is to know of points and of how they were filled."""


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


def reads(**columns: Sequence[str]) -> Callable[[Step], Step]:
    """Say which columns a step looks at, so that no others are read from disk; those that are not there are no matter.

    Args:
        **columns: Columns of a frame, by the name of the step's parameter. Frames that are not named are read whole.

    Example:
        >>> @reads(observations=("unique_id", "y"))
        ... def count(observations: pl.DataFrame) -> int:
        ...     return observations["y"].count()
        >>> columns_read(count)
        {'observations': ('unique_id', 'y')}
    """

    def marked(step: Step) -> Step:
        step.__dict__["reads"] = {name: tuple(wanted) for name, wanted in columns.items()}
        return step

    return marked


def columns_read(step: Callable[..., Any]) -> Columns:
    """Give the columns that a step says it reads."""
    found: Columns = getattr(step, "reads", {})
    return found
