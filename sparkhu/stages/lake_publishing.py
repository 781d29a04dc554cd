"""Publish the results of a run over a lake in one commit: clean rows, forecasts, profiles, snapshots of its interval.

Snapshots tell what was known at the end of the interval, so they stand at that instant: theirs is the interval
`(start, end]`. Where something that went into them became known only later, as when late rows are computed anew, none
are taken: those that were taken in time stay.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.execution import metadata, recorded
from sparkhu.frame import TIME
from sparkhu.lake import Lake, Replace, Version, open_lake
from sparkhu.lake.layout import time_column
from sparkhu.lineage import StepRecord, code_fingerprint, read_trail
from sparkhu.snapshots import known_since, take_targets
from sparkhu.sources import redacted
from sparkhu.stages.appending import CLEAN
from sparkhu.stages.lake_reading import PROFILES
from sparkhu.stages.snapshotting import snapshot_tables
from sparkhu.steps.validation import requested_interval

FORECASTS, TARGETS = "forecasts", "targets"
DOCUMENT = "published.json"
SCHEMA_VERSION = 1
INSTANT = timedelta(microseconds=1)
PLACES = frozenset({"lake", "start", "end", "source"})
"""Parameters that say which rows a run is about, not what is done to them."""


def publish_interval(
    *, results: Path | str, lake: str, out: Path | str, start: str = "", end: str = "", zone: str = "UTC"
) -> dict[str, Any]:
    """Put what a run made of an interval into the lake that it read, all of it in one commit.

    Rows of the look-back are not published: they are those of the intervals before. What another run made of the same
    interval from newer observations stays, and so does what was made of the same ones with the same parameters.

    Args:
        results: The results folder of the run.
        lake: Folder or `s3://bucket/prefix` of the lake that was read; empty: the run had a source, and nothing is
            published.
        out: Folder of a dataset that tells what was published, in `published.json`.
        start: ISO time of the first instant published; empty: of the first row.
        end: ISO time of the end; empty: behind the last row.
        zone: Zone of both where they name none.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: There is no lake, or a parameter cannot be used.
        SparkhuError: The lake's storage fails; the lake is as it was.
    """
    folder = Path(results)
    params = {"lake": redacted(lake), "start": start, "end": end, "zone": zone}
    with recorded("publish_interval", inputs=[folder], outputs=[out], params=params) as (notes, (draft,)):
        content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "lake": redacted(lake), "version": None}
        if lake:
            place, history = open_lake(lake), read_trail([folder]).history
            base, limits = place.version(), _limits(folder, *requested_interval(start, end, zone), known=not end)
            tables = {**_tables(folder, limits), TARGETS: _targets(folder, base, limits)}
            at_end, missing = _snapshots(folder, limits[1])
            read_version, fingerprint = _read_version(history), parameters_of(history)
            run = f"run-{uuid.uuid4().hex[:12]}"
            changes = {name: Replace(rows, *limits, read_version, fingerprint) for name, rows in tables.items()}
            until = (limits[0] + INSTANT, limits[1] + INSTANT)
            changes |= {name: Replace(rows, *until, read_version, fingerprint) for name, rows in at_end.items()}
            done = place.commit(changes, run=run, note=_note(limits), based_on=base)
            for message in (*done.notes, *missing):
                notes.say(message)
            notes.say(_said(place, done.number, {**tables, **at_end}))
            notes.rows_in = notes.rows_out = tables[CLEAN].height
            content |= {"version": done.number, "read_version": read_version, "run": run, "params": fingerprint}
            content |= {"start": limits[0].isoformat(), "end": limits[1].isoformat(), "code": code_fingerprint()}
        (draft / DOCUMENT).write_text(json.dumps(content, indent=1))
    return metadata(out)


def parameters_of(history: tuple[StepRecord, ...]) -> str:
    """Give the fingerprint of what a run does to rows: its parameters but those that say which rows, and the code."""
    told = {
        record.step: {name: value for name, value in record.params.items() if name not in PLACES} for record in history
    }
    text = json.dumps([code_fingerprint(), told], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read_version(history: tuple[StepRecord, ...]) -> int:
    return next(int(source["version"]) for record in history for source in record.sources if "version" in source)


def _limits(folder: Path, start: datetime | None, end: datetime | None, *, known: bool) -> tuple[datetime, datetime]:
    """Say which interval the results are of; without an end (`known`), up to when all of them were known."""
    clean = pl.scan_parquet(folder / "clean.parquet")
    first, last = clean.select(pl.col("ds").min().alias("first"), pl.col("ds").max().alias("last")).collect().row(0)
    if known:
        times = clean.select("available_at").collect()
        last = max(last, known_since(times, pl.read_parquet(folder / "scalers.parquet")))
    return start or first, end or last + INSTANT


def _tables(folder: Path, limits: tuple[datetime, datetime]) -> dict[str, pl.DataFrame]:
    """Read the rows of the interval out of the results."""
    profile = pl.read_parquet(folder / "profile.parquet")
    return {
        CLEAN: _within(pl.scan_parquet(folder / "clean.parquet"), CLEAN, limits),
        FORECASTS: _within(pl.scan_parquet(folder / "forecasts.parquet"), FORECASTS, limits),
        PROFILES: profile.with_columns(ds=pl.lit(limits[1] - INSTANT).cast(TIME)),
    }


def _snapshots(folder: Path, moment: datetime) -> tuple[dict[str, pl.DataFrame], tuple[str, ...]]:
    """Take the snapshots as of the end of the interval, or say why there are none."""
    clean, scalers = (pl.read_parquet(folder / f"{name}.parquet") for name in ("clean", "scalers"))
    known = known_since(clean, scalers)
    if known > moment:
        reason = f"some of its values became known only at {known.isoformat()}"
        return {}, (f"no snapshot as of {moment.isoformat()} is taken: {reason}",)
    return snapshot_tables(folder, moment=moment), ()


def _targets(folder: Path, base: Version, limits: tuple[datetime, datetime]) -> pl.DataFrame:
    """Take what was observed behind the cutoffs of earlier forecasts whose last step lies in the interval."""
    clean = pl.read_parquet(folder / "clean.parquet", columns=["unique_id", "ds", "y_raw", "available_at"])
    cutoffs = pl.DataFrame(schema={"unique_id": pl.String(), "cutoff": TIME, "horizon": pl.UInt32()})
    if FORECASTS in base.tables:
        first = clean.select(pl.col("ds").min()).item()
        made = base.table(FORECASTS).read(first, limits[1], columns=["unique_id", "cutoff", "ds"])
        cutoffs = made.group_by("unique_id", "cutoff", maintain_order=True).agg(horizon=pl.col("ds").n_unique())
    return take_targets(clean, cutoffs).filter(pl.col("ds").is_between(*limits, closed="left"))


def _within(rows: pl.LazyFrame, table: str, limits: tuple[datetime, datetime]) -> pl.DataFrame:
    return rows.filter(pl.col(time_column(table)).is_between(*limits, closed="left")).collect()


def _note(limits: tuple[datetime, datetime]) -> str:
    return f"{limits[0].isoformat()} to {limits[1].isoformat()}"


def _said(lake: Lake, version: int, tables: Mapping[str, pl.DataFrame]) -> str:
    counted = ", ".join(f"{rows.height:,} rows of {name}" for name, rows in tables.items())
    return f"version {version} of '{redacted(lake.uri)}': {counted}"
