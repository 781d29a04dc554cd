"""What patterns have in common, and whether one lies within another.

Patterns are walked through together, a sign of a text at a time. Of those that the text is to fit one place each is
looked at; of those that it must not fit all places at once, and fewer of these are as good as more.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, product
from string import ascii_lowercase
from typing import Final

from sparkhu.errors import InputError
from sparkhu_retention.policies.patterns import EVERYTHING, beginning, ending, signs_of

SKIPPED: Final = frozenset({"**/", "/**", "**", "*"})
"""Signs that stand for nothing, too."""
WIDE: Final = SKIPPED | {"?"}
MOST_STEPS: Final = 300_000
"""How far patterns are compared at once; those that people write need a few hundred steps."""

Places = frozenset[int]
"""Where in a pattern a text may have led: twice the number of the sign that comes next, and one more inside of it."""
Path = tuple["Path | None", str]
"""The signs of a text, the last one first."""


class TooIntricateError(InputError):
    """Patterns cannot be compared in the steps that there are."""


@dataclass
class Steps:
    """How many steps are left to compare all patterns of a request."""

    left: int = 10_000_000

    def take(self, steps: int) -> None:
        """Count steps.

        Raises:
            TooIntricateError: There are no more.
        """
        self.left -= steps
        if self.left < 0:
            raise TooIntricateError("there are too many patterns to compare at once")


def lies_within(pattern: str, other: str, steps: Steps | None = None) -> bool:
    """Tell whether all that fits a pattern fits another.

    Raises:
        TooIntricateError: They are too intricate to tell.

    Example:
        >>> lies_within("logs/*", "logs/**"), lies_within("a*", "*a")
        (True, False)
    """
    if other in (EVERYTHING, pattern):
        return True
    if not (beginning(pattern).startswith(beginning(other)) and ending(pattern).endswith(ending(other))):
        return False
    if other == f"{beginning(other)}/**" and beginning(pattern).startswith(f"{beginning(other)}/"):
        return True
    return example((pattern,), (other,), steps) is None


def example(patterns: tuple[str, ...], but: tuple[str, ...] = (), steps: Steps | None = None) -> str | None:
    """Find a shortest text that fits all of some patterns, and none of others; null: there is none.

    Args:
        patterns: Those that it fits.
        but: Those that it does not fit.
        steps: What is left to compare them with.

    Raises:
        TooIntricateError: They are too intricate to tell.

    Example:
        >>> example(("a*", "*b"))
        'ab'
        >>> example(("a*", "*a"), ("a",))
        'aa'
    """
    if are_apart(patterns):
        return None
    found, taken = _walked(patterns, but)
    if steps:
        steps.take(taken)
    if taken > MOST_STEPS:
        raise TooIntricateError("the patterns are too intricate to compare")
    return found


def are_apart(patterns: Sequence[str]) -> bool:
    """Tell of patterns whose texts begin or end with other signs that they have nothing in common."""
    first, last = max(map(beginning, patterns), key=len), max(map(ending, patterns), key=len)
    return not all(first.startswith(beginning(each)) and last.endswith(ending(each)) for each in patterns)


class _Pattern:
    """Where the signs of a text lead in a pattern."""

    def __init__(self, pattern: str) -> None:
        self.signs = signs_of(pattern)
        self.end = 2 * len(self.signs)
        self.start = self._reached([0])
        self._led: dict[tuple[int, str], Places] = {}
        self._moved: dict[tuple[Places, str], Places] = {}

    def sign(self, place: int) -> str | None:
        """Give the one sign that leads on from a place; null: many do, empty: none does."""
        sign = self.signs[place // 2] if place < self.end else ""
        if sign == "/**" and not place % 2:
            return "/"
        return None if sign in WIDE else sign

    def led(self, place: int, letter: str) -> Places:
        """Give the places that a letter leads to."""
        if (place, letter) not in self._led:
            self._led[place, letter] = self._reached(self._behind(place, letter))
        return self._led[place, letter]

    def moved(self, places: Places, letter: str) -> Places:
        """Give the places that a letter leads to from several."""
        if (places, letter) not in self._moved:
            self._moved[places, letter] = frozenset(chain.from_iterable(self.led(place, letter) for place in places))
        return self._moved[places, letter]

    def _behind(self, place: int, letter: str) -> Iterator[int]:
        number, inside = divmod(place, 2)
        sign = self.signs[number] if place < self.end else ""
        if sign == letter or (sign == "?" and letter != "/") or (sign == "**/" and letter == "/"):
            yield 2 * number + 2
        if sign == "**" or (sign == "*" and letter != "/"):
            yield 2 * number
        if sign == "**/" or (sign == "/**" and (inside or letter == "/")):
            yield 2 * number + 1

    def _reached(self, places: Iterable[int]) -> Places:
        """Add the places behind signs that may stand for nothing."""
        found: set[int] = set()
        for place in places:
            reached = place
            while reached not in found:
                found.add(reached)
                number, inside = divmod(reached, 2)
                sign = self.signs[number] if reached < self.end else ""
                if sign == "/**" or (sign in SKIPPED and not inside):
                    reached = 2 * number + 2
        return frozenset(found)


class _Walk:
    """A way through patterns; where one has led to with fewer places to avoid, others need not go on."""

    def __init__(self, patterns: Sequence[str], but: Sequence[str]) -> None:
        self.patterns, self.but = [_Pattern(each) for each in patterns], [_Pattern(each) for each in but]
        named = set("".join((*patterns, *but)))
        self.other = next(sign for sign in chain(ascii_lowercase, map(chr, range(0x100, 0x10FF))) if sign not in named)
        self.waiting: deque[tuple[tuple[int, ...], tuple[Places, ...], Path | None]] = deque()
        self.seen: dict[tuple[int, ...], list[tuple[Places, ...]]] = {}
        self.steps = 0

    def go(self) -> str | None:
        """Find where it leads to, in `MOST_STEPS`."""
        self._enter([each.start for each in self.patterns], tuple(each.start for each in self.but), None)
        while self.waiting and self.steps <= MOST_STEPS:
            there, avoided, path = self.waiting.popleft()
            ended = all(place == each.end for place, each in zip(there, self.patterns, strict=True))
            if ended and not any(each.end in places for each, places in zip(self.but, avoided, strict=True)):
                return _text(path)
            for letter in self._letters(there, avoided):
                after = [each.led(place, letter) for each, place in zip(self.patterns, there, strict=True)]
                beside = [each.moved(places, letter) for each, places in zip(self.but, avoided, strict=True)]
                self._enter(after, tuple(beside), (path, letter))
        return None

    def _enter(self, reached: Sequence[Places], avoided: tuple[Places, ...], path: Path | None) -> None:
        for there in product(*reached):
            known = self.seen.setdefault(there, [])
            self.steps += 1 + len(known) + sum(map(len, avoided))
            if not any(all(map(frozenset.issubset, each, avoided)) for each in known):
                known.append(avoided)
                self.waiting.append((there, avoided, path))

    def _letters(self, there: Iterable[int], avoided: Iterable[Places]) -> Sequence[str]:
        """Give the signs that lead to different places: that which none names stands for all others, and comes first.

        It leads to the fewest places that are to be avoided.
        """
        signs = {each.sign(place) for each, place in zip(self.patterns, there, strict=True)} - {None}
        if signs:
            return [sign for sign in signs if sign] if len(signs) == 1 else []
        named = {each.sign(place) for each, places in zip(self.but, avoided, strict=True) for place in places}
        return [self.other, *sorted({sign for sign in named if sign} | {"/"})]


@lru_cache(maxsize=65_536)
def _walked(patterns: tuple[str, ...], but: tuple[str, ...]) -> tuple[str | None, int]:
    walk = _Walk(patterns, but)
    return walk.go(), walk.steps


def _text(path: Path | None) -> str:
    signs: list[str] = []
    while path is not None:
        path, sign = path
        signs.append(sign)
    return "".join(reversed(signs))
