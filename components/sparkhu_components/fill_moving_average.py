"""Component: Fill missing points with the mean of the known ones around them, and score that on masked points."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def fill_moving_average(
    observations: Input[Dataset],
    profile: Input[Dataset],
    filled: Output[Dataset],
    scores: Output[Dataset],
    edge: str = "leave",
    max_gap_points: int = 0,
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Fill missing points with the mean of the known points around them, and score that on masked known points.

    Args:
        observations: Observations with marked gaps.
        profile: One row a series: way, period, season, borders of the split.
        filled: Layer: moving_average, moving_average_available_at; null where nothing is missing.
        scores: Mean absolute error on masked points by length of the mask.
        edge: Missing points before the first or after the last known one: leave, or nearest known
            value.
        max_gap_points: Longest run of missing points that is filled; 0: any.
        settings: How gaps are filled: window.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Filling
    from sparkhu.steps.filling import fill as step

    window = Filling.of(settings).window

    filled.metadata.update(
        run_step(
            step,
            name="fill_moving_average",
            inputs={
                "observations": observations.path,
                "profile": profile.path,
            },
            outputs={
                "filled": (filled.path, "columns"),
                "scores": (scores.path, "series"),
            },
            params={
                "strategy": "moving_average",
                "edge": edge,
                "max_gap_points": max_gap_points,
                "window": window,
            },
        )
    )
