"""Sources of raw observations: files and databases, columns and times recognised, every row kept."""

from sparkhu.sources.columns import Role, Roles
from sparkhu.sources.looking import SourceLook, inspect_source, look_over
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.reading import RAW_SCHEMA, RawSource, read_source
from sparkhu.sources.secrets import redacted, sealed, with_environment
from sparkhu.sources.tables import SourceFile

__all__ = [
    "RAW_SCHEMA",
    "RawSource",
    "Role",
    "Roles",
    "SourceFile",
    "SourceLook",
    "SourceOptions",
    "inspect_source",
    "look_over",
    "read_source",
    "redacted",
    "sealed",
    "with_environment",
]
