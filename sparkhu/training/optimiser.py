"""Where a training stands, and a step of its optimiser.

Source: D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, with the decay of I. Loshchilov
and F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019. All parameters are one vector.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparkhu.training.plan import Plan

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Epoch:
    """What an epoch brought.

    Attributes:
        epoch: Its number, from 1.
        of: How many there are at most.
        train: Mean loss of its steps, of all ranks.
        choose: Loss on the choosing windows behind it; null where there are none.
        seconds: How long it took, without validation.
    """

    epoch: int
    of: int
    train: float
    choose: float | None
    seconds: float


@dataclass(eq=False)
class State:
    """Where a training stands.

    Attributes:
        epoch: Epochs that are done.
        flat: The parameters.
        mean: First moment of the gradient.
        square: Second moment of the gradient.
        best_flat: The parameters of the best epoch.
        best: Its number.
        best_loss: Its loss.
        epochs: What each epoch brought.
    """

    epoch: int
    flat: "Tensor"
    mean: "Tensor"
    square: "Tensor"
    best_flat: "Tensor"
    best: int = 0
    best_loss: float = float("inf")
    epochs: list[Epoch] = field(default_factory=list)

    @classmethod
    def at(cls, flat: "Tensor") -> "State":
        """Begin with some parameters."""
        import torch

        return cls(0, flat, torch.zeros_like(flat), torch.zeros_like(flat), flat.clone())


def adam(state: State, gradient: "Tensor", plan: Plan, step: int, rate: float) -> None:
    """Take a step, in place.

    Args:
        state: Its parameters and moments are changed.
        gradient: Of the mean loss.
        plan: Has the decay.
        step: From 1, counted from the first epoch on.
        rate: The learning rate.
    """
    first, second, smallest = 0.9, 0.999, 1e-8
    state.mean.lerp_(gradient, 1 - first)
    state.square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    size = (state.square / (1 - second**step)).sqrt_().add_(smallest)
    state.flat.mul_(1 - rate * plan.weight_decay)
    state.flat.addcdiv_(state.mean, size, value=-rate / (1 - first**step))
