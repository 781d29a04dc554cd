"""Values and instants of single series, written small: lists that JSON carries and the browser reads back."""

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.report.reading import Results

DIGITS = 6


def of_series(results: Results, table: str, ids: list[str]) -> dict[str, pl.DataFrame]:
    """Read the rows that a table has of some series, by the name of the series; none where there is no such table."""
    frame = results.table(table)
    if frame is None:
        return {}
    rows = frame.filter(pl.col("unique_id").is_in(ids)).collect(engine="streaming")
    return {str(name): part for (name,), part in rows.partition_by("unique_id", as_dict=True).items()}


def times(instants: pl.Series) -> list[int]:
    """Write rising instants as microseconds since 1970 UTC: the first, then the steps. Small, and exact in JSON."""
    micros = instants.dt.epoch("us").to_numpy()
    steps: list[int] = np.diff(micros, prepend=0).tolist()
    return steps


def values(column: pl.Series) -> npt.NDArray[np.float64]:
    """Give a column as numbers, NaN where it has none."""
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def numbers(column: pl.Series, digits: int = DIGITS) -> list[float | None]:
    """Write finite values with at most `digits` significant digits, all others as null."""
    finite = pl.when(column.is_finite()).then(column)
    return pl.select(finite.cast(pl.Float64).round_sig_figs(digits)).to_series().to_list()


def short(value: float) -> float:
    """Round a number to the digits that are written."""
    return float(f"{value:.{DIGITS}g}")
