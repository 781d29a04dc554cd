"""The strategies that gaps are filled with, by name."""

from sparkhu.errors import InputError
from sparkhu.steps.estimates import Fitted, Strategy
from sparkhu.steps.fitted_fills import Mean, Median, Mode
from sparkhu.steps.neighbour_fills import Last, Linear, MovingAverage, Next
from sparkhu.steps.seasonal_fill import Seasonal
from sparkhu.steps.splines import Spline

ORDER = ("mean", "median", "mode", "last", "next", "linear", "spline", "seasonal", "moving_average")
"""All strategies from the simplest on: of two that score the same, the simpler is taken."""
FITTED: dict[str, Fitted] = {"mean": Mean(), "median": Median(), "mode": Mode()}
WINDOW = 5
"""Known points on each side that the moving average looks at, unless told otherwise."""
STRATEGIES: dict[str, Strategy] = {
    **FITTED,
    "last": Last(),
    "next": Next(),
    "linear": Linear(),
    "spline": Spline(),
    "seasonal": Seasonal(),
    "moving_average": MovingAverage(WINDOW),
}
DROP, LEAVE = "drop", "leave"
UNSCORED = (DROP, LEAVE)
"""What is chosen by name only: missing rows are taken out, or stay as they are."""


def strategy_of(name: str, *, window: int = WINDOW) -> Strategy:
    """Give the strategy of a name.

    Args:
        name: One in `STRATEGIES`.
        window: For `moving_average`: known points on each side.

    Raises:
        InputError: The name is unknown, or `window` is smaller than 1.
    """
    if name not in STRATEGIES:
        raise InputError(f"strategy must be one of {', '.join(STRATEGIES)}, got '{name}'.")
    return MovingAverage(window) if name == "moving_average" else STRATEGIES[name]
