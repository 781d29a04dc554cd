"""What a run says of its tuning: `tuning.json`, as a model with a version."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparkhu.errors import InputError
from sparkhu.tuning.space import Direction

Origin = Literal["search", "store"]
Chosen = Literal["best", "defaults"]
SCHEMA_VERSION = 2


class Tried(BaseModel):
    """An assignment and what it reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: float | None = Field(description="The objective on the validation part; null where it has none.")
    assignment: dict[str, str] = Field(description="Value of every parameter, as a trial is given it.")


class BestTrial(BaseModel):
    """The best trial of a search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: int = Field(ge=0, description="Its number, from 0.")
    objective: float = Field(description="Its objective on the validation part.")
    assignment: dict[str, str] = Field(description="Value of every parameter, as the trial was given it.")


class Goal(BaseModel):
    """What was tuned for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(description="Name of the objective metric.")
    direction: Direction = Field(description="Whether a smaller or a larger value is better.")


class TunedGroup(BaseModel):
    """The tuning of a model on one group of series."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="The model that was tuned.")
    group: str = Field(description="The group, such as 1h/24 (period/season).")
    fingerprint: str = Field(description="Of data, model and its code, search space and objective: SHA-256, hex.")
    origin: Origin = Field(description="search: trials ran in this run; store: an earlier run's values were taken.")
    found_at: datetime = Field(description="When the search ended: UTC, ISO 8601.")
    algorithm: str = Field(description="Name of the algorithm that suggested the trials.")
    trials: int = Field(ge=0, description="Trials of the search.")
    reason: str = Field(description="Why the search ended, in words.")
    defaults: Tried = Field(description="The model's defaults and what they reach.")
    best: BestTrial | None = Field(description="The best trial; null where none succeeded.")
    chosen: Chosen = Field(description="What the model is trained with: the best trial's values or the defaults.")
    assignment: dict[str, str] = Field(description="Those values.")
    importance: dict[str, float] = Field(
        description="Share of each parameter in the variance of the objective; empty where it cannot be told."
    )


class Tuning(BaseModel):
    """What was tuned, and what came of it: `tuning.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="tuning.json")

    schema_version: Literal[2] = Field(default=2, description="Version of this schema.")
    objective: Goal = Field(description="What was tuned for: a metric, small or large.")
    groups: list[TunedGroup] = Field(description="One entry a model and group of series, model by model.")


def parse_tuning(document: Any, path: Path) -> Tuning:
    """Read `tuning.json`.

    Args:
        document: What is in it, as JSON is parsed.
        path: Where it lies, for messages.

    Raises:
        InputError: It has another schema, or does not follow it; the message names the first place that does not.
    """
    schema = document.get("schema_version") if isinstance(document, dict) else None
    if schema != SCHEMA_VERSION:
        raise InputError(
            f"'{path}' has tuning schema {schema}, this version of Sparkhu reads {SCHEMA_VERSION}. Run the step that "
            "wrote it again (sparkhu step tune), or the whole run: run.json beside it names its parameters."
        )
    try:
        return Tuning.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"'{path}' does not follow its schema at '{place}': {first['msg']}. Tune again.") from error
