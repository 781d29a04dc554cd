import subprocess
import sys

import pytest

from sparkhu.errors import InputError
from sparkhu.models.neural.architectures import ARCHITECTURES, LSTM, NHITS, PATCH_TRANSFORMER, segment_of, values_of


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def test_every_parameter_has_a_default_inside_its_space_and_a_meaning(architecture: object) -> None:
    names = {parameter.name for parameter in architecture.space}
    assert names == set(architecture.untuned) == set(architecture.meanings)
    values = values_of(architecture, {})
    for parameter in architecture.space:
        if parameter.choices:
            assert architecture.untuned[parameter.name] in parameter.choices
        else:
            assert parameter.low <= values[parameter.name] <= parameter.high


def test_values_are_read_from_texts_and_numbers() -> None:
    assert values_of(LSTM, {"width": "64", "dropout": 0})["width"] == 64
    assert values_of(LSTM, {"width": 64.0, "dropout": 0})["dropout"] == 0
    assert values_of(PATCH_TRANSFORMER, {"layers": "4"})["layers"] == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"widht": "1"}, "'widht' is no parameter of the model lstm; there is width, dropout, learning_rate, centre."),
        ({"width": "much"}, "width of the model lstm must be a number, got 'much'"),
        ({"width": "0"}, "width of the model lstm must be a whole number above 0, got 0"),
        ({"width": "1.5"}, "width of the model lstm must be a whole number above 0, got 1.5"),
        ({"dropout": "1"}, r"dropout of the model lstm must be in \[0, 1\), got 1"),
        ({"learning_rate": "nan"}, "learning_rate of the model lstm must be positive, got nan"),
        ({"centre": "median"}, "centre of the model lstm must be one of last, mean, got median"),
    ],
)
def test_what_cannot_be_used_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        values_of(LSTM, given)


def test_attention_wants_a_width_that_its_heads_divide() -> None:
    with pytest.raises(InputError, match="must be a multiple of 4, got 18"):
        PATCH_TRANSFORMER.shape(48, 12, 24, values_of(PATCH_TRANSFORMER, {"width": "18"}))


def test_a_segment_is_a_season_where_four_fit() -> None:
    assert segment_of(336, 24) == 24
    assert segment_of(96, 24) == 24
    assert segment_of(95, 24) == 23
    assert segment_of(3, 1) == 1


def test_n_hits_forecasts_a_knot_a_season_first_and_every_point_last() -> None:
    shape = NHITS.shape(336, 96, 24, values_of(NHITS, {}))
    assert (shape["pools"], shape["knots"]) == ([8, 4, 1], [4, 16, 96])


def test_what_can_be_set_is_known_without_torch() -> None:
    script = "import sparkhu.models.loading, sparkhu.training.neural, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
