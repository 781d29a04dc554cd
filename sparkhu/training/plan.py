"""How a neural model is trained; how large its steps are is a setting of its architecture."""

from dataclasses import asdict, dataclass, replace
from math import cos, pi, sqrt
from typing import Any, Literal, get_args

from sparkhu.errors import InputError

Loss = Literal["mse", "mae"]
USUAL_BATCH = 256
SMALLEST_BATCH = 8
LOWEST_SHARE = 0.01


@dataclass(frozen=True)
class Plan:
    """How a neural model is trained.

    Attributes:
        epochs: Most passes over the windows; more of them where they would take too few steps.
        patience: Epochs without a better loss on the choosing windows before it stops.
        batch: Most windows of one step, of all ranks together: it does not depend on how many ranks there are. It is
            smaller, down to some 8, where all epochs would take too few steps.
        least_steps: Of all epochs together: few windows take as many steps to learn from as more.
        micro_batch: Most windows that one process looks at at once; a larger share of the batch is accumulated.
        windows_per_epoch: Most windows that are drawn for an epoch, of all ranks together.
        weight_decay: Share of the learning rate by which weights shrink at each step.
        clip: Largest norm of a gradient; a longer one is shortened.
        loss: What is made small: the mean squared or the mean absolute error, in scaled units.

    Raises:
        InputError: A value lies outside.
    """

    epochs: int = 8
    patience: int = 3
    batch: int = USUAL_BATCH
    least_steps: int = 512
    micro_batch: int = 1024
    windows_per_epoch: int = 2**14
    weight_decay: float = 1e-4
    clip: float = 1.0
    loss: Loss = "mse"

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch", "least_steps", "micro_batch", "windows_per_epoch", "clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.weight_decay < 1:
            raise InputError(f"weight_decay must lie in [0, 1), got {self.weight_decay}")
        if self.loss not in get_args(Loss):
            raise InputError(f"loss must be one of {', '.join(get_args(Loss))}, got '{self.loss}'")

    def for_windows(self, windows: int) -> "Plan":
        """Give the plan for so many windows an epoch: `least_steps` by smaller batches, and by more epochs behind that.

        Example:
            >>> small = Plan().for_windows(200)
            >>> small.batch, small.steps(200), small.epochs, small.patience
            (8, 25, 24, 9)
        """
        if self.epochs * self.steps(windows) >= self.least_steps:
            return self
        batch = min(self.batch, max(windows * self.epochs // self.least_steps, SMALLEST_BATCH))
        smaller = replace(self, batch=batch)
        times = -(-self.least_steps // (self.epochs * smaller.steps(windows)))
        return replace(smaller, epochs=times * self.epochs, patience=times * self.patience)

    def steps(self, windows: int) -> int:
        """Give the steps of an epoch of so many windows."""
        return max(-(-windows // self.batch), 1)

    def rate(self, step: int, steps: int, largest: float) -> float:
        """Give the learning rate of a step.

        Source: linear warm-up: P. Goyal et al., "Accurate, Large Minibatch SGD", 2017; cosine: I. Loshchilov and
        F. Hutter, "SGDR", ICLR 2017; the root of the batch for Adam: S. Malladi et al., NeurIPS 2022.

        Args:
            step: From 0, counted from the first epoch on.
            steps: Of an epoch.
            largest: The largest rate, for a batch of 256 windows; scaled by √(batch / 256).
        """
        total = steps * self.epochs
        warm = max(min(steps, total // 10), 1)
        peak = largest * sqrt(self.batch / USUAL_BATCH)
        if step < warm:
            return peak * (step + 1) / warm
        share = (1 + cos(pi * (step - warm) / max(total - warm, 1))) / 2
        return peak * max(share, LOWEST_SHARE)

    def document(self) -> dict[str, Any]:
        """Give the plan as JSON values."""
        return asdict(self)
