"""What the service is asked and what it answers, in the terms of its users; the command's `--json` shows the same."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sparkhu_retention.names import ItemId, Line, Name, OneItemId
from sparkhu_retention.spans import Instant, check_interval

T = TypeVar("T")
ROWS = "Null: no item is known to have any."


class Said(BaseModel):
    """A request or an answer: fields that nobody knows are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Said, Generic[T]):
    """Some of many.

    Attributes:
        items: Those of this page.
        next: What `after` takes for the next page; null: this is the last.
    """

    items: list[T]
    next: str | None = Field(description="What `after` takes for the next page; null: this is the last.")


class StorageAnswer(Said):
    """A storage that policies are about."""

    name: str = Field(examples=["plant"])
    uri: str = Field(description="Its root, secrets left out.", examples=["s3://plant/lake"])
    kind: str | None = Field(description="Null: it cannot be found out, since the storage fails.", examples=["lake"])
    archive: str | None = Field(description="Where what leaves it is archived.", examples=["s3://cold/plant"])


class PolicyAnswer(Said):
    """A version of a policy."""

    name: str = Field(examples=["raw-observations"])
    version: int = Field(ge=1)
    policy: dict[str, Any] = Field(
        description="The policy as it was written.",
        examples=[{"match": {"dataset": "observations"}, "archive_after": "1 year", "delete_after": "5 years"}],
    )
    made_at: datetime
    made_by: str = Field(examples=["key:ann"])
    removed: bool = Field(default=False, description="It was removed; its versions stay in the history.")
    warnings: list[str] = Field(
        default_factory=list,
        description="Told when it is set or removed: what may not be meant, such as a storage of no name.",
    )


Tier = Literal["live", "archive"]


class PlanRequest(Said):
    """Which storage is planned, or its archive."""

    storage: Name = Field(description="Name of the storage.", examples=["plant"])
    tier: Tier = Field(default="live", description="`archive`: what is removed from its archive.")


class PlanTotal(Said):
    """How much a plan does of one thing under one policy."""

    action: str = Field(examples=["archive"])
    policy: str | None = Field(examples=["raw-observations"])
    policy_version: int | None
    items: int
    rows: int | None = Field(description=ROWS)
    bytes: int


class HeldTotal(Said):
    """How much one thing holds back; an item that several hold counts with each of them."""

    held_by: str | None = Field(examples=["champion 'forecaster' version 3 was trained on it"])
    items: int
    rows: int | None = Field(description=ROWS)
    bytes: int


class KeptTotal(Said):
    """How much stays for one reason."""

    policy: str | None = Field(description="Null: no policy is about it.", examples=["raw-observations"])
    reason: str | None = Field(examples=["not due yet: archived 1 year after its end"])
    items: int
    rows: int | None = Field(description=ROWS)
    bytes: int
    due: datetime | None = Field(description="When the first of it is due; null: never.")


class ReturningTotal(Said):
    """How much of what was buried a run puts back for one reason, before it begins with anything else."""

    reason: str = Field(examples=["policy 'raw-observations' is no longer in force for it"])
    items: int
    rows: int | None = Field(description=ROWS)
    bytes: int


class Counted(Said):
    """How much went through a step."""

    items: int
    rows: int | None = Field(description=ROWS)
    bytes: int


class PlanAnswer(Said):
    """What would be done to a storage, and what is held back; nothing has been done."""

    id: str
    storage: str = Field(examples=["plant"])
    tier: Tier
    made_at: datetime
    made_by: str
    applied_at: datetime | None = Field(description="When it was first applied; null: it was not.")
    totals: list[PlanTotal]
    held: list[HeldTotal] = Field(description="What holds back what is due; what holds most bytes first.")
    kept: list[KeptTotal] = Field(description="Why the rest stays, by policy.")
    returning: list[ReturningTotal] = Field(
        description="What was buried earlier and must not stay so: a run of this plan puts it back."
    )
    notes: list[str] = Field(
        description="What else is to be known: an archive that cannot be used, what has no date, what no policy is "
        "about.",
        examples=[["no policy is about 76 items"]],
    )
    past_grace: Counted = Field(
        description="What was buried earlier and has had its time of grace: a run of this plan removes it for good."
    )


class PlannedItem(Said):
    """What a plan says of one item."""

    id: str = Field(examples=["observations/day=2023-01-01/part-0.parquet"])
    dataset: str | None
    start: datetime | None
    end: datetime | None
    rows: int | None
    bytes: int | None
    action: str = Field(examples=["archive"])
    policy: str | None
    policy_version: int | None
    due: datetime | None
    reason: str | None = Field(examples=["covers up to 2023-01-02; archived 1 year after it"])
    held_by: list[str] = Field(examples=[["champion 'forecaster' version 3 was trained on it"]])


