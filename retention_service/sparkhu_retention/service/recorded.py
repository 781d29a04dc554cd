"""Lines of the audit log, the newest first."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select

from sparkhu_retention.database.tables import AuditRow
from sparkhu_retention.service.answers import HistoryEntry

PLANNED: Final = "planned"
LISTED: Final = ("ids", "items")
"""Where a line names several items and says nothing of each."""


def lines(
    connection: Connection, storage: str | None, item: str | None, policy: str | None, *, before: int, limit: int
) -> list[Mapping[str, Any]]:
    """Read lines of the log, the newest first.

    Args:
        connection: A transaction.
        storage: Root of the storage that lines are about; null: any.
        item: Item that lines are about; null: any.
        policy: Policy that lines are about; null: any.
        before: Number of the line that all of them lie before; 0: any.
        limit: Most lines.
    """
    found: list[Mapping[str, Any]] = []
    while len(found) < limit:
        some = _likely(connection, storage, item, policy, before=before, limit=limit)
        found += [row for row in some if _is_about(json.loads(row["detail"]), item, policy)]
        if len(some) < limit:
            break
        before = some[-1]["number"]
    return found[:limit]


def _likely(
    connection: Connection, storage: str | None, item: str | None, policy: str | None, *, before: int, limit: int
) -> list[Mapping[str, Any]]:
    """Read lines that hold the names somewhere, as the database can tell."""
    asked = select(AuditRow.__table__).order_by(AuditRow.number.desc()).limit(limit)
    if before:
        asked = asked.where(AuditRow.number < before)
    if storage is not None:
        asked = asked.where(AuditRow.storage == storage)
    for name in (item, policy):
        if name is not None:
            asked = asked.where(AuditRow.detail.contains(json.dumps(name), autoescape=True))
    return [dict(row) for row in connection.execute(asked).mappings()]


def _is_about(details: Mapping[str, Any], item: str | None, policy: str | None) -> bool:
    """Tell whether a line names an item as its object or as one that is held, and a policy as that of its objects."""
    objects = [details, *details.get("objects", ())]
    items = {each.get("id") for each in objects}.union(*(details.get(name) or () for name in LISTED))
    policies = {each.get("policy") for each in objects}.union(details.get("policies") or ())
    return (item is None or item in items) and (policy is None or policy in policies)


def newest(connection: Connection) -> int:
    """Give the number of the newest line; 0 where there is none."""
    number: int | None = connection.scalar(select(func.max(AuditRow.number)))
    return number or 0


def entry(row: Mapping[str, Any], name: Callable[[str | None], str | None]) -> HistoryEntry:
    """Answer with a line; `name` names the storage of a root."""
    details = {key: value for key, value in json.loads(row["detail"]).items() if value is not None}
    objects = details.get("objects", [])
    policies = {(each["policy"], each.get("version")) for each in (details, *objects) if each.get("policy")}
    policy, version = policies.pop() if len(policies) == 1 else (None, None)
    return HistoryEntry(
        seq=row["number"],
        at=row["at"],
        by=row["who"],
        what=row["what"],
        storage=name(row["storage"]),
        run=row["run"],
        items=_items(row["what"], details),
        details=details,
        item=details.get("id") or (objects[0]["id"] if len(objects) == 1 else None),
        policy=policy,
        policy_version=version,
    )


def _items(what: str, details: Mapping[str, Any]) -> int | None:
    """Count the items that a line is about."""
    if what == PLANNED:
        return int(details["rows"])
    listed = next((details[name] for name in ("objects", *LISTED) if name in details), None)
    return len(listed) if listed is not None else 1 if "id" in details else None
