"""From options to parameters."""

import pytest

from sparkhu.errors import InputError
from sparkhu_cli.given_parameters import parameters_of
from sparkhu_pipelines.parameters import run_parameters


def test_how_a_source_is_read_is_a_section_of_its_own() -> None:
    assert parameters_of({"table": "t", "time": "when"}) == {"reading.table": "t", "time": "when"}


def test_how_models_are_fitted_is_a_section_of_its_own() -> None:
    given = parameters_of({"models": "trees, lstm", "distribution": "torch", "workers": 2, "settings": ()})
    training = run_parameters({"source": "a.csv"}, given).training

    assert (training.models, training.distribution, training.workers) == (("trees", "lstm"), "torch", 2)


def test_settings_are_read_as_yaml() -> None:
    texts = ("handling.alpha=0.2", "decomposition.seasons=[24, 168]", "past=a=b")

    assert parameters_of({"settings": texts}) == {
        "handling.alpha": 0.2,
        "decomposition.seasons": [24, 168],
        "past": "a=b",
    }


def test_dates_and_times_stay_text() -> None:
    texts = ("start=2024-01-05", "statistics.sample_start=2024-01-05 06:30:00+09:00", "model_name='2024-01-05'")

    assert parameters_of({"settings": texts}) == {
        "start": "2024-01-05",
        "statistics.sample_start": "2024-01-05 06:30:00+09:00",
        "model_name": "2024-01-05",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [("alpha", "takes NAME=VALUE"), ("=3", "takes NAME=VALUE"), ("seasons=[24", r"no YAML: '\[24'\. Quote it")],
)
def test_a_setting_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parameters_of({"settings": (text,)})
