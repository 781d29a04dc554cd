"""Files that retention takes out of a lake, for tests."""

from datetime import datetime

from sparkhu.lake import Bury, DataFile, Forget, Lake
from sparkhu.lake.purging import purge_files


def bury(lake: Lake, table: str, start: datetime, end: datetime, mark: str = "m") -> tuple[DataFile, ...]:
    """Take the files of a span out of a table, such that they can be put back."""
    version = lake.version()
    files = version.table(table).files(start, end)
    change = Bury(files, (), mark, version.storage.now())
    lake.commit({table: change}, run=mark, based_on=version)
    return files


def purge(lake: Lake, table: str, start: datetime, end: datetime, mark: str = "m") -> tuple[DataFile, ...]:
    """Remove the files of a span for good."""
    files = bury(lake, table, start, end, mark)
    version = lake.version()
    buried = [each for each in version.manifest(table).buried if each.mark == mark]
    purge_files(version.storage, {table: buried}, mark, "s3://cold")
    forget = Forget([file.path for file in files], mark)
    lake.commit({table: forget}, run=mark, based_on=version)
    return files
