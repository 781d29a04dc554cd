import pytest

from sparkhu.errors import InputError
from sparkhu.models.linear import SPACE, LinearSettings


def test_an_assignment_is_read_and_written_back() -> None:
    assignment = {"strength": "0.0316", "look_back": "0.5", "shrink_to": "seasonal_naive"}
    settings = LinearSettings.of(assignment)
    assert settings == LinearSettings(0.0316, 0.5, "seasonal_naive")
    assert settings.assignment() == assignment
    assert set(assignment) == {parameter.name for parameter in SPACE}


def test_without_an_assignment_there_are_the_defaults() -> None:
    assert LinearSettings.of({}) == LinearSettings(None, 1.0, "last_value")
    assert "strength" not in LinearSettings().assignment()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ({"strenght": "1"}, "'strenght' is no parameter of the linear model; there is strength, look_back, shrink_to."),
        ({"strength": "much"}, "is no number: could not convert string to float: 'much'"),
        ({"strength": "0"}, "strength must be positive, got 0.0"),
        ({"strength": "inf"}, "strength must be positive, got inf"),
        ({"strength": "nan"}, "strength must be positive, got nan"),
        ({"look_back": "1.5"}, r"look_back must lie in \(0, 1\], got 1.5"),
        ({"shrink_to": "drift"}, "shrink_to must be one of last_value, seasonal_naive, got 'drift'"),
    ],
)
def test_what_cannot_be_used_is_named(assignment: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LinearSettings.of(assignment)
