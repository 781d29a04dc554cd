"""Decide which version of a model serves: challengers against the reigning champion, on the same window."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from sparkhu.errors import InputError
from sparkhu.registry.comparing import Candidate, Comparison, Direction, choose
from sparkhu.registry.reigns import note_champion
from sparkhu.registry.store import alone, registry
from sparkhu.registry.versions import CHAMPION, ModelVersion, version_by_alias

REACH = "sparkhu.reach"
"""Tag of a version: up to when it knows which table."""
TOLD = "sparkhu.promotion"
"""Tag of a version: the last decision that it took part in."""


@dataclass(frozen=True)
class Incumbent:
    """What the candidates' run found out about the reigning champion.

    Attributes:
        version: Number of the version that was champion then; None: there was none, or it could not be found out.
        score: Its score; None where it could not be compared.
        told: Why not, in words; where it was compared, on how much.
        gives_way: Whether it gives way where it could not be compared.
        against: Score of the best candidate on the windows of `score`; None: the candidates' scores were taken on them.
    """

    version: str | None
    score: float | None = None
    told: str = ""
    gives_way: bool = True
    against: float | None = None


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
        scores: Score of each candidate, the reigning champion among them where it was compared, by version number.
        evidence: What else speaks for the decision: on how many windows of how many series the scores were taken.
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
    evidence: Mapping[str, Any] = field(default_factory=dict)


def promote(
    name: str,
    candidates: Sequence[Candidate],
    comparison: Comparison,
    *,
    reach: Reach | None = None,
    incumbent: Incumbent | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Decision:
    """Set the alias `champion` to the best of the candidates, and store the decision with its evidence.

    A reigning champion that was made from a table that outlives runs keeps its place, whatever they score, against
    candidates that know the table up to an earlier time, for computing an old interval anew puts no old model into
    service; and against those that were made from something else, for a trial does not either. Decisions on the
    registry of this machine are made one at a time.

    The reigning champion keeps its place unless a challenger's score is better by at least `minimum_improvement`
    of its own, or it is worse than the yardstick that any model has to beat. It takes part when it is among the
    candidates, or when their run scored it (`incumbent`). One without a score on this window cannot be compared: it
    gives way where it could not do the candidates' work, as with another horizon, and stays where nothing was found
    against it, as where it became champion since. Where nothing is said of it, it gives way. The reason says which. Of
    equal candidates the first wins, and where none has a finite score the first is champion only if there was none.

    Args:
        name: The registered model.
        candidates: Versions of it, scored on one validation window.
        comparison: What they are compared by.
        reach: Up to when the candidates know a table that outlives runs; null: they were made from something else.
        incumbent: What the candidates' run found out about the reigning champion; null: it did not look.
        evidence: What else speaks for the decision; JSON values.

    Returns:
        The decision, which is also kept as `promotion.json` in the winner's run and as a tag of each candidate.

    Raises:
        InputError: There is no candidate.
        SparkhuError: The registry cannot be used.
    """
    if not candidates:
        raise InputError("candidates must be one version at least, got none")
    with registry() as (client, _), alone():
        reigning = version_by_alias(client, name, CHAMPION)
        stood = _incumbents(name, reigning, incumbent)
        rivals = [*candidates, *stood]
        best, champion, reason = _outcome(candidates, stood, reigning, comparison, reach=reach, incumbent=incumbent)
        decision = Decision(
            name=name,
            best=best.version.version,
            champion=champion,
            previous=None if reigning is None else str(reigning.version),
            reason=reason,
            metric=comparison.metric,
            direction=comparison.direction,
            minimum_improvement=comparison.minimum_improvement,
            window=comparison.window,
            scores={rival.version.version: rival.score for rival in rivals},
            decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
            evidence=dict(evidence or {}),
        )
        _store(client, decision, best, rivals, None if reach is None else (reach.tag, candidates))
    return decision


def _outcome(
    candidates: Sequence[Candidate],
    stood: Sequence[Candidate],
    reigning: Any | None,
    comparison: Comparison,
    *,
    reach: Reach | None,
    incumbent: Incumbent | None,
) -> tuple[Candidate, str, str]:
    """Give the best of the candidates, the number of the version that is champion from now on, and why."""
    best = choose(candidates, None, comparison)[0]
    duel = [*candidates, *stood]
    if stood and incumbent is not None and incumbent.against is not None:
        duel = [replace(best, score=incumbent.against), *stood]
    why = f"gives way: {incumbent.told}" if incumbent is not None and incumbent.told else ""
    winner, reason = choose(duel, None if reigning is None else str(reigning.version), comparison, why=why)
    best = winner if winner in candidates else best
    if reigning is not None and (stays := _stays(reigning, best, reach, incumbent)) is not None:
        return best, str(reigning.version), stays
    return best, winner.version.version, reason


def _incumbents(name: str, reigning: Any | None, incumbent: Incumbent | None) -> list[Candidate]:
    """Give the reigning champion with the score that the candidates' run gave it, where it is that one still."""
    if reigning is None or incumbent is None or incumbent.score is None:
        return []
    if str(reigning.version) != incumbent.version:
        return []
    return [Candidate(ModelVersion(name, incumbent.version, reigning.run_id), incumbent.score)]


def _stays(reigning: Any, best: Candidate, reach: Reach | None, incumbent: Incumbent | None) -> str | None:
    """Say why the champion keeps its place without being compared; null: it was compared, or gives way."""
    tag, number = reigning.tags.get(REACH), str(reigning.version)
    known = None if tag is None else Reach.of(tag)
    if known is not None and (reach is None or reach.table != known.table):
        return (
            f"champion {number} was made from '{known.table}' and stays; give models of other data a name of "
            "their own (--model NAME)"
        )
    if known is not None and reach is not None and known.until > reach.until:
        return (
            f"champion {number} knows '{known.table}' until {known.until.isoformat()} and stays, version "
            f"{best.version.version} until {reach.until.isoformat()}"
        )
    if not isfinite(best.score):
        return f"no candidate could be scored; champion {number} stays"
    return None if incumbent is None else _not_compared(number, best, incumbent)


def _not_compared(number: str, best: Candidate, incumbent: Incumbent) -> str | None:
    """Say why a champion stays that nothing was found against; null: it was compared, or gives way."""
    way_out = f"sparkhu rollback NAME --to {best.version.version} puts that version in its place"
    if incumbent.version not in {None, number} or (incumbent.version is None and incumbent.gives_way):
        return f"champion {number} came after this run had looked for one, was not compared and stays; {way_out}"
    if incumbent.score is None and not incumbent.gives_way:
        return f"champion {number} was not compared and stays: {incumbent.told}; {way_out}"
    return None


def _store(
    client: Any,
    decision: Decision,
    best: Candidate,
    rivals: Sequence[Candidate],
    known: tuple[str, Sequence[Candidate]] | None,
) -> None:
    scores = {number: score if isfinite(score) else None for number, score in decision.scores.items()}
    evidence = {**asdict(decision), "scores": scores}
    # The evidence first: an alias never points to a version that nothing speaks for.
    client.log_dict(best.version.run_id, evidence, "promotion.json")
    for rival in rivals:
        number = rival.version.version
        client.set_model_version_tag(decision.name, number, TOLD, json.dumps(evidence))
        if known is not None and rival in known[1]:
            client.set_model_version_tag(decision.name, number, REACH, known[0])
    if decision.champion != decision.previous:
        note_champion(client, decision.name, decision.champion, "promotion", decision.previous)
    client.set_registered_model_alias(decision.name, CHAMPION, decision.champion)
