"""Groups of shards: parts of a dataset that are prepared side by side, and what becomes of their results.

A group is a dataset that names some of the shards of the whole, so the steps behind see no difference: `take_group`
makes it, `pack_group` puts what they made into one folder, and `gather_groups` lays the shards of all groups beside
each other again, as if there had been none. Files are linked where the file system can, so nothing is copied on one
machine.

One folder a group crosses the border: a task that was given every dataset of every group would be started with a
command longer than Linux takes.
"""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.errors import InputError, SparkhuError
from sparkhu.execution import StepNotes, metadata, recorded
from sparkhu.lineage import GATHER_GROUPS, PACK_GROUP, TAKE_GROUP, Group, Trail, read_trail
from sparkhu.shards import Dataset, Shard, open_dataset, write_manifest
from sparkhu.sources.secrets import redacted
from sparkhu.stages.detecting import carry_on, changes_said, earlier_estimates
from sparkhu.stages.validating import compare_metadata
from sparkhu.steps.estimate_history import changes

ESTIMATES, SEQUENCES = "estimates", "sequences"
NO_SERIES = pl.Series("unique_id", [], dtype=pl.String)
NOT_LINKED = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


def take_group(*, raw: Path | str, out: Path | str, group: int, groups: int) -> dict[str, Any]:
    """Take one of the groups that the shards of a dataset are shared out to.

    Args:
        raw: The whole dataset.
        out: Folder of the group, to be written: a dataset of some of the shards, of none where these are fewer.
        group: Number of the group, from 1.
        groups: How many groups there are.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: There is no such group.
    """
    if not 1 <= group <= groups:
        raise InputError(f"group must be from 1 to {groups}, the number of groups, got {group}.")
    whole, place = open_dataset(raw), Group(group, groups)
    part = replace(whole, shards=shared_out(whole.shards, place))
    with recorded(TAKE_GROUP, inputs=[raw], outputs=[out], params=place._asdict(), group=place) as (notes, (draft,)):
        _link_shards(part, draft)
        write_manifest(draft, part.kind, part.shards)
        ids = part.scan().select(pl.col("unique_id").unique()).collect().to_series() if part.shards else NO_SERIES
        notes.trails[draft] = read_trail([whole.path]).of_series(ids)
        notes.rows_in = notes.rows_out = part.rows
        notes.series_in, notes.counts = part.series, {"shards": len(part.shards)}
    return metadata(out)


