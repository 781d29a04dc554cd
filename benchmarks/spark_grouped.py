"""Flag outliers, mark gaps and fill them, written in pandas and grouped by Spark itself; see `spark.py`.

    python -m benchmarks.spark_grouped RAW FITTED OUT MASTER REPEATS

Both read the rows, are given the quartiles and the period of each series (FITTED), flag what lies outside the fences,
give every missing instant a row, and draw lines over gaps and outliers. Here one pass writes the cleaned rows once. The
three steps are three passes, and do more: each writes what it adds, with a ledger, and says when each value was known,
and filling is scored on points that it hides. The last word printed is the time of the fastest run, in seconds, behind
one that warms up.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from sparkhu.engines.base import environment
from sparkhu.engines.spark.sessions import launch_variables

SCHEMA = "unique_id string, ds timestamp, y double, is_outlier boolean, is_gap boolean"


def clean(fitted: dict[str, tuple[float, float, str]], rows: pd.DataFrame) -> pd.DataFrame:
    """Clean one series as the three steps do: fences around its quartiles, the grid of its period, lines over gaps."""
    rows = rows.sort_values("ds")
    low, high, period = fitted[rows["unique_id"].iloc[0]]
    outside = (rows["y"] < low - 1.5 * (high - low)) | (rows["y"] > high + 1.5 * (high - low))
    flagged = rows.assign(is_outlier=outside).set_index("ds")
    grid = pd.date_range(flagged.index[0], flagged.index[-1], freq=period)
    found = flagged.reindex(grid)
    found["is_gap"] = found["y"].isna()
    found["is_outlier"] = found["is_outlier"].eq(True)
    found["y"] = found["y"].mask(found["is_outlier"]).interpolate("time", limit_area="inside")
    found["unique_id"] = rows["unique_id"].iloc[0]
    return found.rename_axis("ds").reset_index()[["unique_id", "ds", "y", "is_outlier", "is_gap"]]


def cleaning(fitted: dict[str, tuple[float, float, str]]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Give the function that Spark maps over groups; it reads how many parameters it has."""

    def cleaned(rows: pd.DataFrame) -> pd.DataFrame:
        return clean(fitted, rows)

    return cleaned


def main(raw: str, fitted: str, out: str, master: str, repeats: int) -> None:
    """Run it and print the seconds."""
    from pyspark.sql import SparkSession

    told = {row[0]: row[1:] for row in pd.read_parquet(fitted).itertuples(index=False, name=None)}
    cleaned = cleaning(told)
    with environment(launch_variables(master)):
        spark = SparkSession.builder.master(master).config("spark.ui.enabled", "false").getOrCreate()
    files = [str(file) for file in sorted(Path(raw).glob("[0-9]*.parquet"))]
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        rows = spark.read.parquet(*files).select("unique_id", "ds", "y")
        rows.groupBy("unique_id").applyInPandas(cleaned, SCHEMA).write.mode("overwrite").parquet(out)
        seconds.append(time.perf_counter() - began)
    print(min(seconds[1:]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
