"""Map a function over the shards of datasets, on the engine that is chosen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import polars as pl

from sparkhu import events, ledger
from sparkhu.engines import LostItem, chosen_engine, make_ready
from sparkhu.errors import SparkhuError
from sparkhu.lineage import place_of, read_trail
from sparkhu.reading_ahead import read_ahead
from sparkhu.shards import Dataset, UnreadableShard, held_by, open_dataset, read_shard
from sparkhu.steps.result import Columns

Inputs = Mapping[str, Path | str | Sequence[Path | str]]
Result = TypeVar("Result")


def open_inputs(inputs: Inputs) -> dict[str, list[Dataset]]:
    """Open the datasets of each input: one folder, or rows followed by their layers; the engine makes itself ready."""
    several = {key: [paths] if isinstance(paths, str | Path) else list(paths) for key, paths in inputs.items()}
    opened = {key: [open_dataset(path) for path in paths] for key, paths in several.items()}
    make_ready(len(next(iter(opened.values()))[0].shards))
    return opened


def map_shards(
    function: Callable[["ShardFrames"], Result],
    sources: Mapping[str, Sequence[Dataset]],
    *,
    step: str,
    workers: int | None = None,
    columns: Columns | None = None,
) -> Iterator[Result]:
    """Yield `function(frames of the shard)` for every shard of the first input, in order.

    Series that failed in an earlier step are left out of all frames.

    Args:
        function: A module-level function or a partial of one.
        sources: Datasets per input, as `open_inputs` gives them.
        step: Name of the step, for progress.
        workers: Processes of the local engine; by default `SPARKHU_WORKERS`, else one a core.
        columns: What is read of the inputs that are named; by default, and of the others, everything.
    """
    names = [shard.name for shard in next(iter(sources.values()))[0].shards]
    trail = read_trail(dict.fromkeys(dataset.path for group in sources.values() for dataset in group))
    work = partial(_with_frames, function, sources, columns or {}, ledger.failed_ids(trail.entries))
    engine, place = chosen_engine(workers), place_of(trail.group)
    try:
        for done, result in enumerate(engine.map(work, names), start=1):
            events.emit("shard_done", step=step, done=done, of=len(names), **place)
            if engine.at_once and (soon := done + engine.at_once) < len(names):
                read_ahead(sources, names[soon], columns or {})
            yield result
    except LostItem as error:
        if error.number is None:
            raise
        name = names[error.number]
        raise SparkhuError(f"shard {name} ({_held(sources, name)}): {error.message} {error.way_out}") from error


def _held(sources: Mapping[str, Sequence[Dataset]], name: str) -> str:
    return held_by([dataset for group in sources.values() for dataset in group], name)


@dataclass(frozen=True)
class ShardFrames:
    """What a step gets of one shard: a frame per input, without the series that failed before.

    Attributes:
        name: The shard.
        frames: One frame per input.
        kept: Which rows of the first input's shard are in its frame.
    """

    name: str
    frames: dict[str, pl.DataFrame]
    kept: pl.Series


def _with_frames(
    function: Callable[[ShardFrames], Result],
    sources: Mapping[str, Sequence[Dataset]],
    columns: Columns,
    failed: pl.Series,
    name: str,
) -> Result:
    try:
        frames = {key: read_shard(group, name, columns.get(key)) for key, group in sources.items()}
    except UnreadableShard as error:
        raise UnreadableShard(f"{error} It holds {_held(sources, name)}.") from error
    keep = ~pl.col("unique_id").is_in(failed.implode()).fill_null(False)
    kept = next(iter(frames.values())).select(kept=keep).to_series()
    if len(failed):
        frames = {key: frame.filter(keep) for key, frame in frames.items()}
    return function(ShardFrames(name, frames, kept))