class RunRequest(Said):
    """Which plan is applied."""

    plan: Name = Field(description="Id of the plan.")


class RestoreRequest(Said):
    """Which items are put back, from the tombstone or from the archive; what several fields say must all be so."""

    storage: Name = Field(examples=["plant"])
    items: list[ItemId] | None = Field(
        default=None,
        min_length=1,
        max_length=1_000,
        description="Items, or patterns of them as in policies; null: any.",
        examples=[["observations/day=2023-01-01", "observations/day=2023-02-*"]],
    )
    run: Name | None = Field(default=None, description="Only what this run removed, as the history names it.")
    start: Instant | None = Field(default=None, description="Only what ends after it.")
    end: Instant | None = Field(default=None, description="Only what starts before it.")

    @model_validator(mode="after")
    def _says_which(self) -> "RestoreRequest":
        check_interval(self.start, self.end)
        if all(field is None for field in (self.items, self.run, self.start, self.end)):
            raise ValueError("items, run, start or end must say what comes back")
        return self


class RunState(StrEnum):
    """Where a run stands.

    - `busy`: another runner was at work, and nothing was done.
    - `killed`: it ended in the middle; the next run finishes or takes back what it had begun.
    """

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    BUSY = "busy"
    KILLED = "killed"


class Failure(Said):
    """Something that could not be done; its source is untouched."""

    item: str | None = Field(description="The item; null: it concerns the run.")
    detail: str = Field(examples=["the archive's disk is full"])


class RunAnswer(Said):
    """A run that applies a plan or restores items."""

    id: str = Field(description="Its name, in the history too.", examples=["20240501t023000-3f2c9a41"])
    kind: Literal["apply", "restore"]
    storage: str = Field(examples=["plant"])
    plan: str | None
    by: str
    state: RunState
    began_at: datetime
    ended_at: datetime | None
    items: int | None = Field(description="Items that it has to deal with; null: no longer known.")
    done: dict[str, Counted] = Field(
        description="What was archived, buried, purged, restored, held back or found changed, and what failed.",
        examples=[{"buried": {"items": 120, "rows": 1_200_000, "bytes": 48_000_000}}],
    )
    failures: list[Failure] = Field(
        description="The first of what failed; its source is untouched. In a list of runs: what concerns the run alone."
    )


class HistoryEntry(Said):
    """A line of the audit log."""

    seq: int
    at: datetime
    by: str = Field(examples=["key:ann"])
    what: str = Field(examples=["policy saved", "buried"])
    storage: str | None
    run: str | None = Field(default=None, description="The run that did it; a restore takes it to put all of it back.")
    items: int | None = Field(default=None, description="How many items it is about; null: about none.")
    item: str | None = Field(description="The item, where it is a single one; else `details` names them.")
    policy: str | None = Field(description="The policy, where it is the same for all of its items.")
    policy_version: int | None
    details: dict[str, Any] = Field(examples=[{"bytes": 1_048_576, "sha256": "9f86d0…"}])


class HoldRequest(Said):
    """What must stay until it is released, whatever policies say."""

    storage: Name | None = Field(default=None, description="Name of the storage; null: all.", examples=["plant"])
    dataset: Line | None = Field(
        default=None, description="The dataset, or a pattern of some; null: all.", examples=["observations"]
    )
    items: list[OneItemId] | None = Field(
        default=None,
        min_length=1,
        max_length=1_000,
        description="Items of the storage by their ids, no patterns; null: all that overlap.",
    )
    start: Instant | None = Field(default=None, description="First instant that is held; null: from the first.")
    end: Instant | None = Field(default=None, description="First instant no longer held; null: to the last.")
    reason: Line = Field(examples=["audit of 2024"])

    @model_validator(mode="after")
    def _is_interval(self) -> "HoldRequest":
        check_interval(self.start, self.end)
        if self.items is not None and self.storage is None:
            raise ValueError("items must come with their storage")
        if self.items is not None and (self.dataset or self.start or self.end):
            raise ValueError("items are held whatever they cover; leave dataset, start and end out, or the items")
        return self


class HoldAnswer(Said):
    """A hold."""

    id: str
    storage: str | None = Field(description="Name of the storage; null: all.")
    dataset: str | None = Field(description="The dataset; null: all.")
    items: list[str] | None = Field(description="Items of the storage; null: all that overlap.")
    items_now: int | None = Field(
        default=None, description="Told when it is placed: how many items fall under it now; null: not counted."
    )
    start: datetime | None
    end: datetime | None
    reason: str
    by: str
    at: datetime
    released_at: datetime | None
    released_by: str | None
