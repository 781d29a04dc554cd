"""Publish the results of a run over a lake in one commit: clean rows, forecasts, profiles, snapshots of its interval.

Snapshots tell what was known at the end of the interval, so they stand at that instant: theirs is the interval
`(start, end]`. What became known only later, as when late rows are computed anew, is not in them. Targets are not of
one interval: `sparkhu.stages.lake_targets`.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.attempts import scratch_folder
from sparkhu.backfilling import CLEAN
from sparkhu.execution import metadata, recorded
from sparkhu.frame import TIME
from sparkhu.lake import Append, Change, Interval, Lake, Layout, Replace, Version, open_lake
from sparkhu.lake.layout import time_column
from sparkhu.lake.tables import OBSERVATIONS
from sparkhu.lineage import GROUPING, StepRecord, code_fingerprint, read_trail
from sparkhu.snapshots import known_since
from sparkhu.sources import redacted
from sparkhu.stages.lake_reading import PROFILES
from sparkhu.stages.lake_spooling import SpooledPieces
from sparkhu.stages.lake_targets import FORECAST_COLUMNS, FORECASTS, STEP, TARGETS, NewTargets
from sparkhu.stages.result_parts import ResultParts
from sparkhu.stages.snapshotting import snapshot_tables
from sparkhu.steps.validation import requested_interval

DOCUMENT = "published.json"
SCHEMA_VERSION = 1
INSTANT = timedelta(microseconds=1)
Limits = tuple[datetime, datetime]
Rows = pl.DataFrame | SpooledPieces
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
    with recorded(STEP, inputs=[folder], outputs=[out], params=params) as (notes, (draft,)):
        content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "lake": redacted(lake), "version": None}
        if lake:
            place, history = open_lake(lake), read_trail([folder]).history
            limits = _limits(folder, *requested_interval(start, end, zone), known=not end)
            publication = _Publication(place, history, limits)
            with scratch_folder(draft) as scratch:
                tables = _tables(folder, limits, place.layout, scratch)
                at_end = snapshot_tables(folder, moment=limits[1])
                done = publication.commit(tables, at_end, _targets(folder, limits, scratch))
            for message in (*done.notes, publication.said(done, {**tables, **at_end})):
                notes.say(message)
            notes.rows_in = notes.rows_out = tables[CLEAN].height
            content |= publication.told(done)
        (draft / DOCUMENT).write_text(json.dumps(content, indent=1))
    return metadata(out)


class _Publication:
    """What is known of a run that publishes an interval: what it read, and with which parameters and code."""

    def __init__(self, lake: Lake, history: tuple[StepRecord, ...], limits: Limits) -> None:
        self._lake = lake
        self._limits = limits
        self._sources = tuple(source for record in history for source in record.sources)
        read = next(source for source in self._sources if source.get("table") == OBSERVATIONS)
        self._read_version = lake.version().last_change(int(read["version"]))
        self._read_from = datetime.fromisoformat(read["start"]) if read["start"] else None
        self._params = parameters_of(history)
        self._run = f"run-{uuid.uuid4().hex[:12]}"

    def commit(self, tables: Mapping[str, Rows], at_end: Mapping[str, pl.DataFrame], targets: NewTargets) -> Version:
        """Commit the tables of the interval, those of its end, and the targets that it completes."""
        start, end = self._limits
        made = (self._read_version, self._params, self._read_from)
        changes: dict[str, Change] = {
            **{name: Replace(rows, start, end, *made) for name, rows in tables.items()},
            **{name: Replace(rows, start + INSTANT, end + INSTANT, *made) for name, rows in at_end.items()},
            TARGETS: Append(targets.rows),
        }
        return self._lake.commit(
            changes,
            run=self._run,
            note=f"{start.isoformat()} to {end.isoformat()}",
            sources=self._sources,
            code=code_fingerprint(),
            based_on=self._lake.version(),
        )

    def said(self, done: Version, tables: Mapping[str, Rows]) -> str:
        """Say which version holds the interval, and which run published it."""
        place = f"version {done.number} of '{redacted(self._lake.uri)}'"
        if done.run != self._run:
            return f"{place} holds the interval already, as '{self._standing(done).run}' published it"
        counted = ", ".join(f"{rows.height:,} rows of {name}" for name, rows in tables.items())
        return f"{place}, published by '{self._run}': {counted}"

    def told(self, done: Version) -> dict[str, Any]:
        """Give what `published.json` tells: of the run whose rows stand, and what these were made from."""
        start, end = (limit.isoformat() for limit in self._limits)
        stands = self._standing(done)
        code = code_fingerprint() if stands.params == self._params else self._code_of(stands.run)
        made = {"read_version": done.last_change(stands.read_version), "params": stands.params, "code": code}
        return {"version": done.number, "run": stands.run, "start": start, "end": end, **made}

    def _standing(self, done: Version) -> Interval:
        """Find what stands at the start of the interval: ours, unless nothing changed or newer rows stay."""
        there = done.manifest(CLEAN).intervals
        return next(each for each in there if each.start <= self._limits[0] < each.end)

    def _code_of(self, run: str) -> str:
        """Tell with which code another run published."""
        return next((version.commit.code for version in self._lake.history() if version.run == run), "")


def parameters_of(history: tuple[StepRecord, ...]) -> str:
    """Give the fingerprint of what a run does to rows: its parameters but those that say which rows, and the code."""
    told = {
        record.step: {name: value for name, value in record.params.items() if name not in PLACES}
        for record in history
        if record.step not in GROUPING
    }
    text = json.dumps([code_fingerprint(), told], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _limits(folder: Path, start: datetime | None, end: datetime | None, *, known: bool) -> Limits:
    """Say which interval the results are of; without an end (`known`), up to when all of them were known."""
    clean = ResultParts(folder / "clean.parquet")
    first, last = clean.range("ds")
    if known:
        _, latest = clean.range("available_at")
        times = pl.DataFrame({"available_at": [latest]}, schema={"available_at": TIME})
        last = max(last, known_since(times, pl.read_parquet(folder / "scalers.parquet")))
    return start or first, end or last + INSTANT


def _tables(folder: Path, limits: Limits, layout: Layout, scratch: Path) -> dict[str, Rows]:
    """Cut the rows of the interval out of the results; of profiles there is one a series."""
    profile = pl.read_parquet(folder / "profile.parquet")
    return {
        **{
            name: SpooledPieces(name, layout, scratch, _interval(folder, name, limits).read())
            for name in (CLEAN, FORECASTS)
        },
        PROFILES: profile.with_columns(ds=pl.lit(limits[1] - INSTANT).cast(TIME)),
    }


def _targets(folder: Path, limits: Limits, scratch: Path) -> NewTargets:
    forecasts = pl.concat(_interval(folder, FORECASTS, limits).read(FORECAST_COLUMNS))
    return NewTargets(_interval(folder, CLEAN, limits), forecasts, limits, scratch)


def _interval(folder: Path, table: str, limits: Limits) -> ResultParts:
    return ResultParts(folder / f"{table}.parquet", *limits, time=time_column(table))
