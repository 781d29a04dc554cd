"""The search space of an experiment: its parameters, as Katib declares them, with numbers read."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["int", "double", "discrete", "categorical"]
Distribution = Literal["uniform", "logUniform", "normal", "logNormal"]
Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a search space.

    Attributes:
        name: Its name in the experiment.
        kind: `int` and `double` lie in [low, high]; `discrete` and `categorical` are one of `choices`.
        low: Smallest value of an int or a double.
        high: Largest value of an int or a double.
        step: Distance of the values, counted from `low`; None: every value (of an int: every whole number).
        distribution: How values of an int or a double are spread.
        choices: The values of the others, as the experiment writes them; numbers where the kind is `discrete`.
    """

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    step: float | None = None
    distribution: Distribution = "uniform"
    choices: tuple[str, ...] = ()

    def value(self, text: str) -> int | float | str:
        """Read a value of this parameter as a trial is given it."""
        if self.kind == "int":
            return int(text)
        return text if self.kind == "categorical" else float(text)


Space = tuple[Parameter, ...]
