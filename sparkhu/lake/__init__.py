"""The lake: tables that outlive runs, in a folder or on S3, committed all at once."""

from sparkhu.lake.changes import Append, Change, Replace
from sparkhu.lake.lakes import Lake, create_lake, is_lake, open_lake
from sparkhu.lake.layout import Layout
from sparkhu.lake.records import DataFile, Interval
from sparkhu.lake.retiring import Bury, Forget, PutBack, Unbury
from sparkhu.lake.staleness import Outdated
from sparkhu.lake.tables import Table, Version

__all__ = [
    "Append",
    "Bury",
    "Change",
    "DataFile",
    "Forget",
    "Interval",
    "Lake",
    "Layout",
    "Outdated",
    "PutBack",
    "Replace",
    "Table",
    "Unbury",
    "Version",
    "create_lake",
    "is_lake",
    "open_lake",
]
