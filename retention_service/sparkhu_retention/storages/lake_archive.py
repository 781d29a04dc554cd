"""The form in which files of a lake are archived: row groups as large as they may be, where the lake has smaller ones.

A lake keeps row groups small, so that readers pass over what they do not ask for. Nobody asks an archive for a few
days of a few series: larger row groups are fewer and compress better.
"""

import io
from typing import Final

import polars as pl

from sparkhu.lake.file_form import ROWS_PER_GROUP, encoded
from sparkhu.lake.records import DataFile, checksum

ARCHIVED_ROWS_PER_GROUP: Final = 1 << 20


def archived_form(data: bytes, file: DataFile) -> bytes:
    """Give what is archived of a file.

    Args:
        data: The file, to the byte.
        file: What its manifest says of it.

    Returns:
        The rows in larger row groups; the file itself where it has one group alone, or could not be made again from
        that to the byte, as with files that were written by an older release of Polars.
    """
    if file.rows <= ROWS_PER_GROUP:
        return data
    larger = encoded(pl.read_parquet(io.BytesIO(data)), ARCHIVED_ROWS_PER_GROUP)
    return larger if checksum(lake_form(larger, file)) == file.sha256 else data


def lake_form(data: bytes, file: DataFile) -> bytes:
    """Give a file of a lake from what was archived of it.

    Args:
        data: What `archived_form` gave.
        file: What the manifest said of it.

    Returns:
        The file; of another checksum than `file` says, with the same rows, where Polars writes otherwise by now.
    """
    return data if checksum(data) == file.sha256 else encoded(pl.read_parquet(io.BytesIO(data)))
