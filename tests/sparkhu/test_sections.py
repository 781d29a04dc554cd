"""Sections of parameters: defaults, and errors that name section, parameter, value and way out."""

import pytest

from sparkhu.errors import InputError
from sparkhu.sections import Anomalies, Handling


def test_what_is_not_given_has_its_default():
    settings = Handling.of({"alpha": 0.5})
    assert settings.alpha == 0.5
    assert settings.choice == ""


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    with pytest.raises(InputError, match=r"'handling\.alpa' is unknown; did you mean alpha\?"):
        Handling.of({"alpa": 0.5})


def test_a_name_like_no_other_is_answered_with_all_names():
    with pytest.raises(InputError, match=r"'handling\.q' is unknown; there is choice, variants, alpha\."):
        Handling.of({"q": 1})


def test_a_value_out_of_range_is_named():
    with pytest.raises(InputError, match=r"'anomalies\.width' cannot be 0: input should be greater than 0\."):
        Anomalies.of({"width": 0})


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Handling.of({}).alpha = 0.1  # type: ignore[misc]