def shared_out(shards: Sequence[Shard], place: Group) -> tuple[Shard, ...]:
    """Give the shards of a group: consecutive ones, so that all groups in order give the whole in its order.

    Example:
        >>> [shard.name for shard in shared_out([Shard(name, 1, 1) for name in "abcde"], Group(2, 3))]
        ['b', 'c']
    """
    first, last = ((place.group - back) * len(shards) // place.groups for back in (1, 0))
    return tuple(shards[first:last])


def pack_group(datasets: Mapping[str, Path | str], *, out: Path | str) -> dict[str, Any]:
    """Put the datasets that a group's steps made into one folder.

    Args:
        datasets: Folders by name, `sequences` among them.
        out: Folder to be written: a folder a dataset, under its name.

    Returns:
        What happened, for the artifact's metadata.
    """
    with recorded(PACK_GROUP, inputs=list(datasets.values()), outputs=[out]) as (notes, (draft,)):
        for name, folder in datasets.items():
            shutil.copytree(folder, draft / name, copy_function=_link)
        _count(notes, open_dataset(datasets[SEQUENCES]))
    return metadata(out)


def gather_groups(
    packed: Sequence[Path | str],
    *,
    known: Path | str,
    outputs: Mapping[str, Path | str],
    past: str = "",
    lake: str = "",
) -> dict[str, Any]:
    """Lay the shards of all groups beside each other, and say what only all series together show.

    Args:
        packed: What `pack_group` wrote, once a group, in any order.
        known: The metadata of series.
        outputs: Folders of the whole datasets, to be written, by the names that the groups packed them under.
        past: As `sparkhu.stages.detecting.detect_periods` was given it.
        lake: As `detect_periods` was given it.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        SparkhuError: A group is missing, or too many series of all groups have failed.
    """
    packs, params = _in_order(packed), {"past": redacted(past), "lake": redacted(lake)}
    places = list(outputs.values())
    with recorded(GATHER_GROUPS, inputs=[*packs, known], outputs=places, params=params) as (notes, at):
        drafts, trail = dict(zip(outputs, at, strict=True)), read_trail(packs)
        counts = _compare(notes, trail, open_dataset(known))
        for name, draft in drafts.items():
            parts = [pack / name for pack in packs]
            whole = _lay_together(parts, draft)
            if name == ESTIMATES:
                shards = _conclude(notes, whole, earlier_estimates(past, lake))
                write_manifest(draft, whole.kind, shards)
            notes.trails[draft] = _trail_of(read_trail(parts), trail, counts)
        _count(notes, open_dataset(drafts[SEQUENCES]))
    return metadata(places[0])


def _in_order(packed: Sequence[Path | str]) -> list[Path]:
    """Put the folders of the groups into their order."""
    found = {read_trail([Path(folder)]).group: Path(folder) for folder in packed}
    groups = max((place.groups for place in found if place), default=len(packed))
    wanted = [Group(number, groups) for number in range(1, groups + 1)]
    if set(found) != set(wanted) or len(packed) != groups:
        missing = ", ".join(str(place.group) for place in wanted if place not in found)
        raise SparkhuError(f"of {groups} groups of shards {missing or 'some'} did not come. Run the pipeline again.")
    return [found[place] for place in wanted]


def _lay_together(parts: Sequence[Path], draft: Path) -> Dataset:
    """Write a dataset of all shards of the parts."""
    datasets = [open_dataset(part) for part in parts]
    for dataset in datasets:
        _link_shards(dataset, draft)
    shards = tuple(shard for dataset in datasets for shard in dataset.shards)
    write_manifest(draft, datasets[0].kind, shards)
    return Dataset(draft, datasets[0].kind, shards)


def _compare(notes: StepNotes, trail: Trail, known: Dataset) -> dict[str, int]:
    """Say which series have no metadata, and which metadata no series; the groups could not know."""
    seen = trail.entries.filter(pl.col("step") == "validate")["unique_id"]
    counts, messages = compare_metadata(seen, known.scan().select("unique_id").collect().to_series())
    for message in messages:
        notes.say(message)
    return counts


def _conclude(notes: StepNotes, estimates: Dataset, earlier: pl.DataFrame | None) -> Sequence[Shard]:
    """Say which periods changed, and carry on the estimates of series that no group has."""
    changed = [row for file in estimates.files() for row in changes(pl.read_parquet(file)).rows()]
    if changed:
        notes.say(changes_said(changed))
    return estimates.shards if earlier is None else carry_on(earlier, estimates.path, estimates.shards)


def _trail_of(made_of: Trail, whole: Trail, counts: Mapping[str, int]) -> Trail:
    """Give the history of one dataset: how it was made and packed, with the counts that only the whole run has."""
    packing = [record for record in whole.history if record.step == PACK_GROUP]
    history = [
        replace(record, counts={**record.counts, **counts}) if record.step == "validate" else record
        for record in (*made_of.history, *packing)
    ]
    return Trail(tuple(history), made_of.entries)


def _count(notes: StepNotes, rows: Dataset) -> None:
    notes.rows_in = notes.rows_out = rows.rows
    notes.series_in = rows.series


def _link_shards(dataset: Dataset, folder: Path) -> None:
    for file in dataset.files():
        _link(file, folder / file.name)


def _link(source: Path | str, target: Path | str) -> None:
    """Give a file, which nobody changes, a second place; it is copied where the file system cannot link."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NOT_LINKED:
            raise
        shutil.copyfile(source, target)
