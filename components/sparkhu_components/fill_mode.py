"""Component: Fill missing points with the most frequent value of the training part, and score that on masked points."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def fill_mode(
    observations: Input[Dataset],
    profile: Input[Dataset],
    filled: Output[Dataset],
    scores: Output[Dataset],
    edge: str = "leave",
    max_gap_points: int = 0,
) -> None:
    """Fill missing points with the most frequent value of the training part, and score that on masked known points.

    Args:
        observations: Observations with marked gaps.
        profile: One row a series: way, period, season, borders of the split.
        filled: Layer: mode, mode_available_at, null where nothing is missing; mode_fit,
            mode_fit_available_at: what was fitted, and from when it is known.
        scores: Mean absolute error on masked points by length of the mask.
        edge: Missing points before the first or after the last known one: leave, or nearest known
            value.
        max_gap_points: Longest run of missing points that is filled; 0: any.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.filling import fill as step

    filled.metadata.update(
        run_step(
            step,
            name="fill_mode",
            inputs={
                "observations": observations.path,
                "profile": profile.path,
            },
            outputs={
                "filled": (filled.path, "columns"),
                "scores": (scores.path, "series"),
            },
            params={"strategy": "mode", "edge": edge, "max_gap_points": max_gap_points},
        )
    )
