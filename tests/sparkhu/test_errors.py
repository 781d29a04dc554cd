import pytest

from sparkhu.errors import InputError, SparkhuError


def test_the_users_input_ends_with_2_and_a_failure_with_1() -> None:
    assert (SparkhuError.exit_code, InputError.exit_code) == (1, 2)


def test_an_input_error_can_be_caught_as_a_value_error() -> None:
    with pytest.raises(ValueError, match="width must be positive"):
        raise InputError("width must be positive, got -1")
    assert issubclass(InputError, SparkhuError)
