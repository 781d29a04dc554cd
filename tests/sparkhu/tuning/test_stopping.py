"""Early stopping: the rules of Katib's medianstop, and how its collector applies them."""

from datetime import UTC, datetime

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.space import Direction
from sparkhu.tuning.stopping import Rule, Stopping, Watch, make_stopping
from sparkhu.tuning.trials import Measurement, Status, Trial

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def trial(number: int, values: list[float], status: Status = "Succeeded") -> Trial:
    mixed = [Measurement(NOW, metric, str(value)) for value in values for metric in ("loss", "seconds")]
    return Trial(number, f"t-{number}", {}, status=status, measurements=tuple(mixed))


def medianstop(direction: Direction = "minimize", **settings: object) -> Stopping:
    given = {name: str(value) for name, value in settings.items()}
    return make_stopping("medianstop", settings=given, direction=direction, metric="loss")


PAST = [trial(0, [9, 7, 5, 3, 1]), trial(1, [4, 4, 4, 4]), trial(2, [2.0])]


def test_a_rule_is_the_mean_of_the_means_of_the_first_values() -> None:
    # (9 + 7 + 5 + 3) / 4, 4 and 2: the fifth value is past the start step.
    assert medianstop().rules(PAST) == (Rule("loss", 4.0, "greater", 4),)
    assert medianstop("maximize", start_step=1).rules(PAST) == (Rule("loss", 5.0, "less", 1),)


def test_there_is_no_rule_before_enough_trials_have_succeeded() -> None:
    others = [trial(3, [1], "EarlyStopped"), trial(4, [1], "Running"), trial(5, [1], "Failed")]
    assert medianstop().rules([*PAST[:2], *others]) == ()
    assert medianstop(min_trials_required=2).rules(PAST[:2]) == (Rule("loss", 5.0, "greater", 4),)


def test_values_that_are_no_finite_numbers_are_left_out() -> None:
    assert medianstop().rules([*PAST, trial(3, [float("nan"), 8, float("inf")])])[0].value == 5.0
    assert medianstop(min_trials_required=4).rules([*PAST, trial(3, [float("nan")])]) == ()


def test_later_trials_change_the_rule() -> None:
    stopping = medianstop()
    first = stopping.rules(PAST)
    assert stopping.rules([*PAST, trial(3, [8])]) == (Rule("loss", 5.0, "greater", 4),) != first


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"min_trials_required": 0}, "setting min_trials_required .* whole number from 1 on, got '0'"),
        ({"start_step": "soon"}, "setting start_step .* whole number from 1 on, got 'soon'"),
        ({"percentile": 5}, "unknown setting percentile for algorithm medianstop; it has: min_trials_required, start"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        medianstop(**settings)


def test_other_early_stoppings_are_named() -> None:
    with pytest.raises(InputError, match="unknown early stopping 'asha'; there is medianstop"):
        make_stopping("asha", settings={}, direction="minimize", metric="loss")


def watched(rules: list[Rule], values: list[float], *, metric: str = "loss", direction: Direction = "minimize") -> int:
    """Tell after how many reports a trial is stopped; 0: never."""
    watch = Watch(rules, direction=direction, metric="loss")
    return next((at for at, value in enumerate(values, 1) if watch.report(metric, value)), 0)


@pytest.mark.parametrize(
    ("values", "stopped"),
    [
        ([9, 9, 9], 3),  # worse than the rule when it is applied
        ([1, 9, 9], 0),  # the best so far counts, not the last
        ([9, 9, 5], 0),  # as good as the rule is good enough
        ([9, 9], 0),  # too early
    ],
)
def test_a_rule_is_applied_to_the_best_value_at_its_step(values: list[float], stopped: int) -> None:
    assert watched([Rule("loss", 5.0, "greater", 3)], values) == stopped
    assert watched([Rule("loss", -5.0, "less", 3)], [-value for value in values], direction="maximize") == stopped


def test_a_rule_without_a_step_is_applied_to_every_value() -> None:
    assert watched([Rule("seconds", 10, "greater")], [1, 9, 11], metric="seconds") == 3
    assert watched([Rule("seconds", 3, "equal")], [1, 2, 3], metric="seconds") == 3


def test_a_rule_is_not_applied_after_its_step() -> None:
    assert watched([Rule("seconds", 10, "greater", 2)], [1, 5, 11], metric="seconds") == 0
    assert watched([Rule("seconds", 10, "greater", 2)], [1, 11], metric="seconds") == 2


def test_another_metric_is_compared_as_it_is_and_counts_for_itself() -> None:
    watch = Watch([Rule("seconds", 10, "less", 2)], direction="minimize", metric="loss")
    assert not watch.report("loss", 1)
    assert not watch.report("seconds", 1)
    assert watch.report("seconds", 9)


def test_a_trial_stops_once_every_rule_has_held() -> None:
    watch = Watch([Rule("loss", 5, "greater"), Rule("seconds", 10, "greater")], direction="minimize", metric="loss")
    assert not watch.report("loss", 6)
    assert not watch.report("loss", 1)
    assert watch.report("seconds", 11)
    assert watch.stopped


def test_a_trial_without_rules_is_never_stopped() -> None:
    assert watched([], [1, 2, 3]) == 0


def test_the_largest_numbers_have_a_mean() -> None:
    assert medianstop().rules([trial(number, [1.7e308, 1.7e308]) for number in range(3)])[0].value == 1.7e308
