"""Plans as they are made: of what lies in a storage now, or of what lies in its archive."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from sparkhu_retention.applying.expiring import archived_downsamples, archived_items
from sparkhu_retention.applying.returning import returning
from sparkhu_retention.applying.running import Work
from sparkhu_retention.database import holds, plans
from sparkhu_retention.database.earlier import earlier_copies
from sparkhu_retention.database.opening import Database
from sparkhu_retention.needs.need import Need
from sparkhu_retention.places import Place
from sparkhu_retention.planning.expiry import Tier
from sparkhu_retention.planning.planner import plan_parts
from sparkhu_retention.service import planned
from sparkhu_retention.service.enforcing import in_force
from sparkhu_retention.service.opening import opened_place


def make_plan(
    database: Database,
    place: Place,
    storages: Mapping[str, str],
    *,
    tier: Tier,
    needs: Sequence[Need],
    now: datetime,
    by: str,
    file: Path | None,
) -> plans.Planned:
    """Plan a storage or its archive, and keep the plan.

    Args:
        database: What the service remembers.
        place: The storage.
        storages: The URIs of all storages by name, as policies may name them.
        tier: Which of the two.
        needs: What still needs data, beside the holds of people.
        now: The time, UTC.
        by: Who asks.
        file: Where the storage is described; null: nowhere.

    Raises:
        InputError: Policies contradict each other.
        SparkhuError: The storage or the database fails.
    """
    with database.reading() as connection:
        versions = in_force(connection, storages)
        held = [hold.need() for hold in holds.standing(connection, place.uri)]
        earlier = earlier_copies(connection, place.uri, now=now) if tier == "live" else None
        lying = list(archived_items(connection, place.uri)) if tier == "archive" else []
        downsampled = archived_downsamples(connection, place.uri) if tier == "archive" else None
    storage = opened_place(place) if tier == "live" else None
    there = lying if storage is None else storage.items()
    met: list[pl.DataFrame] = []
    parts = plan_parts(
        *(place.uri, there, versions),
        now=now,
        needs=needs,
        holds=held,
        tier=tier,
        earlier=earlier,
        downsampled=downsampled,
        met=met,
    )

    def back() -> pl.DataFrame | None:
        if storage is None:
            return None
        return returning(Work(database, storage, None, lambda: needs, by, lambda: now, storages=storages), met)

    kind = planned.ARCHIVE_TIER if storage is None else storage.kind
    return planned.make(database, parts, storage=place, kind=kind, at=now, by=by, returning=back, file=file)
