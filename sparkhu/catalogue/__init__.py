"""The metadata catalogue: what is known of each series beside its values, and where that is kept."""

from sparkhu.catalogue.columns import LIMITS, METADATA, TEXTS, no_metadata
from sparkhu.catalogue.reading import MetadataSource, read_metadata

__all__ = ["LIMITS", "METADATA", "TEXTS", "MetadataSource", "no_metadata", "read_metadata"]
