"""Run a step over a dataset: map it over the shards, write what it adds, record what happened.

`run_step` is all that a component, the command line and Spark's executors need; `recorded` does the same
book-keeping for steps that are no map over shards (ingest, training, publishing).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu import events, ledger
from sparkhu.attempts import new_folder
from sparkhu.errors import SparkhuError
from sparkhu.lineage import Group, StepRecord, Trail, code_fingerprint, last_steps, place_of, read_trail
from sparkhu.mapping import Inputs, ShardFrames, map_shards, open_inputs
from sparkhu.settings import Settings
from sparkhu.shards import Kind, Shard, aligned, write_manifest, write_shard
from sparkhu.steps.result import StepResult, columns_read

Outputs = Mapping[str, tuple[Path | str, Kind]]

MAX_FAILED_SHARE = 0.5


@dataclass
class StepNotes:
    """What a running step has to say; `recorded` turns it into the step's record.

    Attributes:
        group: The group of shards that the step runs over; None: all shards.
        trails: What an output was made from, by its folder, where that is less than all inputs.
    """

    step: str
    group: Group | None = None
    rows_in: int = 0
    rows_out: int = 0
    series_in: int = 0
    entries: pl.DataFrame = field(default_factory=ledger.empty)
    counts: dict[str, int] = field(default_factory=dict)
    sources: tuple[dict[str, Any], ...] = ()
    notes: list[str] = field(default_factory=list)
    trails: dict[Path, Trail] = field(default_factory=dict)

    def say(self, message: str) -> None:
        """Say aloud what was found from the data or chosen by default, once."""
        if message not in self.notes:
            self.notes.append(message)
            events.emit("note", step=self.step, message=message, **place_of(self.group))

    def record(
        self, started: datetime, seconds: float, inputs: Sequence[Path], params: Mapping[str, Any]
    ) -> StepRecord:
        """Make the record of the finished step."""
        status = self.entries["status"]
        return StepRecord(
            step=self.step,
            started=started.isoformat(),
            seconds=round(seconds, 4),
            rows_in=self.rows_in,
            rows_out=self.rows_out,
            series_in=self.series_in,
            series_skipped=int((status == "skipped").sum()),
            series_failed=int((status == "failed").sum()),
            inputs=last_steps(inputs),
            params=dict(params),
            counts=self.counts,
            sources=self.sources,
            notes=tuple(self.notes),
            code=code_fingerprint(),
        )


@contextmanager
def recorded(
    step: str,
    *,
    inputs: Sequence[Path | str],
    outputs: Sequence[Path | str],
    params: Mapping[str, Any] | None = None,
    group: Group | None = None,
) -> Iterator[tuple[StepNotes, tuple[Path, ...]]]:
    """Give notes to take and folders to write into; record the step and put the folders in place when it ends well.

    Args:
        step: Name of the step, unique within a run.
        inputs: Artifact folders that it reads; their histories and ledgers go on in its outputs.
        outputs: Folders that it writes.
        params: Its parameters, for the record. `max_failed_share`, given to the first step of a run, holds for all.
        group: The group of shards that it makes; by default that of its inputs.

    Raises:
        SparkhuError: Another library was wanted, or too many series have failed. Whatever the block raises goes on,
            and nothing is left in place.
    """
    notes, folders = StepNotes(step, group), [Path(folder) for folder in inputs]
    started, clock = datetime.now(UTC), time.perf_counter()
    try:
        check_code_version()
        trail = read_trail(folders)
        notes.group = group or trail.group
        events.emit("step_started", step=step, **place_of(notes.group))
        with new_folder(*(Path(path) for path in outputs)) as drafts:
            yield notes, drafts
            entries = ledger.with_step(notes.entries, step)
            record = notes.record(started, time.perf_counter() - clock, folders, params or {})
            _check_share_of_failed(trail.extended(record, entries))
            for draft in drafts:
                notes.trails.get(draft, trail).extended(record, entries).write(draft)
    except BaseException as error:
        told = {"error_type": type(error).__name__, "message": str(error), "exit_code": _exit_code(error)}
        events.emit("step_failed", step=step, **told, **place_of(notes.group))
        raise
    events.emit("step_finished", step=step, record=record.__dict__, **place_of(notes.group))


def check_code_version() -> None:
    """Refuse to run a step of a pipeline that another version of the library compiled.

    Steps of one run must agree on what lies between them, and a record names the code that made a result.

    Raises:
        SparkhuError: `SPARKHU_CODE_VERSION` names neither the version of this library nor its fingerprint.
    """
    settings, here = Settings(), code_fingerprint()
    if settings.code_version in (None, here, here.partition("+")[0]):
        return
    place = f"image '{settings.image}'" if settings.image else "this image"
    raise SparkhuError(
        f"the pipeline was compiled by Sparkhu {settings.code_version}, and {place} holds Sparkhu {here}. Build the "
        "images from the code that compiles (make images), or compile with the version that is in them."
    )


def _exit_code(error: BaseException) -> int:
    return error.exit_code if isinstance(error, SparkhuError) else 130 if isinstance(error, KeyboardInterrupt) else 1


def _check_share_of_failed(trail: Trail) -> None:
    """Stop the run when too many series have failed; those of one group count as a share of all series of the run."""
    first = next((record for record in trail.history if "max_failed_share" in record.params), None)
    share = first.params["max_failed_share"] if first else MAX_FAILED_SHARE
    ledger.check_share_of_failed(trail.entries, share, of=first.series_in if first and trail.group else None)


def metadata(path: Path | str) -> dict[str, Any]:
    """Summarise the step that wrote an artifact folder, for the artifact's metadata on the Kubeflow page."""
    record = read_trail([Path(path)]).history[-1]
    names = ("step", "seconds", "rows_in", "rows_out", "series_in", "series_skipped", "series_failed", "code")
    return {**{name: getattr(record, name) for name in names}, **record.counts}


