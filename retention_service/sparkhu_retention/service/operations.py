"""What can be asked of retention: the command and the service over HTTP ask it in the same words."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from sparkhu.errors import InputError
from sparkhu_retention.applying.leases import Busy
from sparkhu_retention.service.answers import (
    HistoryEntry,
    HoldAnswer,
    HoldRequest,
    Page,
    PlanAnswer,
    PlannedItem,
    PolicyAnswer,
    RestoreRequest,
    RunAnswer,
    StorageAnswer,
    Tier,
)

__all__ = ["PAGE", "Busy", "NoSuch", "Operations", "Watch"]

PAGE: Final = 100
Watch = Callable[[RunAnswer], None]
"""Is told how far a run is, every now and then."""


class NoSuch(InputError):  # noqa: N818 - says what is the matter
    """There is no policy, plan, run, hold or storage of that name."""


class Operations(Protocol):
    """Retention as a whole. `by` says who asks, for the audit log.

    Every method raises `NoSuch` for a name that nothing has, `InputError` for what cannot be used, with the field's
    name, and `SparkhuError` when the database or a storage fails.
    """

    def storages(self, *, kinds: bool = False) -> list[StorageAnswer]:
        """List the storages that are retained; with `kinds` those are asked whose kind their file leaves out."""

    def policies(self) -> list[PolicyAnswer]:
        """List the policies in force, each in its newest version."""

    def crossing(self) -> list[str]:
        """Say which policies in force are of equal rank, so that plans refuse what falls under both."""

    def versions(self, name: str) -> list[PolicyAnswer]:
        """List all versions of a policy, the newest first; those of a removed one as well."""

    def set_policy(self, document: Mapping[str, Any], *, by: str) -> PolicyAnswer:
        """Put a policy into force, as a new version where it says something new."""

    def set_policies(self, documents: Sequence[Mapping[str, Any]], *, by: str) -> list[PolicyAnswer]:
        """Put policies into force, all of them or none, and in any order: only where they end up is checked."""

    def remove_policy(self, name: str, *, by: str) -> PolicyAnswer:
        """Take a policy out of force; no data are deleted, and its versions stay in the history.

        The answer warns of policies that it alone has told apart.
        """

    def make_plan(self, storage: str, *, by: str, tier: Tier = "live") -> PlanAnswer:
        """Say what would be done to a storage or to its archive, and keep it; nothing is done."""

    def plans(self, *, after: str | None = None, limit: int = PAGE) -> Page[PlanAnswer]:
        """List plans, the newest first."""

    def plan(self, plan: str) -> PlanAnswer:
        """Give a plan's totals."""

    def planned(
        self, plan: str, *, action: str | None = None, after: str | None = None, limit: int = PAGE
    ) -> Page[PlannedItem]:
        """List the items of a plan."""

    def apply(self, plan: str, *, by: str, watch: Watch, run: str | None = None) -> RunAnswer:
        """Do what a plan says, and finish first what a killed run left; `run` names the run.

        Raises:
            Busy: Another runner is at work.
        """

    def restorable(self, wanted: RestoreRequest) -> int:
        """Count the items that a restore would put back; what it names that was not removed is refused."""

    def comes_back(self, storage: str, items: Sequence[str], *, run: str) -> bool:
        """Tell whether any of a storage's items that a run removed last can come back."""

    def restore(self, wanted: RestoreRequest, *, by: str, watch: Watch, run: str | None = None) -> RunAnswer:
        """Put items back: from the tombstone before the purge, from the archive after it; `run` names the run.

        Raises:
            Busy: Another runner is at work.
        """

    def runs(self, *, limit: int = PAGE) -> list[RunAnswer]:
        """List the runs that have begun, of whichever process, the newest first."""

    def run(self, run: str) -> RunAnswer:
        """Tell of a run how it ended, or that it is under way."""

    def last_successes(self) -> Mapping[str, datetime]:
        """Tell of each storage when a run of it last ended well."""

    def history(
        self,
        *,
        storage: str | None = None,
        item: str | None = None,
        policy: str | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Page[HistoryEntry]:
        """List the audit log, the newest line first."""

    def holds(self, *, released: bool = False) -> list[HoldAnswer]:
        """List the holds in force, and with `released` those of before."""

    def hold(self, wanted: HoldRequest, *, by: str) -> HoldAnswer:
        """Hold data back from every policy."""

    def release(self, hold: str, *, by: str) -> HoldAnswer:
        """End a hold; what was released already is no matter."""

    def check(self) -> None:
        """See that the database answers.

        Raises:
            SparkhuError: It does not.
        """

    def check_history(self) -> int:
        """Walk the chain of hashes of the audit log, and count its lines.

        Raises:
            SparkhuError: A line is not what was written; the message names the first.
        """
