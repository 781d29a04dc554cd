"""What is to be known of a plan beside its numbers: an archive that cannot be used, and what no period reaches."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sparkhu.errors import SparkhuError
from sparkhu.sources.secrets import redacted
from sparkhu_retention.places import Place
from sparkhu_retention.planning.action import ARCHIVE
from sparkhu_retention.planning.expiry import UNDATED

DATED_BY_PATH: Final = ("folder", "s3")
"""Kinds of storages whose option `dates` says where a path has its date."""


def notes(summary: Mapping[str, Sequence[Mapping[str, Any]]], place: Place, kind: str, file: Path | None) -> list[str]:
    """Say what is to be known of a plan of a storage.

    Args:
        summary: Its `totals` and what it has `kept`.
        place: The storage.
        kind: Its kind.
        file: Where the storage is described; null: nowhere.
    """
    archived = sum(total["items"] for total in summary["totals"] if total["action"] == ARCHIVE)
    alone = sum(total["items"] for total in summary["kept"] if total["policy"] is None)
    undated = sum(total["items"] for total in summary["kept"] if total["reason"] == UNDATED)
    found = [_archive(place, archived, file)] if archived else []
    if undated:
        has = "has" if undated == 1 else "have"
        why = "date that `dates` finds" if kind in DATED_BY_PATH else "interval that it covers"
        found.append(f"{_items(undated)} {has} no {why}, so that no period ends")
    if alone:
        found.append(f"no policy is about {_items(alone)}")
    return [note for note in found if note]


def _archive(place: Place, items: int, file: Path | None) -> str:
    """Say why items cannot be archived; empty where they can, so far as that shows without writing."""
    from sparkhu_retention.applying.archive import Archive

    field = f"field 'archive' of the storage '{place.name}'" + (f" in '{file}'" if file else "")
    if place.archive is None:
        return (
            f"{field} is not set, and {_items(items)} should be archived. Give a folder or s3://bucket/prefix there, "
            "or write `without_archive: true` and delete_after into the policy."
        )
    try:
        Archive(place.archive).check()
    except SparkhuError as error:
        return f"{field}, '{redacted(place.archive)}', cannot be used, and {_items(items)} should go there: {error}"
    return ""


def _items(count: int) -> str:
    return f"{count:,} item{'' if count == 1 else 's'}"
