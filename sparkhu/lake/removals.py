"""Files that a table would still have, had retention not taken them out of it."""

from datetime import datetime

from sparkhu.lake.purging import purges
from sparkhu.lake.records import DataFile
from sparkhu.lake.tables import Version


def removed_files(version: Version, table: str, start: datetime, end: datetime) -> list[DataFile]:
    """List the files with rows of a span that retention has taken out of a table, and that have not come back.

    Records of purges are read only where the table says that files of these days were purged.

    Args:
        version: A version of the lake.
        table: The table.
        start: Start of the span.
        end: Its end, which does not belong to it.

    Raises:
        SparkhuError: The storage fails, or a record is damaged.
    """
    manifest = version.manifest(table)
    gone = {each.file.path: each.file for each in manifest.buried if not each.is_superseded}
    first, last = version.layout.days(start, end)
    if any(begin <= last and first <= until for begin, until in manifest.purged):
        there = {file.path for file in manifest.files}
        for purge in purges(version.storage):
            for path, one in purge.files.items():
                if one.table == table and not one.is_superseded and path not in there:
                    gone[path] = one.file
    return [file for file in gone.values() if file.overlaps(start, end)]
