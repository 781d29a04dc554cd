"""Decide which version of a model serves: challengers against the reigning champion, on the same window."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Literal, get_args

from sparkhu.errors import InputError
from sparkhu.registry.reigns import note_champion
from sparkhu.registry.store import alone, registry
from sparkhu.registry.versions import CHAMPION, ModelVersion, version_by_alias

Direction = Literal["min", "max"]
REACH = "sparkhu.reach"
"""Tag of a version: up to when it knows which table."""
TOLD = "sparkhu.promotion"
"""Tag of a version: the last decision that it took part in."""


@dataclass(frozen=True)
class Candidate:
    """A registered version and its score; all candidates of one decision are scored on the same window."""

    version: ModelVersion
    score: float


@dataclass(frozen=True)
class Reach:
    """Up to when candidates know a table that outlives runs.

    Attributes:
        table: The table, such as `s3://plant/lake observations`.
        until: The end of what was read, with a zone; not part of it.
    """

    table: str
    until: datetime

    @property
    def tag(self) -> str:
        """The reach as the text of a tag."""
        return json.dumps({"table": self.table, "until": self.until.astimezone(UTC).isoformat()})

    @classmethod
    def of(cls, tag: str) -> "Reach":
        """Read the text of a tag."""
        told = json.loads(tag)
        return cls(told["table"], datetime.fromisoformat(told["until"]))


@dataclass(frozen=True)
class Decision:
    """Which version is champion from now on, and why.

    Attributes:
        name: The registered model.
        best: Number of the best of the candidates; not the champion where that knows newer data, or where none of them
            could be scored.
        champion: Number of the version that the alias points to now.
        previous: Number of the version that it pointed to before; None at the first decision.
        reason: Why, in words.
        metric: Name of the score.
        direction: `min` where a smaller score is better, `max` where a larger one is.
        minimum_improvement: Share of the reigning champion's score by which a challenger had to be better.
        window: What the scores were taken on.
        scores: Score of each candidate, by version number.
        decided_at: When, UTC, ISO 8601.
    """

    name: str
    best: str
    champion: str
    previous: str | None
    reason: str
    metric: str
    direction: Direction
    minimum_improvement: float
    window: str
    scores: dict[str, float]
    decided_at: str


def promote(
    name: str,
    candidates: Sequence[Candidate],
    *,
    metric: str,
    direction: Direction = "min",
    minimum_improvement: float = 0.0,
    window: str = "",
    reach: Reach | None = None,
) -> Decision:
    """Set the alias `champion` to the best of the candidates, and store the decision with its evidence.

    A reigning champion that was made from a table that outlives runs keeps its place, whatever they score, against
    candidates that know the table up to an earlier time, for computing an old interval anew puts no old model into
    service; and against those that were made from something else, for a trial does not either. Decisions on the
    registry of this machine are made one at a time.

    The reigning champion keeps its place unless a challenger's score is better by at least `minimum_improvement`
    of its own; it takes part when it is among the candidates. A reigning champion without a score on this window
    cannot be compared and gives way to one that has; the reason says so. Of equal candidates the first wins, and where
    none has a finite score the first is champion only if there was none.

    Args:
        name: The registered model.
        candidates: Versions of it, scored on one validation window.
        metric: Name of the score, such as `mse`.
        direction: `min` where a smaller score is better, `max` where a larger one is.
        minimum_improvement: Share of the reigning champion's score, such as 0.01.
        window: What the scores were taken on, for the evidence.
        reach: Up to when the candidates know a table that outlives runs; null: they were made from something else.

    Returns:
        The decision, which is also kept as `promotion.json` in the winner's run and as a tag of each candidate.

    Raises:
        InputError: There is no candidate, or a parameter is out of range.
        SparkhuError: The registry cannot be used.
    """
    _check(candidates, direction, minimum_improvement)
    with registry() as (client, _), alone():
        reigning = version_by_alias(client, name, CHAMPION)
        previous = None if reigning is None else str(reigning.version)
        winner, reason = choose(candidates, previous, direction, minimum_improvement)
        best = champion = winner.version.version
        stays = None if reigning is None else _stays(reigning, winner, reach)
        if stays is not None:
            champion, reason = str(previous), stays
        decision = Decision(
            name=name,
            best=best,
            champion=champion,
            previous=previous,
            reason=reason,
            metric=metric,
            direction=direction,
            minimum_improvement=minimum_improvement,
            window=window,
            scores={candidate.version.version: candidate.score for candidate in candidates},
            decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        _store(client, decision, winner, candidates, reach)
    return decision


def choose(
    candidates: Sequence[Candidate], reigning: str | None, direction: Direction, minimum_improvement: float
) -> tuple[Candidate, str]:
    """Find the better one and say why; touches no registry. `reigning` is the champion's version number."""
    sign = 1 if direction == "min" else -1
    scored = [candidate for candidate in candidates if isfinite(candidate.score)]
    if not scored:
        return candidates[0], f"no candidate could be scored; version {candidates[0].version.version} stands first"
    best = min(scored, key=lambda candidate: sign * candidate.score)
    champion = next((candidate for candidate in scored if candidate.version.version == reigning), None)
    if champion is None:
        first = f"champion {reigning} has no score on this window" if reigning else "there was no champion"
        return best, f"{first}; version {best.version.version} scores best with {best.score:.6g}"
    gain = sign * (champion.score - best.score)
    wanted = minimum_improvement * abs(champion.score)
    compared = f"{best.score:.6g} against {champion.score:.6g} of champion {reigning}"
    if gain > 0 and gain >= wanted:
        return best, f"version {best.version.version} is better: {compared}"
    if gain > 0:
        return champion, f"version {best.version.version} is better by less than {minimum_improvement:.2%}: {compared}"
    return champion, f"no challenger is better than champion {reigning}, which scores {champion.score:.6g}"


