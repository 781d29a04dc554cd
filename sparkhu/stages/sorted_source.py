"""A source as shards of whole series in scratch files, for what goes over it more than once."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from sparkhu.engines import LocalEngine
from sparkhu.settings import Settings
from sparkhu.sources import SourceOptions
from sparkhu.sources.parts import PartSize, Scratch
from sparkhu.sources.reading import Reading
from sparkhu.stages.sorting import Sorting
from sparkhu.steps.ingestion import ROWS_PER_SHARD, shard_borders

ROWS, VERSIONS = "rows", "versions"


def engine_here() -> LocalEngine:
    """Give the processes of this machine, whatever engine is chosen: no other reads its folder of temporary files."""
    return LocalEngine(Settings().workers)


class SortedSource:
    """A source, read and sorted outside memory, on this machine.

    Args:
        source: File, folder, glob or URI, or the SQLAlchemy URL of a database.
        options: What is known of it; the rest is found from it and said.
        folder: An empty folder for what is read; it takes about as much room as the source does unpacked.
        rows_per_shard: Rows of a shard, about; a series is never split.
        part_size: How much is held in memory at a time.

    Attributes:
        borders: The series with which each shard but the first begins.
        raw: What is known of it as a whole; its frame has the columns, and no rows.

    Raises:
        InputError: As `sparkhu.sources.read_source`.
        SparkhuError: There is no room.
    """

    def __init__(
        self,
        source: str,
        options: SourceOptions,
        folder: Path,
        *,
        rows_per_shard: int = ROWS_PER_SHARD,
        part_size: PartSize | None = None,
    ) -> None:
        reading = Reading(source, options, Scratch(folder, part_size))
        self.borders = shard_borders(reading.series(), rows_per_shard)
        places = [folder / name for name in (ROWS, VERSIONS)]
        for place in places:
            place.mkdir()
        sorting = Sorting(reading, self.borders, folder, engine_here())
        self._files = [places[0] / f"{shard.name}.parquet" for shard in sorting.write(*places)]
        empty = pl.read_parquet(self._files[0], n_rows=0)
        self.raw = reading.raw(empty, reading.told(sorting.tallies, sorting.doubled))

    def shards(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Give the rows of the raw frame, shard by shard."""
        for file in self._files:
            yield pl.read_parquet(file, columns=None if columns is None else list(columns))
