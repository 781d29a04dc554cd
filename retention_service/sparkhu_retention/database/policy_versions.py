"""The versions of policies: none is ever changed; a new document, or the removal, is a new version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, text

from sparkhu_retention.database import audit
from sparkhu_retention.database.tables import PolicyVersion


class Version(NamedTuple):
    """A version of a policy; `document` is null where the policy was removed."""

    name: str
    version: int
    document: dict[str, Any] | None
    made_at: datetime
    made_by: str


def lock(connection: Connection) -> None:
    """Let nobody else save until the transaction ends, so that what it reads of the policies stays true."""
    if connection.dialect.name == "postgresql":  # SQLite's writers are one at a time anyway
        connection.execute(text("LOCK TABLE retention_policies IN SHARE ROW EXCLUSIVE MODE"))


def save(connection: Connection, name: str, document: Mapping[str, Any] | None, *, at: datetime, by: str) -> int:
    """Keep a document as the newest version of a policy; the one that is the newest already is no new one.

    Args:
        connection: A transaction that writes.
        name: The policy.
        document: The policy as JSON holds it; null: it is removed.
        at: When.
        by: Who did it.

    Returns:
        The version's number, from 1; 0 where a policy is removed that there never was.
    """
    last = newest(connection, name)
    said = None if document is None else dict(document)
    if (last.document if last else None) == said:
        return last.version if last else 0
    version = last.version + 1 if last else 1
    values = {"name": name, "version": version, "document": said, "made_at": at, "made_by": by}
    connection.execute(insert(PolicyVersion).values(**values))
    what = "policy removed" if said is None else "policy saved"
    audit.append(connection, what, at=at, who=by, policy=name, version=version, document=said)
    return version


def newest(connection: Connection, name: str) -> Version | None:
    """Give the newest version of a policy; null where there never was one."""
    return next(iter(history(connection, name)), None)


def history(connection: Connection, name: str) -> list[Version]:
    """Give all versions of a policy, the newest first."""
    asked = select(PolicyVersion.__table__).where(PolicyVersion.name == name).order_by(PolicyVersion.version.desc())
    return [Version(*row) for row in connection.execute(asked)]


def in_force(connection: Connection) -> list[Version]:
    """Give the newest version of every policy that was not removed, in order of name."""
    last = select(PolicyVersion.name, func.max(PolicyVersion.version).label("version")).group_by(PolicyVersion.name)
    those = last.subquery()
    found = select(PolicyVersion.__table__).join(
        those, (PolicyVersion.name == those.c.name) & (PolicyVersion.version == those.c.version)
    )
    rows = (Version(*row) for row in connection.execute(found.order_by(PolicyVersion.name)))
    return [row for row in rows if row.document is not None]
