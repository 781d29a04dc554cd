"""Sort the rows of a source by series and time where they do not fit into memory: cut by shard, then sort each."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import polars as pl

from sparkhu import events
from sparkhu.engines import LostItem, chosen_engine
from sparkhu.engines.base import Engine
from sparkhu.engines.local import LocalEngine
from sparkhu.errors import SparkhuError
from sparkhu.frame import SCHEMA
from sparkhu.shards import Shard, write_shard
from sparkhu.sources.drafts import Tally, settle
from sparkhu.sources.parts import new_file
from sparkhu.sources.reading import Reading, Stretch
from sparkhu.sources.slices import KeptSlices, Slices, write_slices
from sparkhu.steps.ingestion import by_shard

Item = TypeVar("Item")
Result = TypeVar("Result")
STEP = "ingest"


class Sorting:
    """The rows of a source on their way into shards.

    Args:
        reading: The source.
        borders: The series with which each shard but the first begins.
        folder: Where the rows of each part lie, cut by shard, until the shards are put together.
        engine: What parts and shards are mapped on, where they are many; null: the one that is chosen.

    Attributes:
        tallies: What was seen in the rows, a tally a table; complete once they are written.
        doubled: How many rows of a repeated hour were told apart, by table and series.
    """

    def __init__(self, reading: Reading, borders: pl.Series, folder: Path, engine: Engine | None = None) -> None:
        self._reading, self._borders = reading, borders
        self._folder = folder if reading.large else None
        self._engine: Engine = (engine or chosen_engine()) if reading.large else LocalEngine(1)
        self.tallies = [Tally() for _ in reading.roles]
        self.doubled: Counter[tuple[int, str | None]] = Counter()

    def write(self, rows: Path, versions: Path) -> list[Shard]:
        """Write the shards.

        Args:
            rows: Folder of the observations.
            versions: Folder of an empty table beside each shard.

        Raises:
            InputError: There is no instant or no number in all of them.
            SparkhuError: There is no room, or a process was lost.
        """
        cut: list[Slices] = []
        spread = partial(_spread, self._borders, self._reading.part_rows, self._folder)
        for stretch, (slices, tally) in zip(
            self._reading.stretches, mapped(self._engine, spread, self._reading.stretches, "part"), strict=True
        ):
            cut += slices
            stretch.part.discard()
            self.tallies[stretch.plan.group] = self.tallies[stretch.plan.group].merged(tally)
        self._reading.check_something(self.tallies)
        shards = [_Shard(f"{number:05d}", _only(cut, number)) for number in range(len(self._borders) + 1)]
        return self._together(shards, rows, versions)

    def _together(self, items: Sequence["_Shard"], rows: Path, versions: Path) -> list[Shard]:
        shards, instants = [], 0
        sort = partial(_sort, self._reading.extras, rows, versions)
        for shard, found, doubled in mapped(self._engine, sort, items, "shard"):
            shards.append(shard)
            instants += found
            self.doubled.update(doubled)
        if not instants:
            # All times lie in an hour that a clock change repeats, and none of them could be told apart.
            self.tallies = [tally._replace(times=False) for tally in self.tallies]
        return shards


def mapped(
    engine: Engine,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    kind: str,
    *,
    step: str = STEP,
    whole: str = "the source",
) -> Iterator[Result]:
    """Map over the parts or the shards (`kind`) of what is read (`whole`), and tell how far it has come.

    Raises:
        SparkhuError: A process was lost; the message says with which of them, where the engine can tell.
    """
    try:
        for done, result in enumerate(engine.map(function, items), start=1):
            events.emit(f"{kind}_done", step=step, done=done, of=len(items))
            yield result
    except LostItem as error:
        place = "" if error.number is None else f"{kind} {error.number + 1} of {len(items)} of {whole}: "
        raise SparkhuError(f"{place}{error.message} {error.way_out}") from error


class _Shard(NamedTuple):
    """A shard to be put together: its name, and where its rows lie, slice 0 of each."""

    name: str
    slices: Sequence[Slices]


def _only(cut: Sequence[Slices], number: int) -> list[Slices]:
    return [each.only(number) for each in cut]


def _spread(borders: pl.Series, rows: int, folder: Path | None, stretch: Stretch) -> tuple[list[Slices], Tally]:
    """Read a part of the source and cut it by shard."""
    cut: list[Slices] = []
    tally = Tally()
    for draft, found in stretch.drafts(rows):
        slices = by_shard(draft, borders)
        cut.append(KeptSlices(slices) if folder is None else write_slices(new_file(folder), slices))
        tally = tally.merged(found)
    return cut, tally


def _sort(
    extras: Sequence[str], rows: Path, versions: Path, item: _Shard
) -> tuple[Shard, int, dict[tuple[int, str | None], int]]:
    """Put a shard together, settle what depends on whole series, sort it and write it."""
    settled = settle([slices.read(0) for slices in item.slices], extras)
    shard = write_shard(rows, item.name, settled.frame)
    write_shard(versions, item.name, pl.DataFrame(schema=SCHEMA))
    return shard, settled.frame["ds"].count(), settled.doubled
