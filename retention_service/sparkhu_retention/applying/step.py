"""The states that an item goes through, each written down before the next step touches the storage."""

from enum import StrEnum
from typing import Final

CHANGED: Final = "changed"
HELD: Final = "held"
LET_GO: Final = "let go"
NOT_BACK: Final = "not restored"
NOT_EXPIRED: Final = "not expired"
NOT_PURGED: Final = "not purged"
SWEPT: Final = "swept"
"""What the audit log says of items beside their states."""


class State(StrEnum):
    """Where an item of an action stands.

    `purging` and `restoring` are intentions: a run that is killed in the middle of either leaves an item of which the
    storage cannot say whether its tombstone was purged or put back.
    """

    PLANNED = "planned"
    ARCHIVED = "archived"
    VERIFIED = "verified"
    BURIED = "buried"
    PURGING = "purging"
    PURGED = "purged"
    RESTORING = "restoring"
    RESTORED = "restored"
    FAILED = "failed"
