"""Shards that are needed soon are brought into memory by the operating system, while others are computed.

Only files of this machine, and only the columns that a step reads. The pages lie in the system's cache: no process
grows by them, and where memory is short the system lets them go.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sparkhu.shards import Dataset
from sparkhu.steps.result import Columns


def read_ahead(sources: Mapping[str, Sequence[Dataset]], name: str, columns: Columns) -> None:
    """Ask the operating system to read a shard of each dataset; this does not wait until it has.

    Args:
        sources: Datasets per input, as `sparkhu.mapping.open_inputs` gives them.
        name: The shard.
        columns: What is read of the inputs that are named; of the others, everything.
    """
    for key, datasets in sources.items():
        for dataset in datasets:
            # A file that is missing or damaged is told of by the worker that needs it.
            with suppress(OSError, ValueError, NotImplementedError):
                _ask(dataset.file(name), columns.get(key))


def _ask(file: Path, columns: Sequence[str] | None) -> None:
    stretches = [(0, 0)] if columns is None else _stretches(file, columns)
    handle = os.open(file, os.O_RDONLY)
    try:
        for offset, length in stretches:
            os.posix_fadvise(handle, offset, length, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(handle)


def _stretches(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Give where the columns lie in a Parquet file: offset and length, in bytes, for each group of rows."""
    from pyarrow import parquet

    metadata = parquet.read_metadata(file)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            chunk = group.column(place)
            # A list lies at `name.list.element`; a name may have points itself.
            if any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in columns):
                first = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
                yield first, chunk.total_compressed_size
