"""The neural models that there are, and what can be set of each. Nothing here imports torch.

| name | what it is |
| --- | --- |
| `lstm` | an LSTM over segments (SegRNN) |
| `nhits` | three stacks of multi-layer perceptrons, pooled and interpolated (N-HiTS) |
| `patch_transformer` | a transformer over patches (PatchTST) |

Each is added to a linear map of the same window (NLinear), and sees it less its last value or its mean (`centre`). Each
is one module for all series of a group: what differs between series is their scaler and their windows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sparkhu.errors import InputError
from sparkhu.tuning.space import Parameter, Space

if TYPE_CHECKING:
    from torch import nn

Values = Mapping[str, Any]
Shape = dict[str, Any]
"""The arguments of a module, JSON values: what is saved beside its weights."""

CENTRES = ("last", "mean")
HEADS = 4
DROPOUT = Parameter("dropout", "double", low=0.0, high=0.5)
LEARNING_RATE = Parameter("learning_rate", "double", low=1e-4, high=1e-2, distribution="logUniform")
CENTRE = Parameter("centre", "categorical", choices=CENTRES)
SHARED_MEANINGS: Final[Mapping[str, str]] = {
    "centre": "What is taken off each window: its last value, or its mean, and then divided by its deviation.",
    "dropout": "Share of the units that is left out while training.",
    "learning_rate": "Largest step of the optimiser, for a batch of 256 windows.",
}


@dataclass(frozen=True)
class Architecture:
    """A neural model.

    Attributes:
        name: Its name in forecasts, metrics and settings.
        space: What can be tuned of it, of its training too.
        untuned: What each parameter is where it is not given.
        meanings: What each parameter is, in words.
        shape: The arguments of its module from L, H, the season and the values of its parameters.
        module: Makes the module, weights drawn from torch's own random numbers.
    """

    name: str
    space: Space
    untuned: Mapping[str, str]
    meanings: Mapping[str, str]
    shape: Callable[[int, int, int, Values], Shape]
    module: Callable[[int, int, Shape], "nn.Module"]


def segment_of(input_size: int, season: int) -> int:
    """Choose the points of a segment: a season where four of them fit into the input, else a quarter of the input."""
    return season if 1 < season <= input_size // 4 else max(min(input_size // 4, 24), 1)


def _lstm_shape(L: int, H: int, season: int, values: Values) -> Shape:
    segment = min(segment_of(L, season), H)
    return {"segment": segment, "width": int(values["width"]), "dropout": values["dropout"]}


def _lstm(L: int, H: int, shape: Shape) -> "nn.Module":
    from sparkhu.models.neural.modules.lstm import SegmentLSTM

    return SegmentLSTM(L, H, **shape)


def _nhits_shape(L: int, H: int, season: int, values: Values) -> Shape:
    coarse = min(int(values["pooling"]), L)
    pools = [coarse, max(coarse // 2, 1), 1]
    knots = [max(H // ratio, 1) for ratio in (max(season, 2), max(season // 4, 2), 1)]
    return {"pools": pools, "knots": knots, "width": int(values["width"]), "dropout": values["dropout"]}


def _nhits(L: int, H: int, shape: Shape) -> "nn.Module":
    from sparkhu.models.neural.modules.nhits import NHITS

    return NHITS(L, H, **shape)


def _patch_shape(L: int, H: int, season: int, values: Values) -> Shape:  # noqa: ARG001 - one form for all
    patch, width = min(int(values["patch"]), L), int(values["width"])
    if width % HEADS:
        raise InputError(f"width of the model patch_transformer must be a multiple of {HEADS}, got {width}")
    sizes = {"patch": patch, "stride": max(patch // 2, 1), "width": width, "heads": HEADS}
    return {**sizes, "layers": int(values["layers"]), "dropout": values["dropout"]}


def _patch(L: int, H: int, shape: Shape) -> "nn.Module":
    from sparkhu.models.neural.modules.patch_transformer import PatchTransformer

    return PatchTransformer(L, H, **shape)


LSTM: Final = Architecture(
    "lstm",
    (Parameter("width", "discrete", choices=("32", "64", "128", "256")), DROPOUT, LEARNING_RATE, CENTRE),
    {"width": "128", "dropout": "0.3", "learning_rate": "0.001", "centre": "last"},
    {"width": "Units of the LSTM.", **SHARED_MEANINGS},
    _lstm_shape,
    _lstm,
)
NHITS: Final = Architecture(
    "nhits",
    (
        Parameter("width", "discrete", choices=("64", "128", "256", "512")),
        Parameter("pooling", "discrete", choices=("2", "4", "8", "16")),
        *(DROPOUT, LEARNING_RATE, CENTRE),
    ),
    {"width": "128", "pooling": "8", "dropout": "0.3", "learning_rate": "0.001", "centre": "last"},
    {
        "width": "Units of each hidden layer.",
        "pooling": "Points that the first stack sees as one; the second sees half as many so, the third every point.",
        **SHARED_MEANINGS,
    },
    _nhits_shape,
    _nhits,
)
PATCH_TRANSFORMER: Final = Architecture(
    "patch_transformer",
    (
        Parameter("patch", "discrete", choices=("8", "16", "24", "48")),
        Parameter("width", "discrete", choices=("16", "32", "64", "128")),
        Parameter("layers", "int", low=1, high=4),
        *(DROPOUT, LEARNING_RATE, CENTRE),
    ),
    {
        "patch": "48",
        "width": "16",
        "layers": "1",
        "dropout": "0.3",
        "learning_rate": "0.001",
        "centre": "last",
    },
    {
        "patch": "Points of a patch; each overlaps the next by half.",
        "width": "Numbers that a patch is made of.",
        "layers": "Layers of attention.",
        **SHARED_MEANINGS,
    },
    _patch_shape,
    _patch,
)
ARCHITECTURES: Final[Mapping[str, Architecture]] = {each.name: each for each in (LSTM, NHITS, PATCH_TRANSFORMER)}


def values_of(architecture: Architecture, assignment: Values) -> dict[str, Any]:
    """Read the values of an architecture's parameters, texts or numbers; what is not given has its default.

    Raises:
        InputError: A name is unknown, or a value is none of its parameter.
    """
    known = {parameter.name: parameter for parameter in architecture.space}
    if unknown := assignment.keys() - known:
        names = ", ".join(known)
        raise InputError(f"'{min(unknown)}' is no parameter of the model {architecture.name}; there is {names}.")
    found: dict[str, Any] = {}
    for name, parameter in known.items():
        given = assignment.get(name, architecture.untuned[name])
        try:
            found[name] = parameter.value(str(given))
        except ValueError as error:
            raise InputError(f"{name} of the model {architecture.name} must be a number, got '{given}'") from error
        if not _usable(parameter, found[name]):
            raise InputError(f"{name} of the model {architecture.name} must be {_allowed(parameter)}, got {given}")
    return found


def _usable(parameter: Parameter, value: Any) -> bool:
    """Say whether a value can be used, even where it lies outside of what is searched."""
    if parameter.kind == "categorical":
        return value in parameter.choices
    if parameter.name == "dropout":
        return bool(0 <= value < 1)
    if parameter.name == "learning_rate":
        return bool(0 < value < float("inf"))
    return bool(value >= 1 and value == int(value))


def _allowed(parameter: Parameter) -> str:
    if parameter.kind == "categorical":
        return f"one of {', '.join(parameter.choices)}"
    return {"dropout": "in [0, 1)", "learning_rate": "positive"}.get(parameter.name, "a whole number above 0")
