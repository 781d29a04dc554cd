"""The audit log: who did what and when, to which objects. Rows are only ever added, in a chain of hashes.

The database itself refuses to change or remove a row. Who gets round that breaks the chain: each row's hash is taken
over what it says and over the hash of the row before it.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, text

from sparkhu_retention.database.tables import AuditRow

FIRST: Final = "0" * 64


def append(
    connection: Connection,
    what: str,
    *,
    at: datetime,
    who: str,
    run: str | None = None,
    storage: str | None = None,
    **detail: Any,
) -> int:
    """Add a row to the log, in the transaction of what it tells of.

    Args:
        connection: A transaction that writes.
        what: What was done, such as `buried`.
        at: When.
        who: A person, a key, or `schedule`.
        run: The run that did it.
        storage: Where.
        detail: What else is to be known, of what JSON can hold.

    Returns:
        The row's number, from 1.
    """
    if connection.dialect.name == "postgresql":  # one at a time; SQLite's writers are that anyway
        connection.execute(text("LOCK TABLE retention_audit IN SHARE ROW EXCLUSIVE MODE"))
    newest = select(AuditRow.number, AuditRow.hash).order_by(AuditRow.number.desc()).limit(1)
    last = connection.execute(newest).first()
    row: dict[str, Any] = {
        "number": last.number + 1 if last else 1,
        "at": at.astimezone(UTC),
        "who": who,
        "what": what,
        "run": run,
        "storage": storage,
        "detail": json.dumps(detail, sort_keys=True, default=str),
        "before": last.hash if last else FIRST,
    }
    connection.execute(insert(AuditRow).values(**row, hash=_hash(row)))
    return int(row["number"])


def broken_at(connection: Connection) -> int | None:
    """Walk the chain; give the number of the first row that is not what was written, null where all are.

    Rows that were cut off at the end leave no trace here: compare the last number and hash with a copy kept elsewhere.
    """
    before = FIRST
    asked = select(AuditRow.__table__).order_by(AuditRow.number).execution_options(yield_per=1000)
    with connection.execute(asked) as result:
        for number, row in enumerate(result.mappings(), 1):
            if row["number"] != number or row["before"] != before or row["hash"] != _hash(dict(row)):
                return number
            before = row["hash"]
    return None


def read(connection: Connection, *, after: int = 0, limit: int = 100, run: str | None = None) -> list[dict[str, Any]]:
    """Read rows of the log behind the number `after`, the oldest first; `detail` is a mapping."""
    asked = select(AuditRow.__table__).where(AuditRow.number > after).order_by(AuditRow.number).limit(limit)
    if run is not None:
        asked = asked.where(AuditRow.run == run)
    return [{**row, "detail": json.loads(row["detail"])} for row in connection.execute(asked).mappings()]


def _hash(row: Mapping[str, Any]) -> str:
    said = [row["number"], row["at"].isoformat(), *(row[name] for name in ("who", "what", "run", "storage", "detail"))]
    return hashlib.sha256(json.dumps([*said, row["before"]]).encode()).hexdigest()
