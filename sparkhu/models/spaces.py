"""The search spaces of the models that can be tuned, each declared beside its model."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sparkhu.models import linear
from sparkhu.tuning.space import Parameter, Space

SPACES: Final[Mapping[str, Space]] = MappingProxyType({"linear": linear.SPACE})
UNTUNED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({"linear": linear.UNTUNED})
MEANINGS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({"linear": linear.MEANINGS})


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
