"""The tables of the service's database.

| table | a row is |
| --- | --- |
| `retention_policies` | a version of a policy |
| `retention_plans`, `retention_plan_parts` | a plan; a part of its actions, as Parquet |
| `retention_runs` | a run that applies a plan; its name marks what it buries |
| `retention_journal` | an item that a run deals with, and how far it has come |
| `retention_attempts` | a folder of the archive that a run writes to |
| `retention_archived` | a file in the archive |
| `retention_downsampled` | an item whose rows of a longer period were written and verified |
| `retention_holds` | a hold that people have placed |
| `retention_audit` | something that was done; no row is ever changed, and each carries the hash of the last |
| `retention_lease` | who may run now |
| `retention_keys` | an API key, as its hash |
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from sparkhu.catalogue.tables import Moment

NUMBER = BigInteger().with_variant(Integer, "sqlite")
ACTIVE = ("planned", "archived", "verified", "buried", "purging", "restoring")
"""The states of an item that a run has begun with and not ended."""
_ACTIVE_ONLY: dict[str, Any] = dict.fromkeys(("sqlite_where", "postgresql_where"), text(f"state IN {ACTIVE}"))


class Base(DeclarativeBase):
    """What all tables share: how Python's types are stored."""

    type_annotation_map = {datetime: Moment, int: NUMBER, str: String, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012


class PolicyVersion(Base):
    """A version of a policy; `document` is null where the policy was removed."""

    __tablename__ = "retention_policies"
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    made_at: Mapped[datetime]
    made_by: Mapped[str]


class Plan(Base):
    """A plan; `policies` has the version of each policy that it names, `summary` counts for people."""

    __tablename__ = "retention_plans"
    id: Mapped[str] = mapped_column(primary_key=True)
    storage: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    rows: Mapped[int]
    policies: Mapped[dict[str, Any]]
    summary: Mapped[dict[str, Any]]


class PlanPart(Base):
    """Consecutive actions of a plan: Parquet of the schema `ACTIONS`."""

    __tablename__ = "retention_plan_parts"
    plan: Mapped[str] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True)
    rows: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Run(Base):
    """A run; `state` is `running`, `done`, `failed`, or `killed`, which the next run finds out."""

    __tablename__ = "retention_runs"
    id: Mapped[str] = mapped_column(primary_key=True)
    plan: Mapped[str | None] = mapped_column(index=True)
    storage: Mapped[str] = mapped_column(index=True)
    archive: Mapped[str | None]
    by: Mapped[str]
    token: Mapped[int]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    state: Mapped[str]
    said: Mapped[str | None]
    counts: Mapped[dict[str, Any]]


class Entry(Base):
    """An item of a run, see `sparkhu_retention.applying.step.State`."""

    __tablename__ = "retention_journal"
    entry: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run: Mapped[str] = mapped_column(index=True)
    batch: Mapped[int]
    storage: Mapped[str]
    id: Mapped[str]
    dataset: Mapped[str]
    line: Mapped[str | None]
    start: Mapped[datetime | None]
    end: Mapped[datetime | None]
    rows: Mapped[int | None]
    bytes: Mapped[int | None]
    content: Mapped[str]
    tags: Mapped[list[str]]
    action: Mapped[str]
    policy: Mapped[str]
    policy_version: Mapped[int]
    due: Mapped[datetime | None]
    state: Mapped[str]
    entered_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    purge_at: Mapped[datetime | None]
    said: Mapped[str | None]
    __table_args__ = (
        Index("retention_journal_item", "storage", "id", "entry"),
        Index("retention_journal_state", "storage", "state"),
        # An item is in the hands of one run at most.
        Index(
            "retention_journal_active",
            "storage",
            "id",
            unique=True,
            **_ACTIVE_ONLY,
        ),
    )


class Attempt(Base):
    """A folder of an archive that a run writes a batch to; `state` is `open`, `kept` or `abandoned`."""

    __tablename__ = "retention_attempts"
    folder: Mapped[str] = mapped_column(primary_key=True)
    archive: Mapped[str]
    run: Mapped[str]
    batch: Mapped[int]
    state: Mapped[str] = mapped_column(index=True)
    made_at: Mapped[datetime]


class ArchivedFile(Base):
    """A file in an archive, of an item whose entry in the journal is `entry`; `id` is the item's."""

    __tablename__ = "retention_archived"
    archive: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    folder: Mapped[str] = mapped_column(index=True)
    entry: Mapped[int] = mapped_column(index=True)
    storage: Mapped[str]
    id: Mapped[str]
    rows: Mapped[int | None]
    bytes: Mapped[int]
    sha256: Mapped[str]
    archived_at: Mapped[datetime]
    buried_by: Mapped[str | None]
    buried_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]
    __table_args__ = (Index("retention_archived_item", "storage", "id"),)


class DownsampledItem(Base):
    """A content of an item whose rows of a longer period were written and verified, to `path` in the archive.

    `rows`, `bytes` and `sha256` are those of the file, which others of the same dataset may have rows in as well.
    """

    __tablename__ = "retention_downsampled"
    storage: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[str] = mapped_column(primary_key=True)
    to: Mapped[str] = mapped_column(primary_key=True)
    by: Mapped[str] = mapped_column(primary_key=True)
    archive: Mapped[str]
    path: Mapped[str]
    rows: Mapped[int]
    bytes: Mapped[int]
    sha256: Mapped[str]
    written_at: Mapped[datetime]


class Hold(Base):
    """A hold; a null `storage` or `dataset` means all of them, `ids` that it is of these items alone."""

    __tablename__ = "retention_holds"
    id: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    storage: Mapped[str | None]
    dataset: Mapped[str | None]
    start: Mapped[datetime | None]
    end: Mapped[datetime | None]
    ids: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    placed_at: Mapped[datetime]
    placed_by: Mapped[str]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]


class AuditRow(Base):
    """Something that was done; `hash` is of this row and of the hash before it."""

    __tablename__ = "retention_audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[str]
    run: Mapped[str | None] = mapped_column(index=True)
    storage: Mapped[str | None]
    detail: Mapped[str]
    before: Mapped[str]
    hash: Mapped[str]


class Lease(Base):
    """Who may run; `token` rises with every holder, so that one who was too slow is found out."""

    __tablename__ = "retention_lease"
    name: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[int]
    holder: Mapped[str | None]
    until: Mapped[datetime | None]


class Key(Base):
    """An API key: the hash of its secret, and what it may do."""

    __tablename__ = "retention_keys"
    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    salt: Mapped[str]
    digest: Mapped[str]
    made_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("digest"),)
