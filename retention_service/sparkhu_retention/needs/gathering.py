"""All that still needs data, gathered before a plan is made."""

from collections.abc import Iterable
from typing import Final

from sparkhu.errors import SparkhuError
from sparkhu.lake import is_lake
from sparkhu_retention.needs.lakes import lake_needs
from sparkhu_retention.needs.models import model_needs
from sparkhu_retention.needs.need import Need

LAKE: Final = "lake"
PLAIN: Final = ("folder", "s3")


def gathered_needs(storages: Iterable[tuple[str, str]]) -> list[Need]:
    """List what models in use, and runs over the lakes, still need of some storages.

    Args:
        storages: URI and kind of each storage that is retained. Of folders and buckets it is found out whether they are
            lakes, which may be retained as plain files as well.

    Returns:
        The needs. What cannot be asked is a need itself: for all of its storage, or for all storages.
    """
    needs = model_needs()
    for uri, kind in dict.fromkeys(storages):
        if kind == LAKE or (kind in PLAIN and _may_be_lake(uri)):
            needs += lake_needs(uri)
    return needs


def _may_be_lake(uri: str) -> bool:
    """Tell a place that is no lake for certain from one that is, or that cannot be asked."""
    try:
        return is_lake(uri)
    except SparkhuError:
        return True
