"""Policies: what is archived and removed when, as a document that people write."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from sparkhu.errors import InputError
from sparkhu.explaining import all_explained, shown
from sparkhu.steps.bucket_values import How
from sparkhu.steps.resampling import check_resampling
from sparkhu.zones import check_zone
from sparkhu_retention.names import Name
from sparkhu_retention.policies.period import CalendarPeriod, PeriodField

SCHEMA_VERSION: Final = 1
GRACE: Final = CalendarPeriod(7, "day")

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class Match(BaseModel):
    """What a policy is about: items whose storage and dataset fit, and that have all of its tags.

    In patterns `*` stands for any signs but `/`, `?` for one of them, and a part `**` for any number of parts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    storage: Glob = Field("**", description="Name of the storage, its URI, or a pattern of URIs.")
    dataset: Glob = Field("**", description="The dataset, or a pattern: observations, logs/**, models/*.")
    tags: dict[Words, str] = Field(default_factory=dict, description="Tags that an item must have, all of them.")


class Downsample(BaseModel):
    """What is written, and verified, before the rows that it is made of are archived or removed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: str = Field(min_length=1, description="Period of its rows, such as 1h, 1d or 1mo.")
    by: How = Field("mean", description="What stands for the points of such a period.")

    @field_validator("to")
    @classmethod
    def _known(cls, to: str) -> str:
        check_resampling(to=to, how="mean")
        return to


class Policy(BaseModel):
    """What is archived and removed when. Of several that an item falls under, the most specific one counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(SCHEMA_VERSION, description="Version of this schema.")
    name: Name = Field(description="Its name: letters, digits, '.', '_' and '-'.")
    match: Match = Field(default_factory=Match, description="What it is about; nothing given: everything.")
    no_policy: bool = Field(
        False,
        strict=True,
        description="Nothing is archived or removed; every field below is taken back, and no data are deleted.",
    )
    archive_after: PeriodField | None = Field(
        None, description="How long after the end of what it covers an item is archived, and then removed."
    )
    delete_after: PeriodField | None = Field(
        None, description="How long after the end of what it covers an item is removed from the archive."
    )
    without_archive: bool = Field(
        False,
        strict=True,
        description="What this policy removes is removed without being archived; `delete_after` says when.",
    )
    keep_newest: int | None = Field(
        None, ge=1, strict=True, description="How many versions always stay; alone, older ones go at once."
    )
    downsample: Downsample | None = Field(None, description="What is written before the rows go.")
    floor: date | None = Field(None, description="Day whose midnight everything that ends before it is archived by.")
    hold: Words | None = Field(None, description="Why nothing of it may be archived or removed: a legal hold.")
    zone: str = Field("UTC", description="IANA zone of periods and of the floor.")
    grace: PeriodField = Field(GRACE, description="How long what was removed can be put back at once.")

    @model_validator(mode="before")
    @classmethod
    def _taken_back(cls, content: Any) -> Any:
        """Take back every field where there is explicitly no policy: none is left behind to count later."""
        if isinstance(content, Mapping) and content.get("no_policy") is True:
            return {name: value for name, value in content.items() if name not in RULES}
        return content

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        check_zone(zone)
        return zone

    @field_validator("floor", mode="before")
    @classmethod
    def _a_day(cls, floor: Any) -> Any:
        if floor is None or (isinstance(floor, date) and not isinstance(floor, datetime)):
            return floor
        try:
            return date.fromisoformat(floor)
        except (TypeError, ValueError):
            raise InputError("it must be a day of the calendar, such as 2020-01-31") from None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        problems = [problem for problem in (_archive(self), _idle(self), _order(self)) if problem]
        if problems:
            raise InputError(" Besides, ".join(problems))
        return self

    @property
    def period(self) -> CalendarPeriod | None:
        """How long after the end of what it covers an item leaves its storage."""
        return self.delete_after if self.without_archive else self.archive_after


RULES: Final = frozenset(Policy.model_fields) - {"schema_version", "name", "match", "no_policy"}


@dataclass(frozen=True)
class PolicyVersion:
    """A policy and which of its versions it is, from 1."""

    policy: Policy
    version: int = 1


def policy_of(content: object, *, now: datetime | None = None, where: str = "policy") -> Policy:
    """Read a policy that somebody gives, and check it.

    Args:
        content: Its fields by name.
        now: The time; null: that of the clock. A floor must not lie behind it.
        where: What messages call it.

    Raises:
        InputError: It cannot be used; the message names the field, the value and the way out.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"{where} must map fields to values, such as `archive_after: 1 year`, got {shown(content)}.")
    try:
        policy = Policy.model_validate(dict(content))
    except ValidationError as error:
        raise InputError(f"{where}: {all_explained(Policy, error)}") from error
    today = (now or datetime.now(UTC)).astimezone(ZoneInfo(policy.zone)).date()
    if policy.floor is not None and policy.floor > today:
        raise InputError(
            f"{where}: field 'floor' must not lie in the future, got {policy.floor.isoformat()}; today is "
            f"{today.isoformat()} in {policy.zone}."
        )
    return policy


def document_of(policy: Policy) -> dict[str, Any]:
    """Give the fields of a policy that say something, as `policy_of` reads them, in their order."""
    told = policy.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    return {"schema_version": SCHEMA_VERSION, **told}


def _idle(policy: Policy) -> str | None:
    if policy.no_policy or policy.period or policy.keep_newest or policy.floor or policy.hold:
        return None
    if policy.without_archive:
        return (
            "field 'without_archive' says how data are removed, and none says when. Give delete_after or keep_newest."
        )
    if policy.delete_after:
        return (
            "field 'delete_after' counts for the archive, and nothing is archived. Give archive_after or floor, or "
            "`without_archive: true` to remove data that are in no archive."
        )
    return (
        f"policy '{policy.name}' says nothing. Give archive_after, keep_newest, floor or hold, or say that there is "
        "none: `no_policy: true`."
    )


def _archive(policy: Policy) -> str | None:
    """Find what contradicts `without_archive`."""
    for name in ("archive_after", "floor"):
        if policy.without_archive and getattr(policy, name) is not None:
            return f"field '{name}' archives, and 'without_archive' says that nothing is. Leave one of them out."
    return None


def _order(policy: Policy) -> str | None:
    first, last = policy.archive_after, policy.delete_after
    if first is None or last is None or last.days > first.days:
        return None
    return (
        f"field 'delete_after' must be longer than archive_after ({first}), got '{last}': it counts from the end of "
        "what an item covers, too."
    )
