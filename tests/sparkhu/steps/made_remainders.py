"""Made-up decomposed series for the search for anomalies."""

import polars as pl

from sparkhu.frame import TIME
from tests.sparkhu.made_shard import hours

RESIDS = [-5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def rest(resid: list[float | None], name: str = "a", *, level: float = 100.0) -> pl.DataFrame:
    """Decomposed rows with these remainders, trend `level`, season 0, everything observed."""
    frame = pl.DataFrame(
        {"unique_id": [name] * len(resid), "ds": [hours(i) for i in range(len(resid))], "resid": resid},
        schema={"unique_id": pl.String, "ds": TIME, "resid": pl.Float64},
    )
    return frame.with_columns(trend=pl.lit(level), seasonal=pl.lit(0.0), y=level + pl.col("resid")).with_columns(
        y_raw="y", fill_strategy=pl.lit(None, dtype=pl.String)
    )


def profile(*names: str, train: int | None = None) -> pl.DataFrame:
    end = pl.lit(hours(train) if train is not None else None).cast(TIME)
    return pl.DataFrame({"unique_id": names}, schema={"unique_id": pl.String}).with_columns(train_end=end)


def limits(low: float | None, high: float | None, name: str = "a") -> pl.DataFrame:
    schema = {"unique_id": pl.String} | dict.fromkeys(("center", "scale", "low", "high"), pl.Float64)
    return pl.DataFrame([(name, 0.0, 1.0, low, high)], schema=schema, orient="row")
