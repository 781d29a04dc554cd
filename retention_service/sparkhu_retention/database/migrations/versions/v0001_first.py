"""The first tables, and the triggers that keep the audit log append-only."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ACTIVE = "state IN ('planned', 'archived', 'verified', 'buried', 'purging', 'restoring')"
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT, MOMENT = sa.String(), sa.DateTime()

NO_REPLACE = """
CREATE TRIGGER retention_audit_no_replace BEFORE INSERT ON retention_audit
WHEN NEW.number <= (SELECT max(number) FROM retention_audit)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
"""
"""INSERT OR REPLACE removes the row that is there without a trigger of removals."""
SQLITE_TRIGGERS = [
    *(
        f"CREATE TRIGGER retention_audit_no_{what} BEFORE {what} ON retention_audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for what in ("update", "delete")
    ),
    NO_REPLACE,
]
REFUSE = """
CREATE FUNCTION retention_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$
"""
NO_CHANGE = """
CREATE TRIGGER retention_audit_no_change BEFORE UPDATE OR DELETE ON retention_audit
FOR EACH ROW EXECUTE FUNCTION retention_audit_refuse()
"""
NO_TRUNCATE = """
CREATE TRIGGER retention_audit_no_truncate BEFORE TRUNCATE ON retention_audit
FOR EACH STATEMENT EXECUTE FUNCTION retention_audit_refuse()
"""
POSTGRES_TRIGGERS = [REFUSE, NO_CHANGE, NO_TRUNCATE]


def upgrade() -> None:
    """Make the tables and the triggers."""
    _plans()
    _runs()
    _journal()
    _archive()
    _people()
    for statement in SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRES_TRIGGERS:
        op.execute(statement)


def _table(name: str, *parts: Any) -> None:
    op.create_table(name, *parts)


def _has(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def _may_have(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column])


def _plans() -> None:
    _table(
        "retention_policies",
        *[_has("name", TEXT), _has("version", NUMBER), _may_have("document", sa.JSON())],
        *[_has("made_at", MOMENT), _has("made_by", TEXT)],
        sa.PrimaryKeyConstraint("name", "version"),
    )
    _table(
        "retention_plans",
        *[_has("id", TEXT, primary_key=True), _has("storage", TEXT), _has("kind", TEXT), _has("made_at", MOMENT)],
        *[_has("made_by", TEXT), _has("rows", NUMBER), _has("policies", sa.JSON()), _has("summary", sa.JSON())],
    )
    _index("retention_plans", "storage")
    _table(
        "retention_plan_parts",
        *[_has("plan", TEXT), _has("first", NUMBER), _has("rows", NUMBER), _has("data", sa.LargeBinary())],
        sa.PrimaryKeyConstraint("plan", "first"),
    )


def _runs() -> None:
    _table(
        "retention_runs",
        *[
            _has("id", TEXT, primary_key=True),
            _may_have("plan", TEXT),
            _has("storage", TEXT),
            _may_have("archive", TEXT),
        ],
        *[_has("by", TEXT), _has("token", NUMBER), _has("started_at", MOMENT)],
        *[_may_have("ended_at", MOMENT), _has("state", TEXT), _may_have("said", TEXT), _has("counts", sa.JSON())],
    )
    _index("retention_runs", "plan")
    _index("retention_runs", "storage")
    _table(
        "retention_lease",
        *[_has("name", TEXT, primary_key=True), _has("token", NUMBER), _may_have("holder", TEXT)],
        _may_have("until", MOMENT),
    )
    # There from the start, so that all who take it wait for the lock of its row, the first ones as well.
    op.execute("INSERT INTO retention_lease (name, token) VALUES ('runner', 0)")


def _journal() -> None:
    _table(
        "retention_journal",
        *[_has("entry", NUMBER, primary_key=True, autoincrement=True), _has("run", TEXT), _has("batch", NUMBER)],
        *[_has("storage", TEXT), _has("id", TEXT), _has("dataset", TEXT), _may_have("line", TEXT)],
        *[_may_have("start", MOMENT), _may_have("end", MOMENT), _may_have("rows", NUMBER), _may_have("bytes", NUMBER)],
        *[_has("content", TEXT), _has("tags", sa.JSON()), _has("action", TEXT), _has("policy", TEXT)],
        *[_has("policy_version", NUMBER), _may_have("due", MOMENT), _has("state", TEXT), _has("entered_at", MOMENT)],
        *[_has("changed_at", MOMENT), _may_have("purge_at", MOMENT), _may_have("said", TEXT)],
    )
    _index("retention_journal", "run")
    op.create_index("retention_journal_item", "retention_journal", ["storage", "id", "entry"])
    op.create_index("retention_journal_state", "retention_journal", ["storage", "state"])
    op.create_index(
        "retention_journal_active",
        "retention_journal",
        ["storage", "id"],
        unique=True,
        sqlite_where=sa.text(ACTIVE),
        postgresql_where=sa.text(ACTIVE),
    )


def _archive() -> None:
    _table(
        "retention_attempts",
        *[_has("folder", TEXT, primary_key=True), _has("archive", TEXT), _has("run", TEXT), _has("batch", NUMBER)],
        *[_has("state", TEXT), _has("made_at", MOMENT)],
    )
    _index("retention_attempts", "state")
    _table(
        "retention_archived",
        *[
            _has("archive", TEXT),
            _has("path", TEXT),
            _has("folder", TEXT),
            _has("entry", NUMBER),
            _has("storage", TEXT),
        ],
        *[_has("id", TEXT), _may_have("rows", NUMBER), _has("bytes", NUMBER), _has("sha256", TEXT)],
        *[_has("archived_at", MOMENT), _may_have("buried_by", TEXT), _may_have("buried_at", MOMENT)],
        _may_have("gone_at", MOMENT),
        sa.PrimaryKeyConstraint("archive", "path"),
    )
    _index("retention_archived", "entry")
    _index("retention_archived", "folder")
    op.create_index("retention_archived_item", "retention_archived", ["storage", "id"])
    _table(
        "retention_downsampled",
        *[_has("storage", TEXT), _has("id", TEXT), _has("content", TEXT), _has("to", TEXT), _has("by", TEXT)],
        *[_has("archive", TEXT), _has("path", TEXT), _has("rows", NUMBER), _has("bytes", NUMBER)],
        *[_has("sha256", TEXT), _has("written_at", MOMENT)],
        sa.PrimaryKeyConstraint("storage", "id", "content", "to", "by"),
    )


def _people() -> None:
    _table(
        "retention_holds",
        *[_has("id", TEXT, primary_key=True), _has("reason", TEXT), _may_have("storage", TEXT)],
        *[
            _may_have("dataset", TEXT),
            _may_have("start", MOMENT),
            _may_have("end", MOMENT),
            _may_have("ids", sa.JSON()),
        ],
        *[_has("placed_at", MOMENT), _has("placed_by", TEXT), _may_have("lifted_at", MOMENT)],
        _may_have("lifted_by", TEXT),
    )
    _table(
        "retention_audit",
        *[_has("number", NUMBER, primary_key=True, autoincrement=False), _has("at", MOMENT), _has("who", TEXT)],
        *[_has("what", TEXT), _may_have("run", TEXT), _may_have("storage", TEXT), _has("detail", TEXT)],
        *[_has("before", TEXT), _has("hash", TEXT)],
    )
    _index("retention_audit", "run")
    _table(
        "retention_keys",
        *[_has("name", TEXT, primary_key=True), _has("role", TEXT), _has("salt", TEXT), _has("digest", TEXT)],
        *[_has("made_at", MOMENT), _may_have("revoked_at", MOMENT)],
        sa.UniqueConstraint("digest"),
    )
