"""Component: Bring irregular series to the grid of their median gap, so that they can be forecast."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def resample_irregular(
    observations: Input[Dataset],
    flags: Input[Dataset],
    profile: Input[Dataset],
    grid: Output[Dataset],
    grid_profile: Output[Dataset],
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Bring irregular series to the grid of their median gap, so that they can be forecast.

    Args:
        observations: Observations of irregular series.
        flags: Layer of outlier flags.
        profile: One row a series: way, period, season, borders of the split.
        grid: Evenly spaced observations.
        grid_profile: The profile of each series on its grid.
        settings: max_grid_points: most points that the grid of a series may have; one that needs more fails.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Resampling
    from sparkhu.steps.irregular_grid import resample_irregular as step

    grid.metadata.update(
        run_step(
            step,
            name="resample_irregular",
            inputs={
                "observations": [observations.path, flags.path],
                "profile": profile.path,
            },
            outputs={
                "observations": (grid.path, "rows"),
                "profile": (grid_profile.path, "series"),
            },
            params={"max_grid_points": Resampling.of(settings).max_grid_points},
        )
    )
