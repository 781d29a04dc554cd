"""The observation frame: many series in one long, sorted Polars frame.

| column | type | meaning |
| --- | --- | --- |
| `unique_id` | text | the series |
| `ds` | `timestamp[us, UTC]` | the instant of the observation |
| `y` | float64 | the current value; null is a marked gap, NaN never stands |
| `available_at` | `timestamp[us, UTC]` | the moment from which the value could have been known |

Steps add columns: `y_raw` (the observed value, from the first step that changes `y` on), flags
(`is_outlier`, `is_gap`, …), `needs_fill` (a flagged point that counts as missing) and `fill_strategy`.
Further columns of the source (price, volume, categories) travel along: every column that is not in `OWN_COLUMNS`.
Rows are sorted by (`unique_id`, `ds`).
"""

from collections.abc import Callable, Sequence
from functools import wraps
from numbers import Real
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import InputError

TIME = pl.Datetime("us", "UTC")
SCHEMA: dict[str, pl.DataType] = {"unique_id": pl.String(), "ds": TIME, "y": pl.Float64(), "available_at": TIME}

CLEAN_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "ds": TIME,
    "y": pl.Float64(),
    "y_raw": pl.Float64(),
    "available_at": TIME,
    "is_gap": pl.Boolean(),
    "is_outlier": pl.Boolean(),
    "fill_strategy": pl.String(),
}
"""The columns of observations once the steps have cleaned them."""

OWN_COLUMNS = frozenset(
    {
        *CLEAN_SCHEMA,
        *("source_row", "ds_text", "y_text", "ds_reason", "reason"),
        *("is_alert", "is_anomaly", "needs_fill", "observed_available_at"),
        *("trend", "seasonal", "resid", "parts_available_at"),
        *("anomaly_score", "anomaly_strategy", "handled", "handled_available_at"),
    }
)
"""The columns that steps read and write; a column of a source cannot have one of these names."""

VALUES = ("y", "y_raw", "trend", "seasonal", "resid", "handled")
"""The columns of values, in which a missing one is null and NaN never stands."""

P = ParamSpec("P")
T = TypeVar("T")


def check_frame(frame: pl.DataFrame, *columns: str, raw: bool = False) -> None:
    """Check that `frame` holds `columns`, each with the type that the observation frame gives it, and no NaN.

    Args:
        frame: The frame to look at.
        columns: Names that must be there; the base columns among them must have their type.
        raw: The rows are what a source gave, before validation has judged them: NaN may stand in them.

    Raises:
        InputError: A column is missing or has another type, or a column of values (`VALUES`) holds NaN; the message
            names it, what it is, and the fix.
    """
    for name in columns:
        if name not in frame.columns:
            found = ", ".join(frame.columns) or "no columns at all"
            raise InputError(f"column '{name}' is missing; the frame has {found}. Rename the column that holds it.")
        wanted, got = SCHEMA.get(name), frame.schema[name]
        if wanted is not None and got != wanted:
            raise InputError(f"column '{name}' has type {got}, expected {wanted}. Cast it first.")
    if not raw:
        _check_no_nan(frame, VALUES)


def is_number(value: object) -> bool:
    """Say whether a parameter is a finite number."""
    return isinstance(value, Real) and bool(np.isfinite(float(value)))


def check_numbers(frame: pl.DataFrame, *columns: str) -> None:
    """Check that `columns` hold numbers or nothing: a missing one is null.

    Raises:
        InputError: A column has another type or holds NaN; the message names it and the way out.
    """
    for name in columns:
        if not (frame.schema[name].is_numeric() or frame.schema[name] == pl.Null):
            raise InputError(f"column '{name}' has type {frame.schema[name]}, expected numbers. Cast it first.")
    _check_no_nan(frame, columns)