def run_step(
    step: Callable[..., StepResult],
    *,
    name: str,
    inputs: Inputs,
    outputs: Outputs,
    params: Mapping[str, Any] | None = None,
    also: Sequence[Path | str] = (),
    workers: int | None = None,
) -> dict[str, Any]:
    """Map a shard step over datasets and write what it adds.

    Args:
        step: A module-level function that takes one frame per input and the parameters by keyword.
        name: Name of the step, unique within a run.
        inputs: Folders per frame: a dataset, or rows followed by their layers. The first is mapped over; the
            others are read shard by shard beside it.
        outputs: Folder and kind per frame of the step's result.
        params: The step's parameters.
        also: Further artifact folders that the step was made from, such as a model; their histories go on too.
        workers: Processes of the local engine; by default `SPARKHU_WORKERS`, else one a core.

    Returns:
        What happened, for the artifact's metadata: seconds, rows in and out, counts.

    Raises:
        InputError: A parameter or an input cannot be used.
        SparkhuError: Storage fails, or more series fail than the run's `max_failed_share` allows.
    """
    params, sources = dict(params or {}), open_inputs(inputs)
    folders = [*(dataset.path for group in sources.values() for dataset in group), *also]
    paths = [Path(path) for path, _ in outputs.values()]
    with recorded(name, inputs=folders, outputs=paths, params=params) as (notes, at):
        drafts = {key: (draft, kind) for (key, (_, kind)), draft in zip(outputs.items(), at, strict=True)}
        work = partial(_step_on_shard, step, params, drafts)
        shards: dict[str, list[Shard]] = {key: [] for key in outputs}
        entries = [ledger.empty()]
        for written, part, counts in map_shards(work, sources, workers=workers, step=name, columns=columns_read(step)):
            for key, shard in written.items():
                shards[key].append(shard)
            entries.append(part)
            for key, count in counts.items():
                notes.counts[key] = notes.counts.get(key, 0) + count
        for key, (draft, kind) in drafts.items():
            write_manifest(draft, kind, shards[key])
        first = next(iter(sources.values()))[0]
        notes.entries, notes.rows_in, notes.series_in = pl.concat(entries), first.rows, first.series
        notes.rows_out = sum(shard.rows for shard in shards[next(iter(outputs))])
    return metadata(paths[0])


def _step_on_shard(
    step: Callable[..., StepResult],
    params: Mapping[str, Any],
    drafts: Mapping[str, tuple[Path, Kind]],
    shard: ShardFrames,
) -> tuple[dict[str, Shard], pl.DataFrame, Mapping[str, int]]:
    result = step(**shard.frames, **params)
    failed = ledger.failed_ids(result.ledger)
    written = {}
    for key, (draft, kind) in drafts.items():
        frame = result.frames[key]
        if kind == "columns":
            frame = aligned(frame, shard.kept)
        elif kind == "rows" and len(failed):
            # Tables about series keep them: what was refused, or met, is why they failed.
            frame = frame.filter(~pl.col("unique_id").is_in(failed.implode()))
        written[key] = write_shard(draft, shard.name, frame)
    return written, result.ledger, result.counts