def _check(candidates: Sequence[Candidate], direction: str, minimum_improvement: float) -> None:
    if direction not in get_args(Direction):
        raise InputError(f"direction must be 'min' or 'max', got '{direction}'")
    if not 0 <= minimum_improvement < 1:
        raise InputError(f"minimum_improvement must be a share from 0 to below 1, got {minimum_improvement}")
    if not candidates:
        raise InputError("candidates must be one version at least, got none")


def _stays(reigning: Any, winner: Candidate, reach: Reach | None) -> str | None:
    """Say why the champion keeps its place without being compared; null: it has to be."""
    tag = reigning.tags.get(REACH)
    known = None if tag is None else Reach.of(tag)
    if known is not None and (reach is None or reach.table != known.table):
        return (
            f"champion {reigning.version} was made from '{known.table}' and stays; give models of other data a name of "
            "their own (--model NAME)"
        )
    if known is not None and reach is not None and known.until > reach.until:
        return (
            f"champion {reigning.version} knows '{known.table}' until {known.until.isoformat()} and stays, version "
            f"{winner.version.version} until {reach.until.isoformat()}"
        )
    return None if isfinite(winner.score) else f"no candidate could be scored; champion {reigning.version} stays"


def _store(
    client: Any, decision: Decision, winner: Candidate, candidates: Sequence[Candidate], reach: Reach | None
) -> None:
    scores = {number: score if isfinite(score) else None for number, score in decision.scores.items()}
    evidence = {**asdict(decision), "scores": scores}
    # The evidence first: an alias never points to a version that nothing speaks for.
    client.log_dict(winner.version.run_id, evidence, "promotion.json")
    for candidate in candidates:
        number = candidate.version.version
        client.set_model_version_tag(decision.name, number, TOLD, json.dumps(evidence))
        if reach is not None:
            client.set_model_version_tag(decision.name, number, REACH, reach.tag)
    if decision.champion != decision.previous:
        note_champion(client, decision.name, decision.champion, "promotion", decision.previous)
    client.set_registered_model_alias(decision.name, CHAMPION, decision.champion)