def _check_no_nan(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        if name in frame.columns and frame.schema[name].is_float() and frame[name].is_nan().any():
            row = frame[name].is_nan().fill_null(value=False).arg_max()
            raise InputError(
                f"column '{name}' holds NaN, first in row {row}; a missing value is null. "
                f'Turn them first: frame.with_columns(pl.col("{name}").fill_nan(None)).'
            )


def extra_columns(frame: pl.DataFrame) -> list[str]:
    """List the columns of the source that travel along with the observations, in their order."""
    return [name for name in frame.columns if name not in OWN_COLUMNS]


def from_pandas(table: Any) -> pl.DataFrame:
    """Turn a pandas frame into an observation frame: UTC microseconds, no NaN, sorted, `available_at` filled from `ds`.

    Naive times are taken as UTC.

    Raises:
        InputError: `unique_id`, `ds` or `y` is missing or cannot be read as text, time and number.
    """
    try:
        frame: pl.DataFrame = pl.from_pandas(table)
    except (TypeError, ValueError) as error:
        raise InputError(f"the frame cannot be read: a column mixes types ({error}). Give each column one.") from error
    for name in ("unique_id", "ds", "y"):
        if name not in frame.columns:
            raise InputError(f"column '{name}' is missing; the frame has {', '.join(frame.columns)}. Rename one to it.")
    times = [name for name in ("ds", "available_at") if name in frame.columns]
    if "available_at" not in frame.columns:
        frame = frame.with_columns(available_at=pl.col("ds"))
        times.append("available_at")
    for name in times:
        if frame.schema[name].base_type() not in (pl.Datetime, pl.Date):
            raise InputError(
                f"column '{name}' has type {frame.schema[name]}, expected times. Convert it first: pandas.to_datetime."
            )
    try:
        frame = frame.with_columns(
            pl.col("unique_id").cast(pl.String),
            pl.col("y").cast(pl.Float64).fill_nan(None),
            *[_utc(frame, name) for name in times],
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"the frame cannot be read as text, time and number: {error}") from error
    return frame.sort("unique_id", "ds", maintain_order=True)


def _utc(frame: pl.DataFrame, name: str) -> pl.Expr:
    column = pl.col(name).cast(pl.Datetime("us", getattr(frame.schema[name], "time_zone", None)))
    zoned = getattr(frame.schema[name], "time_zone", None) is not None
    return column.dt.convert_time_zone("UTC") if zoned else column.dt.replace_time_zone("UTC")


def accepts_pandas(step: Callable[Concatenate[pl.DataFrame, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Let a function on an observation frame take and give back a pandas frame as well.

    A Polars frame passes through as it is. A pandas frame in first position is brought to the
    observation frame with `from_pandas`, and a frame among the results is turned back.
    """

    @wraps(step)
    def either(frame: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if isinstance(frame, pl.DataFrame):
            return step(frame, *args, **kwargs)
        result = step(from_pandas(frame), *args, **kwargs)
        return cast(T, result.to_pandas()) if isinstance(result, pl.DataFrame) else result

    return either


def segments(frame: pl.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find where each series of a sorted frame starts and how many rows it has.

    Args:
        frame: Rows sorted by `unique_id`.

    Returns:
        `(starts, lengths)`, one element a series, in row order.
    """
    ids = frame["unique_id"]
    borders = ids.slice(1).ne_missing(ids.slice(0, max(len(ids) - 1, 0))).arg_true().to_numpy().astype(np.int64) + 1
    starts = np.concatenate([np.zeros(min(len(ids), 1), np.int64), borders])
    return starts, np.diff(starts, append=len(ids))


def whole_segments(frame: pl.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find where each series of a frame starts and how many rows it has, as `segments`.

    Raises:
        InputError: The rows of a series stand in several places.
    """
    starts, lengths = segments(frame)
    ids = frame["unique_id"].gather(starts)
    if ids.n_unique() != len(ids):
        name = ids.filter(ids.is_duplicated())[0]
        raise InputError(
            f"the rows of series '{name}' stand in several places. "
            'Bring those of each series together first: frame.sort("unique_id", "ds").'
        )
    return starts, lengths
