"""The search spaces of the models that can be tuned, each declared beside its model."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sparkhu.models import linear, own_linear, trees
from sparkhu.models.neural.architectures import ARCHITECTURES
from sparkhu.tuning.space import Parameter, Space

SPACES: Final[Mapping[str, Space]] = MappingProxyType(
    {"linear": linear.SPACE, "own_linear": own_linear.SPACE, "trees": trees.SPACE}
    | {name: each.space for name, each in ARCHITECTURES.items()}
)
"""What can be tuned, by the names of the models; one that is not named has no parameters."""
UNTUNED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"linear": linear.UNTUNED, "own_linear": own_linear.UNTUNED, "trees": trees.UNTUNED}
    | {name: each.untuned for name, each in ARCHITECTURES.items()}
)
MEANINGS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"linear": linear.MEANINGS, "own_linear": own_linear.MEANINGS, "trees": trees.MEANINGS}
    | {name: each.meanings for name, each in ARCHITECTURES.items()}
)


class Described(NamedTuple):
    """A parameter of a model, in words."""

    model: str
    name: str
    kind: str
    values: str
    default: str
    meaning: str


def described() -> list[Described]:
    """Describe every parameter that is tuned, model by model."""
    return [
        Described(
            model=model,
            name=parameter.name,
            kind=parameter.kind,
            values=_values(parameter),
            default=UNTUNED[model][parameter.name],
            meaning=MEANINGS[model][parameter.name],
        )
        for model, space in SPACES.items()
        for parameter in space
    ]


def _values(parameter: Parameter) -> str:
    if parameter.choices:
        return ", ".join(parameter.choices)
    steps = f" in steps of {parameter.step:g}" if parameter.step else ""
    return f"{parameter.low:g} to {parameter.high:g}{steps}, {parameter.distribution}"
