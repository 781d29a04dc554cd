"""Metadata that contradict themselves are refused before anything is kept."""

from collections.abc import Callable
from typing import Any, NamedTuple

import polars as pl

from sparkhu.catalogue.columns import METADATA, ROW
from sparkhu.errors import InputError

Row = dict[str, Any]


class _Contradiction(NamedTuple):
    holds: pl.Expr
    says: Callable[[Row], str]


def check_metadata(frame: pl.DataFrame, source: str) -> tuple[pl.DataFrame, list[str]]:
    """Check that every series has one row whose limits fit together.

    Args:
        frame: `METADATA` and `row`.
        source: How to call the source in messages.

    Returns:
        `METADATA`, one row a series, sorted by name; and what is to be said.

    Raises:
        InputError: A series stands in several rows that differ, a valid range or its alert levels are reversed, or an
            alert level lies outside the valid range. The message names the series, the row, the values and the fix.

    Example:
        >>> found = recognise(pl.DataFrame({"sensor": ["a"], "unit": ["K"]}), pl.Series([1]), "sensors.csv")
        >>> check_metadata(found.frame, "sensors.csv")[0].select("unique_id", "unit", "valid_min").rows()
        [('a', 'K', None)]
    """
    _check_limits(frame, source)
    once = frame.unique(list(METADATA), maintain_order=True)
    doubled = once.filter(pl.col("unique_id").is_duplicated())
    if doubled.height:
        raise InputError(_differing(doubled, source))
    repeated = frame.height - once.height
    notes = [f"metadata: {repeated} rows repeat another word for word and count once"] if repeated else []
    return once.select(METADATA.keys()).sort("unique_id"), notes


def _check_limits(frame: pl.DataFrame, source: str) -> None:
    for contradiction in _CONTRADICTIONS:
        found = frame.filter(contradiction.holds)
        if found.height:
            row = found.row(0, named=True)
            more = found["unique_id"].n_unique() - 1
            others = f" So have {more} more series." if more else ""
            raise InputError(
                f"{source}: series '{row['unique_id']}' (row {row[ROW]}) {contradiction.says(row)}{others}"
            )


def _differing(doubled: pl.DataFrame, source: str) -> str:
    """Say where the first two rows of a series that stands in several differ."""
    series = doubled["unique_id"][0]
    first, second = doubled.filter(unique_id=series).head(2).to_dicts()
    differences = [
        f"{name} {_shown(first[name])} and {_shown(second[name])}" for name in METADATA if first[name] != second[name]
    ]
    return (
        f"{source}: series '{series}' stands in row {first[ROW]} and row {second[ROW]} with different metadata: "
        f"{', '.join(differences)}. Keep one of the rows."
    )


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return number_text(value) if isinstance(value, float) else f"'{value}'"


def number_text(value: float) -> str:
    """Write a limit with all its digits, and no point where it is whole."""
    return repr(value).removesuffix(".0")


def _valid_range(row: Row) -> str:
    low, high = row["valid_min"], row["valid_max"]
    if low is None:
        return f"up to {number_text(high)}"
    return f"from {number_text(low)}" if high is None else f"{number_text(low)} to {number_text(high)}"


def _outside(level: str) -> _Contradiction:
    value = pl.col(level)
    return _Contradiction(
        (value < pl.col("valid_min")) | (value > pl.col("valid_max")),
        lambda row: (
            f"has {level} {number_text(row[level])} outside its valid range {_valid_range(row)}: values there are "
            f"refused before they could alert. Move {level} into the range, widen the range, or leave one blank."
        ),
    )


_CONTRADICTIONS = (
    _Contradiction(
        pl.col("valid_min") > pl.col("valid_max"),
        lambda row: f"has the valid range {_valid_range(row)}, which is reversed. Exchange valid_min and valid_max.",
    ),
    _Contradiction(
        pl.col("alert_low") >= pl.col("alert_high"),
        lambda row: (
            f"has alert_low {number_text(row['alert_low'])} and alert_high {number_text(row['alert_high'])}, so that "
            "every value would alert. alert_low must lie below alert_high: exchange them, or leave one blank."
        ),
    ),
    _outside("alert_low"),
    _outside("alert_high"),
)
