"""What a bucket holds back: legal holds, and retention until a day. What cannot be read counts as a hold."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import ParseError

from sparkhu_retention.storages.s3_access import MISSING

UNLOCKED = {
    *("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchObjectLegalHold"),
    *MISSING,
}
"""What an endpoint answers where nothing is held back."""
UNKNOWN = {"NotImplemented", "MethodNotAllowed"}
"""What one answers that knows no locks at all."""
UNCLEAR = {"InvalidRequest", *UNKNOWN}
UNTOLD = "the bucket does not say whether it holds it back"


def has_locks(client: Any, bucket: str) -> bool:
    """Tell whether a bucket that keeps versions may hold objects back; true where its answer cannot be read."""
    from minio.error import S3Error

    try:
        client.get_object_lock_config(bucket)
    except S3Error as error:
        if error.code in UNLOCKED | UNKNOWN:
            return False
        if error.code not in UNCLEAR:
            raise
    except (ParseError, ValueError):
        pass
    return True


def holds_of(client: Any, bucket: str, key: str, now: datetime, version: str = "") -> list[str]:
    """Give what forbids to remove an object, or one version of it, now."""
    which = {"version_id": version or None}

    def legal() -> str:
        is_held = client.is_object_legal_hold_enabled(bucket, key, **which)
        return "legal hold of the bucket" if is_held else ""

    def retained() -> str:
        retention = client.get_object_retention(bucket, key, **which)
        until = retention and retention.retain_until_date
        if not until or until.replace(tzinfo=until.tzinfo or UTC) <= now:
            return ""
        return f"retention of the bucket until {until:%Y-%m-%d} ({retention.mode})"

    return list(dict.fromkeys(found for ask in (legal, retained) if (found := _answer(ask))))


def _answer(ask: Callable[[], str]) -> str:
    from minio.error import S3Error

    try:
        return ask()
    except S3Error as error:
        if error.code in UNLOCKED:
            return ""
        if error.code not in UNCLEAR:
            raise
    except (ParseError, ValueError):
        pass
    return UNTOLD
