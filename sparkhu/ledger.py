"""The per-series ledger: what became of every series at every step.

| column | meaning |
| --- | --- |
| `unique_id` | the series |
| `step` | the step's name |
| `status` | `ok`; `skipped`: the step does not apply; `failed`: the series is left out from there on |
| `reason` | why, in words; beside `ok` what should be known, mostly null |
| `counts` | a JSON object of counts, such as `{"outliers": 12}` |
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from sparkhu.errors import InputError, SparkhuError

Status = Literal["ok", "skipped", "failed"]
STATUSES: tuple[Status, ...] = ("ok", "skipped", "failed")
SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "step": pl.String(),
    "status": pl.String(),
    "reason": pl.String(),
    "counts": pl.String(),
}
ENTRY_SCHEMA = {name: dtype for name, dtype in SCHEMA.items() if name != "step"}


def entries(
    unique_id: pl.Series | Sequence[str],
    *,
    status: Status | pl.Series = "ok",
    reason: str | pl.Series | None = None,
    counts: Mapping[str, pl.Series | int] | None = None,
) -> pl.DataFrame:
    """Make ledger entries, one a series.

    Args:
        unique_id: The series.
        status: One for all, or one a series.
        reason: One for all, or one a series; null where the status is `ok`.
        counts: Counts by name, one for all or one a series.

    Returns:
        A frame with the ledger's columns but `step`, which the caller of the step adds.

    Example:
        >>> entries(["a", "b"], counts={"outliers": pl.Series([3, 0])})["counts"].to_list()
        ['{"outliers":3}', '{"outliers":0}']
    """
    ids = pl.Series("unique_id", unique_id, dtype=pl.String)
    frame = pl.DataFrame({"unique_id": ids}).with_columns(
        _column("status", status, pl.String()), _column("reason", reason, pl.String())
    )
    if not counts:
        return frame.with_columns(counts=pl.lit("{}"))
    columns = [_column(name, value, pl.Int64()) for name, value in counts.items()]
    return frame.with_columns(counts=pl.struct(columns).struct.json_encode())


def _column(name: str, value: object, dtype: pl.DataType) -> pl.Expr | pl.Series:
    if isinstance(value, pl.Series):
        return value.cast(dtype).alias(name)
    return pl.lit(value, dtype=dtype).alias(name)


def empty() -> pl.DataFrame:
    """Give entries of no series."""
    return pl.DataFrame(schema=ENTRY_SCHEMA)


def with_step(frame: pl.DataFrame, step: str) -> pl.DataFrame:
    """Name the step that made the entries: the full ledger's columns, in order."""
    return frame.with_columns(step=pl.lit(step)).select(SCHEMA.keys())


def merge(ledgers: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Join ledgers that share some of their past: each (series, step, status, reason) stands once, first seen first."""
    full = [pl.DataFrame(schema=SCHEMA), *ledgers]
    return pl.concat(full).unique(maintain_order=True)


def failed_ids(ledger: pl.DataFrame) -> pl.Series:
    """List the series that failed at any step, each once."""
    return ledger.filter(pl.col("status") == "failed")["unique_id"].unique(maintain_order=True)


def check_share_of_failed(ledger: pl.DataFrame, max_failed_share: float, *, of: int | None = None) -> None:
    """Stop the run when too large a share of its series has failed.

    Args:
        ledger: All entries so far.
        max_failed_share: The largest share of failed series that a run goes on with.
        of: How many series the run has; by default those in the ledger. A ledger of one group of them holds fewer.

    Raises:
        InputError: Every series has failed.
        SparkhuError: More have failed; the message says how many and gives the most frequent reason.
    """
    total, failed = of or ledger["unique_id"].n_unique(), len(failed_ids(ledger))
    if total and (failed == total or failed / total > max_failed_share):
        reasons = ledger.filter(pl.col("status") == "failed").group_by("step", "reason").len().sort("len", "step")
        step, reason, count = reasons.row(-1)
        if failed == total:
            raise InputError(f"no series can go on; most often at {step}: {reason} ({count} of {total} series).")
        raise SparkhuError(
            f"{failed} of {total} series failed, more than max_failed_share = {max_failed_share} allows; "
            f"most often at {step}: {reason} ({count} series). Mend the source or raise max_failed_share."
        )
