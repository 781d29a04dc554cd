"""Compare scored versions of a model with the one that reigns; no registry is touched."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from numbers import Real
from typing import Final, Literal, get_args

from sparkhu.errors import InputError
from sparkhu.registry.versions import ModelVersion

Direction = Literal["min", "max"]
ROUNDING = 1e-9
"""Share of a champion's score below which a difference is that of rounding: no model is better by it."""

_TYPES: Final = (
    ("metric", str, "the name of a score, such as mse"),
    ("minimum_improvement", Real, "a share from 0 to below 1"),
    ("window", str, "text that says what the scores were taken on"),
    ("yardstick", Real, "a score, NaN where there is none"),
)
"""What a comparison is made of may come from a document, which no type checker has seen."""


@dataclass(frozen=True)
class Candidate:
    """A registered version and its score; all candidates of one decision are scored on the same window."""

    version: ModelVersion
    score: float


@dataclass(frozen=True)
class Comparison:
    """What the candidates of one decision are compared by.

    Attributes:
        metric: Name of the score, such as `mse`.
        direction: `min` where a smaller score is better, `max` where a larger one is.
        minimum_improvement: Share of the reigning champion's score by which a challenger has to be better, such as
            0.01.
        window: What the scores were taken on, for the evidence.
        yardstick: Score of the forecast that any model has to beat, taken where the champion's was; NaN: none.

    Raises:
        InputError: A parameter is out of range, or of another type.
    """

    metric: str
    direction: Direction = "min"
    minimum_improvement: float = 0.0
    window: str = ""
    yardstick: float = nan

    def __post_init__(self) -> None:
        for name, kind, wanted in _TYPES:
            given = getattr(self, name)
            if not isinstance(given, kind) or isinstance(given, bool):
                raise InputError(f"{name} must be {wanted}, got {given!r}")
        if not self.metric:
            raise InputError("metric must be the name of a score, such as mse, got ''")
        if self.direction not in get_args(Direction):
            raise InputError(f"direction must be 'min' or 'max', got '{self.direction}'")
        if not 0 <= self.minimum_improvement < 1:
            raise InputError(f"minimum_improvement must be a share from 0 to below 1, got {self.minimum_improvement}")


def choose(
    candidates: Sequence[Candidate],
    reigning: str | None,
    comparison: Comparison,
    *,
    why: str = "",
) -> tuple[Candidate, str]:
    """Find the better one and say why; touches no registry.

    Args:
        candidates: Versions of a model, one at least. Of equal ones the first wins.
        reigning: The champion's version number; None: there is none.
        comparison: What they are compared by.
        why: Why the champion is not among the candidates, where that is known.
    """
    sign = 1 if comparison.direction == "min" else -1
    scored = [candidate for candidate in candidates if isfinite(candidate.score)]
    if not scored:
        return candidates[0], f"no candidate could be scored; version {candidates[0].version.version} stands first"
    best = min(scored, key=lambda candidate: sign * candidate.score)
    champion = next((candidate for candidate in scored if candidate.version.version == reigning), None)
    if champion is None:
        first = f"champion {reigning} {why or 'has no score on this window'}" if reigning else "there was no champion"
        return best, f"{first}; version {best.version.version} scores best with {best.score:.6g}"
    gain = sign * (champion.score - best.score)
    wanted = comparison.minimum_improvement * abs(champion.score)
    compared = f"{best.score:.6g} against {champion.score:.6g} of champion {reigning}"
    rounding = ROUNDING * abs(champion.score)
    better = gain > rounding
    if better and gain >= wanted:
        return best, f"version {best.version.version} is better: {compared}"
    if better and sign * (champion.score - comparison.yardstick) > rounding:
        worse = f"champion {reigning} is worse than the yardstick"
        return best, f"version {best.version.version} is better, and {worse}: {compared}"
    if better:
        least = f"{comparison.minimum_improvement:.2%}"
        return champion, f"version {best.version.version} is better by less than {least}: {compared}"
    return champion, f"no challenger is better than champion {reigning}, which scores {champion.score:.6g}"
