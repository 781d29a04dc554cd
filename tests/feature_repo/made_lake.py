"""Lakes of snapshots for the tests of the feature store."""

import random
from datetime import datetime

import polars as pl

from sparkhu.arrivals import newest
from sparkhu.frame import TIME
from sparkhu.lake import Append, Lake, Replace, create_lake
from sparkhu.snapshots import PARTS_SCHEMA, SNAPSHOT_SCHEMA, TARGETS_SCHEMA
from tests.sparkhu.made_shard import hours

OBSERVED = {"unique_id": pl.String(), "ds": TIME, "y": pl.Float64(), "available_at": TIME}


def snapshot_rows(states: list[tuple[str, datetime, datetime, float]]) -> pl.DataFrame:
    """Make snapshots out of `(series, moment, last instant, last value)`."""
    table = pl.DataFrame(
        states,
        schema={"unique_id": pl.String, "available_at": TIME, "last_ds": TIME, "last_value": pl.Float64},
        orient="row",
    ).with_columns(
        last_values=pl.concat_list("last_value", pl.lit(None, pl.Float64)),
        mean="last_value",
        n=pl.col("last_value").cast(pl.Int64),
        scaler_version=pl.format("v{}", "last_value"),
        decision=pl.lit("regular"),
    )
    return filled(table, SNAPSHOT_SCHEMA)


def parts_rows(snapshots: pl.DataFrame) -> pl.DataFrame:
    """Make the parts that belong to snapshots: `y` is the last value."""
    table = snapshots.select("unique_id", "available_at", ds="last_ds", y="last_value", is_outlier=pl.lit(value=False))
    return filled(table, PARTS_SCHEMA)


def filled(table: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Give a table the columns of a schema, null where it lacks them."""
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in table.columns]
    return table.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def made_lake(uri: str, *generations: pl.DataFrame) -> Lake:
    """Make a lake of snapshots and their parts, one commit a generation."""
    lake = create_lake(uri)
    for rows in generations:
        add(lake, rows)
    return lake


def add(lake: Lake, rows: pl.DataFrame) -> None:
    changes = {"snapshots": Append(rows), "parts": Append(parts_rows(rows))}
    lake.commit(changes, run="test", based_on=lake.version())


def generation(number: int, series: int = 3) -> pl.DataFrame:
    """Make the snapshots of one moment, hour `number`: the number is in every row."""
    return snapshot_rows([(f"s{k}", hours(number), hours(number), float(number)) for k in range(series)])


def replace_generation(lake: Lake, number: int, at: int = 1) -> None:
    """Publish a generation of one and the same moment, in the place of the one before."""
    rows = generation(number).with_columns(available_at=pl.lit(hours(at)).cast(TIME))
    limits = (hours(at), hours(at + 1))
    parts = parts_rows(rows).with_columns(ds=pl.lit(hours(at)).cast(TIME))
    params = f"g{number}"
    changes = {
        "snapshots": Replace(rows, *limits, lake.version().number, params),
        "parts": Replace(parts, *limits, lake.version().number, params),
    }
    lake.commit(changes, run=params, based_on=lake.version())


def observations(seed: int, series: int, points: int = 6) -> pl.DataFrame:
    """Make observations that arrive in a random order, some late, some revised once or twice."""
    chance = random.Random(seed)
    rows = []
    for number in range(series):
        for hour in range(chance.randint(1, points)):
            arrived = float(hour)
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                arrived += chance.choice((0, 0, 0.5, 1, 4, 9))
                rows.append((f"s{number}", hours(hour), float(chance.randint(0, 99)), hours(arrived)))
    chance.shuffle(rows)
    return pl.DataFrame(rows, schema=OBSERVED, orient="row").unique(
        ("unique_id", "ds", "available_at"), keep="last", maintain_order=True
    )


def last_known(rows: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Give the last instant and value of every series as of a moment: `unique_id, ds, y`."""
    known = newest(rows, known_at=moment)
    return known.unique("unique_id", keep="last", maintain_order=True).select("unique_id", "ds", "y")


def snapshots_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Take a snapshot of each series whenever a row of it arrives."""
    states = []
    for moment in rows["available_at"].unique():
        came = rows.filter(pl.col("available_at") == moment)["unique_id"].unique()
        known = last_known(rows.filter(pl.col("unique_id").is_in(came.implode())), moment)
        states += [(name, moment, ds, y) for name, ds, y in known.rows()]
    return snapshot_rows(states)


def targets_rows(truths: list[tuple[str, datetime, datetime, list[float]]]) -> pl.DataFrame:
    """Make targets out of `(series, cutoff, moment, truth)`."""
    names = ("unique_id", "cutoff", "available_at", "truth")
    table = pl.DataFrame(truths, schema={name: TARGETS_SCHEMA[name] for name in names}, orient="row")
    return filled(table.with_columns(ds="available_at"), TARGETS_SCHEMA)


def moments_of(*asked: tuple[str, float]) -> pl.DataFrame:
    """Make rows to look features up for out of `(series, hour)`."""
    rows = [(name, hours(hour)) for name, hour in asked]
    return pl.DataFrame(rows, schema={"unique_id": pl.String, "at": TIME}, orient="row")
