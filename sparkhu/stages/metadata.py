"""Bring the catalogue to what a source of metadata says, and give the run its series' metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkhu.catalogue import no_metadata, read_metadata
from sparkhu.errors import InputError
from sparkhu.execution import metadata, recorded
from sparkhu.sections import Catalogue
from sparkhu.shards import write_manifest, write_shard
from sparkhu.sources.secrets import redacted

SHARD = "00000"


def sync_series(uri: str, settings: Mapping[str, Any], *, out: Path | str) -> dict[str, Any]:
    """Read the metadata of series, check them, bring the catalogue to them, and write them as a dataset of one shard.

    Nothing is written anywhere before all of the metadata are checked.

    Args:
        uri: Where the metadata are; empty: there are none, the dataset is empty and no catalogue is opened.
        settings: Those of `sparkhu.sections.Catalogue`.
        out: Folder of the new dataset, one row a series, with the columns of `METADATA`.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: A setting, the source or what it holds cannot be used.
        SparkhuError: The catalogue's database cannot be used.
    """
    options = Catalogue.of(settings)
    if not uri and (options.table or options.query):
        raise InputError("catalogue.table and catalogue.query say what to read of metadata. Give metadata as well.")
    params = {"uri": redacted(uri), **options.plain()}
    with recorded("sync_metadata", inputs=[], outputs=[out], params=params) as (notes, (draft,)):
        table = no_metadata()
        if uri:
            from sparkhu.catalogue.syncing import sync

            found = read_metadata(uri, options)
            table = found.frame
            counts = sync(table, found.name)
            for message in (*found.notes, *found.doubts):
                notes.say(message)
            notes.say(f"metadata of {table.height:,} series in the catalogue as '{found.name}'")
            notes.sources, notes.counts = found.files, {**counts._asdict(), "misspelt": len(found.doubts)}
        write_manifest(draft, "series", [write_shard(draft, SHARD, table)])
        notes.rows_in = notes.rows_out = notes.series_in = table.height
    return metadata(out)
