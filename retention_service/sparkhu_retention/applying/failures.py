"""When applying fails: the source stays as it is, an alert is raised, and the exit code is not 0.

An alert is an event (`retention_failed`, `sparkhu.events`), a count that Prometheus scrapes
(`sparkhu_retention_failures_total`) and a row of the audit log.
"""

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from prometheus_client import Counter

from sparkhu.errors import InputError, SparkhuError
from sparkhu.events import emit
from sparkhu.lake.objects import SIGN_IN
from sparkhu_retention.applying.leases import LeaseLost
from sparkhu_retention.applying.verify import NotVerified
from sparkhu_retention.storages.protocol import Changed

Kind = Literal["disk full", "permission", "checksum", "changed", "lease lost", "network", "other"]
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
AWAY: Final = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "MaxRetryError"}
)
"""What the clients of S3 call an endpoint that cannot be reached."""
KINDS: Final[dict[Kind, Callable[[BaseException], bool]]] = {
    "checksum": lambda error: isinstance(error, NotVerified),
    "changed": lambda error: isinstance(error, Changed),
    "lease lost": lambda error: isinstance(error, LeaseLost),
    "disk full": lambda error: isinstance(error, OSError) and error.errno in FULL,
    "permission": lambda error: (isinstance(error, OSError) and error.errno in FORBIDDEN) or _code(error) in SIGN_IN,
    "network": lambda error: isinstance(error, ConnectionError | TimeoutError) or type(error).__name__ in AWAY,
}

EVERYWHERE: Final[frozenset[Kind]] = frozenset({"disk full", "network", "lease lost"})
"""Failures that no item is the reason of."""
MOST_REFUSED: Final = 10
"""So many items one after the other cannot be dealt with, and it is the storage that fails."""
FAILURES: Final = Counter(
    "sparkhu_retention_failures", "Runs of retention that failed, and items that they could not deal with.", ["kind"]
)
logger = logging.getLogger(__name__)


class ItemRefused(SparkhuError):  # noqa: N818 - says what is the matter
    """The storage could not deal with an item of the batch."""


@contextmanager
def of_items() -> Iterator[None]:
    """Tell what an item may be the reason of from what fails for all of them.

    Raises:
        ItemRefused: An item may be the reason.
    """
    try:
        yield
    except (Changed, InputError):
        raise
    except SparkhuError as error:
        if kind_of(error) in EVERYWHERE:
            raise
        raise ItemRefused(str(error)) from error


def alert(error: BaseException, *, storage: str, run: str | None) -> Kind:
    """Raise an alert; give the kind of the failure."""
    kind = kind_of(error)
    FAILURES.labels(kind=kind).inc()
    emit("retention_failed", storage=storage, run=run, failure=kind, said=str(error))
    logger.error("retention failed", extra={"storage": storage, "run": run, "failure": kind, "said": str(error)})
    return kind


def kind_of(error: BaseException) -> Kind:
    """Tell what kind of a failure it is, from the system's own words where there are any."""
    for each in _chain(error):
        for kind, is_one in KINDS.items():
            if is_one(each):
                return kind
    return "other"


def as_error(error: OSError) -> SparkhuError:
    """Say a failure of the system, of the scratch folder say, as one of ours."""
    place = f" '{error.filename}'" if error.filename else ""
    way_out = " Free some space and run it again." if error.errno in FULL else ""
    said = f"{error.strerror or type(error).__name__}:{place or ' (no file named)'}. Nothing was removed.{way_out}"
    wrapped = SparkhuError(said)
    wrapped.__cause__ = error
    return wrapped


def because(said: str, error: SparkhuError) -> SparkhuError:
    """Say in other words what an error is the reason of."""
    told = SparkhuError(said)
    told.__cause__ = error
    return told


def _code(error: BaseException) -> str:
    """Find the code that an S3 endpoint gave; empty where it gave none."""
    response = getattr(error, "response", None)
    found = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else getattr(error, "code", "")
    return found if isinstance(found, str) else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    met: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in met:
        yield each
        met.append(each)
        each = each.__cause__ or each.__context__
