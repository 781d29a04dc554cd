"""Which of two policies is the more specific one, and whether several leave an item to both of them.

Of two policies the one is more specific whose dataset stands for a part of what the other's stands for; where these
stand for the same, the one that asks for all tags of the other and more; where these are the same too, the one whose
storage stands for a part. Nothing else tells them apart: of `a*` and `*a` neither is more specific, though both are
about `aa`. Policies that have something in common and of which neither is more specific are refused, unless others that
are more specific than both are about all of that: nobody could tell which was meant.

A legal hold is no matter of rank: it holds all that its policy is about, and a policy that only holds competes with
none.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sparkhu.errors import InputError
from sparkhu_retention.policies.comparing import Steps, TooIntricateError, are_apart, example, lies_within
from sparkhu_retention.policies.patterns import beginning
from sparkhu_retention.policies.policy import Match, Policy


class Crossing(NamedTuple):
    """Two policies of equal rank, and a dataset that is left to both."""

    first: Policy
    second: Policy
    dataset: str


def is_more_specific(match: Match, other: Match, steps: Steps | None = None) -> bool:
    """Tell whether what a policy is about is more specific than what another is about.

    Raises:
        TooIntricateError: Their patterns are too intricate to tell.
    """
    if match.dataset != other.dataset:
        inside = lies_within(match.dataset, other.dataset, steps)
        around = lies_within(other.dataset, match.dataset, steps)
        if not (inside and around):
            return inside
    if match.tags != other.tags:
        return match.tags.items() > other.tags.items()
    one, beside = _storage(match), _storage(other)
    return one != beside and lies_within(one, beside, steps) and not lies_within(beside, one, steps)


def has_rules(policy: Policy) -> bool:
    """Tell a policy that says what becomes of items from one that only holds them."""
    return not policy.hold or bool(policy.no_policy or policy.period or policy.keep_newest or policy.floor)


def check_apart(new: Sequence[Policy], others: Sequence[Policy] = (), steps: Steps | None = None) -> None:
    """Check that policies leave nothing to two of equal rank.

    Args:
        new: Are to come into force.
        others: Stay in force beside them, whatever they leave to each other.
        steps: What is left to compare them with.

    Raises:
        InputError: Two do, or are too intricate to compare; the message names both, the field, and a dataset.
    """
    for found in crossing(new, others, steps):
        raise equal(found.first, found.second, f"dataset '{found.dataset}', for one")


def crossing(new: Sequence[Policy], others: Sequence[Policy] = (), steps: Steps | None = None) -> Iterator[Crossing]:
    """Find the policies of equal rank, at least one of each two among the new ones.

    Raises:
        InputError: Two are too intricate to compare; the message names both.
    """
    left = steps or Steps()
    those = [each for each in new if has_rules(each)]
    every = [*(each for each in others if has_rules(each)), *those]
    for first, second in _pairs(every, len(every) - len(those)):
        dataset = _left_to_both(first, second, every, left)
        if dataset is not None:
            yield Crossing(first, second, dataset)


def crossing_without(
    gone: Sequence[Policy], stay: Sequence[Policy], new: Sequence[Policy] = (), steps: Steps | None = None
) -> Iterator[Crossing]:
    """Find the policies that others have told apart, and nothing tells apart without these.

    Args:
        gone: Are in force no longer.
        stay: Stay in force.
        new: Come into force.
        steps: What is left to compare them with.

    Raises:
        InputError: Two are too intricate to compare; the message names both.
    """
    left, there = steps or Steps(), [each for each in stay if has_rules(each)]
    before, now = [*there, *filter(has_rules, gone)], [*there, *filter(has_rules, new)]
    found: set[tuple[str, str]] = set()
    for third in filter(has_rules, gone):
        around = [each for each in there if _is_within(third.match, each, left)]
        for first, second in _pairs(around):
            if (first.name, second.name) in found:
                continue
            dataset = _left_to_both(first, second, now, left)
            if dataset is not None and _left_to_both(first, second, before, left) is None:
                found.add((first.name, second.name))
                yield Crossing(first, second, dataset)


def equal(first: Policy, second: Policy, what: str) -> InputError:
    """Say that two policies are of equal rank for something."""
    return InputError(
        f"field 'match' must tell policies apart, and '{first.name}' and '{second.name}' are equally specific for the "
        f"{what}: one is about '{first.match.dataset}', the other about '{second.match.dataset}'. Give one of them a "
        "dataset that lies within the other's, or more tags, or add a policy of what both are about."
    )


def _pairs(policies: Sequence[Policy], old: int = 0) -> Iterator[tuple[Policy, Policy]]:
    """Pair policies of which the one's dataset begins as the other's may, and of which one is not among the `old`."""
    begun: list[tuple[str, int]] = []
    for begins, place in sorted((beginning(policy.match.dataset), place) for place, policy in enumerate(policies)):
        while begun and not begins.startswith(begun[-1][0]):
            begun.pop()
        for _, beside in begun:
            if max(place, beside) >= old:
                yield policies[min(place, beside)], policies[max(place, beside)]
        begun.append((begins, place))


def _left_to_both(first: Policy, second: Policy, every: Sequence[Policy], steps: Steps) -> str | None:
    """Find a dataset that two policies have in common, and that is left to neither of them nor to a third."""
    one, other = first.match, second.match
    datasets, storages = (one.dataset, other.dataset), (_storage(one), _storage(other))
    if any(other.tags.get(name, value) != value for name, value in one.tags.items()):
        return None
    if are_apart(storages) or are_apart(datasets):
        return None
    try:
        if is_more_specific(one, other, steps) or is_more_specific(other, one, steps):
            return None
        if example(storages, (), steps) is None or example(datasets, (), steps) is None:
            return None
        return example(datasets, tuple(sorted(_thirds(one, other, every, steps))), steps)
    except TooIntricateError as error:
        raise InputError(
            f"field 'match' has patterns that are too intricate to compare: '{one.dataset}' of '{first.name}' and "
            f"'{other.dataset}' of '{second.name}'. Use fewer * and ?, or set fewer policies at once."
        ) from error


def _thirds(one: Match, other: Match, every: Sequence[Policy], steps: Steps) -> set[str]:
    """Give the datasets of the policies that are more specific than two, wherever both count."""
    tags = one.tags.items() | other.tags.items()
    return {
        each.match.dataset
        for each in every
        if each.match.tags.items() <= tags
        and not are_apart((each.match.dataset, one.dataset, other.dataset))
        and any(lies_within(_storage(match), _storage(each.match), steps) for match in (one, other))
        and is_more_specific(each.match, one, steps)
        and is_more_specific(each.match, other, steps)
    }


def _is_within(match: Match, policy: Policy, steps: Steps) -> bool:
    """Tell whether something is more specific than a policy; what cannot be told counts as if it were."""
    if are_apart((match.dataset, policy.match.dataset)):
        return False
    try:
        return is_more_specific(match, policy.match, steps)
    except TooIntricateError:
        return True


def _storage(match: Match) -> str:
    return match.storage.rstrip("/")
