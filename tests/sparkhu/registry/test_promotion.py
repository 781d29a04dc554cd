import math
from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu.registry.comparing import Candidate, Comparison, choose
from sparkhu.registry.promotion import promote
from sparkhu.registry.versions import ModelVersion


def candidates(**scores: float) -> list[Candidate]:
    return [Candidate(ModelVersion("m", key.removeprefix("v"), "run"), score) for key, score in scores.items()]


def chosen(reigning: str | None, direction: str = "min", least: float = 0.0, **scores: float) -> tuple[str, str]:
    comparison = Comparison("mse", direction, least)  # type: ignore[arg-type]
    winner, reason = choose(candidates(**scores), reigning, comparison)
    return winner.version.version, reason


def against(yardstick: float) -> Comparison:
    return Comparison("mse", minimum_improvement=0.5, yardstick=yardstick)


def test_without_a_champion_the_best_wins() -> None:
    assert chosen(None, v1=0.5, v2=0.25) == ("2", "there was no champion; version 2 scores best with 0.25")


def test_a_larger_score_wins_where_larger_is_better() -> None:
    assert chosen(None, "max", v1=0.5, v2=0.25)[0] == "1"
    assert chosen("1", "max", v1=0.5, v2=0.75)[0] == "2"


def test_a_better_challenger_takes_the_place() -> None:
    assert chosen("1", v1=0.5, v2=0.25) == ("2", "version 2 is better: 0.25 against 0.5 of champion 1")


def test_of_equal_candidates_the_champion_stays_and_else_the_first_wins() -> None:
    assert chosen("2", v1=0.5, v2=0.5) == ("2", "no challenger is better than champion 2, which scores 0.5")
    assert chosen(None, v1=0.5, v2=0.5)[0] == "1"


def test_a_champion_stays_beside_one_that_is_better_by_rounding_alone() -> None:
    assert chosen("1", v1=0.5, v2=0.5 * (1 - 1e-12))[0] == "1"
    assert chosen("1", "max", v1=0.5, v2=0.5 * (1 + 1e-12))[0] == "1"
    assert chosen("1", v1=0.5, v2=0.5 * (1 - 1e-8))[0] == "2"
    # Nor is a champion worse than the yardstick by rounding.
    assert choose(candidates(v1=1.0, v2=0.9), "1", against(1 - 1e-12))[0].version.version == "1"


def test_the_minimum_improvement_is_a_share_of_the_champions_score() -> None:
    # 0.5 - 0.375 = 0.125 is exactly a quarter of 0.5: enough for 0.25, too little for 0.26.
    assert chosen("1", least=0.25, v1=0.5, v2=0.375)[0] == "2"
    version, reason = chosen("1", least=0.26, v1=0.5, v2=0.375)
    assert (version, reason) == ("1", "version 2 is better by less than 26.00%: 0.375 against 0.5 of champion 1")


def test_the_minimum_improvement_holds_for_negative_scores() -> None:
    assert chosen("1", "max", least=0.5, v1=-1.0, v2=-0.75)[0] == "1"
    assert chosen("1", "max", least=0.5, v1=-1.0, v2=-0.5)[0] == "2"


def test_the_minimum_improvement_protects_no_champion_that_is_worse_than_the_yardstick() -> None:
    winner, reason = choose(candidates(v1=1.0, v2=0.9), "1", against(0.95))
    assert winner.version.version == "2"
    assert "champion 1 is worse than the yardstick" in reason
    assert choose(candidates(v1=1.0, v2=0.9), "1", against(1.0))[0].version.version == "1"


def test_a_champion_without_a_score_gives_way_and_the_reason_says_so() -> None:
    said = "champion 7 has no score on this window; version 1 scores best with 0.5"
    assert chosen("7", v1=0.5) == ("1", said)
    assert chosen("7", v1=0.5, v7=math.nan) == ("1", said)


def test_a_score_that_is_not_finite_never_wins() -> None:
    assert chosen(None, v1=math.nan, v2=0.5, v3=-math.inf)[0] == "2"


def test_where_nothing_could_be_scored_the_first_stands() -> None:
    assert chosen("7", v2=math.nan, v1=math.inf) == ("2", "no candidate could be scored; version 2 stands first")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": "down"}, "direction must be 'min' or 'max', got 'down'"),
        ({"minimum_improvement": -0.1}, "minimum_improvement must be a share from 0 to below 1, got -0.1"),
        ({"minimum_improvement": 1.0}, "minimum_improvement must be a share from 0 to below 1, got 1.0"),
        ({"minimum_improvement": None}, "minimum_improvement must be a share from 0 to below 1, got None"),
        ({"yardstick": None}, "yardstick must be a score, NaN where there is none, got None"),
        ({"yardstick": True}, "yardstick must be a score, NaN where there is none, got True"),
        ({"window": None}, "window must be text that says what the scores were taken on, got None"),
        ({"metric": None}, "metric must be the name of a score, such as mse, got None"),
        ({"metric": ""}, "metric must be the name of a score, such as mse, got ''"),
    ],
)
def test_what_nothing_can_be_compared_by_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Comparison(**{"metric": "mse", **changes})


def test_a_decision_between_no_candidates_is_refused() -> None:
    with pytest.raises(InputError, match="candidates must be one version at least, got none"):
        promote("m", [], Comparison("mse"))
