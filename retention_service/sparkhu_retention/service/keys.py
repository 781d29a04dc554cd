"""API keys: shown once when they are made; of each the database holds a salted hash."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import insert, select, update

from sparkhu.errors import InputError
from sparkhu_retention.database import audit
from sparkhu_retention.database.opening import Database
from sparkhu_retention.database.tables import Key as Row
from sparkhu_retention.service.callers import KEY_PREFIX, Role
from sparkhu_retention.service.operations import NoSuch

SALT_BYTES, SECRET_BYTES = 16, 32
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._@-]{0,99}")


@dataclass(frozen=True)
class Key:
    """A key, without its secret.

    Attributes:
        name: Whose it is, or what for; the audit log names its holder so.
        role: What its holder may do.
        made_at: When it was made, UTC.
        revoked_at: When it was revoked; null: it counts.
    """

    name: str
    role: Role
    made_at: datetime
    revoked_at: datetime | None = None


class Keys:
    """The API keys of a database.

    A key is 256 random bits, so there is nothing to guess and a fast hash keeps it.

    Args:
        database: Where they are kept.
        now: Tells the time, UTC.
    """

    def __init__(self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.database, self.now = database, now

    def add(self, name: str, role: str, *, by: str) -> str:
        """Make a key.

        Args:
            name: Whose it is, or what for; no other key ever had it.
            role: `viewer` or `operator`.
            by: Who makes it, for the audit log.

        Returns:
            The text that its holder sends, which is kept nowhere.

        Raises:
            InputError: The name or role cannot be used.
        """
        if not NAME.fullmatch(name):
            raise InputError(
                f"name must be 1 to 100 letters, digits or . _ @ -, begun by one of the first, got {name!r}"
            )
        if role not in set(Role):
            raise InputError(f"role must be one of {', '.join(Role)}, got '{role}'")
        text, salt = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES), secrets.token_hex(SALT_BYTES)
        with self.database.writing() as connection:
            if connection.execute(select(Row.name).where(Row.name == name)).first():
                raise InputError(
                    f"name '{name}' was given to a key before. Choose another: the audit log tells them apart."
                )
            row = {"name": name, "role": role, "salt": salt, "digest": _digest(salt, text), "made_at": self.now()}
            connection.execute(insert(Row).values(**row))
            audit.append(connection, "key made", at=self.now(), who=by, key=name, role=role)
        return text

    def find(self, text: str) -> Key | None:
        """Find the key that a caller sends; null where it is unknown or revoked."""
        if not text.startswith(KEY_PREFIX) or not text.isascii():
            return None
        with self.database.reading() as connection:
            rows = connection.execute(select(Row.__table__).where(Row.revoked_at.is_(None))).all()
        found = [row for row in rows if hmac.compare_digest(row.digest, _digest(row.salt, text))]
        return Key(found[0].name, Role(found[0].role), found[0].made_at) if found else None

    def listed(self) -> list[Key]:
        """List all keys, revoked ones too, in the order in which they were made."""
        with self.database.reading() as connection:
            rows = connection.execute(select(Row.__table__).order_by(Row.made_at, Row.name)).all()
        return [Key(row.name, Role(row.role), row.made_at, row.revoked_at) for row in rows]

    def any_in_force(self) -> bool:
        """Tell whether there is a key that counts."""
        return any(key.revoked_at is None for key in self.listed())

    def revoke(self, name: str, *, by: str) -> None:
        """End a key at once; what was revoked already is no matter.

        Args:
            name: The key.
            by: Who revokes it, for the audit log.

        Raises:
            NoSuch: There is no such key.
        """
        with self.database.writing() as connection:
            if not connection.execute(select(Row.name).where(Row.name == name)).first():
                raise NoSuch(f"there is no key '{name}'; sparkhu retention key list shows them")
            mine = (Row.name == name) & Row.revoked_at.is_(None)
            if connection.execute(update(Row).where(mine).values(revoked_at=self.now())).rowcount:
                audit.append(connection, "key revoked", at=self.now(), who=by, key=name)


def _digest(salt: str, text: str) -> str:
    return hashlib.sha256(f"{salt}:{text}".encode()).hexdigest()
