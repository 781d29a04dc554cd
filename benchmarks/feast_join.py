"""Point-in-time look-ups beside Feast's own join, over the same rows and moments, in one run.

    python benchmarks/feast_join.py [--series 500] [--points 2000] [--look-ups 20000]

Every hourly value is known at its own time, so that both can express the question: the newest value known at a moment.
Feast answers it with its DuckDB store from a Parquet file; the library reads the same file and looks up one point, and
then, which Feast has no words for, the last 336. Each is asked once to warm up, and then three times, of which the
fastest counts. The answers of both are compared.
"""

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from benchmarks.figures import Figure, json_option, report
from sparkhu.frame import TIME
from sparkhu.sequences import look_up

HOUR, FIRST = 3_600_000_000, 1_600_000_000_000_000
LENGTH = 336
REPEATS = 3
Answer = TypeVar("Answer")


def made_rows(series: int, points: int) -> pl.DataFrame:
    """Make the rows of all series, each value known at once."""
    random = np.random.default_rng(0)
    ids = pl.Series([f"meter-{number:05d}" for number in range(series)])
    ds = pl.Series(FIRST + HOUR * np.tile(np.arange(points), series)).cast(TIME)
    rows = {"unique_id": ids.gather(np.repeat(np.arange(series), points)), "ds": ds, "y": random.normal(size=len(ds))}
    return pl.DataFrame(rows).with_columns(available_at="ds")


def made_moments(series: int, points: int, count: int) -> pl.DataFrame:
    """Draw series and moments."""
    random = np.random.default_rng(1)
    at = pl.Series(FIRST + random.integers(0, points * HOUR, count)).cast(TIME)
    names = [f"meter-{number:05d}" for number in random.integers(0, series, count)]
    return pl.DataFrame({"unique_id": names, "at": at})


def warm(ask: Callable[[], Answer]) -> tuple[float, Answer]:
    """Ask once to warm up, then `REPEATS` times; give the shortest seconds, and the answer."""
    answer, seconds = ask(), []
    for _ in range(REPEATS):
        began = time.perf_counter()
        answer = ask()
        seconds.append(time.perf_counter() - began)
    return min(seconds), answer


def feast_seconds(file: Path, folder: Path, moments: pl.DataFrame) -> tuple[float, pl.Series]:
    """Ask Feast, and give what it took and answered, in the order of the moments."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.types import Float64, String

    config = {"registry": str(folder / "registry.db"), "project": "peer", "provider": "local"}
    store = FeatureStore(
        config=RepoConfig(
            **config, offline_store={"type": "duckdb"}, online_store=None, entity_key_serialization_version=3
        )
    )
    series = Entity(name="series", join_keys=["unique_id"], value_type=ValueType.STRING)
    fields = [Field(name="unique_id", dtype=String), Field(name="y", dtype=Float64)]
    source = FileSource(path=str(file), timestamp_field="available_at")
    store.apply([series, FeatureView(name="rows", entities=[series], schema=fields, source=source)])
    asked = moments.with_row_index("row").rename({"at": "event_timestamp"}).to_pandas()
    seconds, found = warm(lambda: store.get_historical_features(entity_df=asked, features=["rows:y"]).to_df())
    return seconds, pl.Series(found.sort_values("row")["y"].to_numpy())


def our_seconds(file: Path, moments: pl.DataFrame, length: int) -> tuple[float, pl.Series]:
    """Look the last points up, and give what it took and the newest of each."""
    seconds, found = warm(lambda: look_up(pl.read_parquet(file), moments, length=length))
    return seconds, pl.Series(found.values["y"][:, -1])


def main() -> None:
    """Measure all three and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", type=int, default=500)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--look-ups", type=int, default=20_000)
    json_option(parser)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    moments = made_moments(given.series, given.points, given.look_ups)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "rows.parquet"
        made_rows(given.series, given.points).write_parquet(file)
        theirs, answer = feast_seconds(file, Path(scratch), moments)
        ours, newest = our_seconds(file, moments, 1)
        sequences, _ = our_seconds(file, moments, LENGTH)
    if not answer.equals(newest):
        raise SystemExit("Feast and the library answer differently")
    asked = f"{given.look_ups:,} moments, {given.series * given.points:,} rows"
    beside = f"as fast as Feast's join in DuckDB ({theirs:.1f} s); {asked}"
    speed = given.look_ups * LENGTH / sequences / 1e6
    figures = [
        Figure("Newest value known at a moment", theirs / ours, "×", beside, better="more"),
        Figure(f"Last {LENGTH} values known at a moment", speed, "M rows/s", f"Feast has none; {asked}", 1.0, "more"),
    ]
    report(figures, given.json)


if __name__ == "__main__":
    main()
