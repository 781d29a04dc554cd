"""Component: Bring regular series to another period, in the calendar of their zone."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def resample(
    observations: Input[Dataset],
    filled: Input[Dataset],
    profile: Input[Dataset],
    resampled: Output[Dataset],
    resampled_profile: Output[Dataset],
    zone: str = "UTC",
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Bring regular series to another period, in the calendar of their zone; without one they pass through.

    Args:
        observations: Regular series with marked gaps.
        filled: Layer of filled values.
        profile: One row a series: way, period, season, borders of the split.
        resampled: Observations of the new period, all columns.
        resampled_profile: Profile of all series, that of the regular ones with the new period.
        zone: Zone in which days, weeks and months begin.
        settings: to: period such as 1h or 1mo, empty for none (a chain gives what its last period gives); how: mean,
            sum, min, max, last, ohlcv or vwap; up: last, linear or none, for a shorter period; edges: drop or keep a
            first or last period covered in part.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Resampling
    from sparkhu.steps.resampling import resample_regular as step

    resampled.metadata.update(
        run_step(
            step,
            name="resample",
            inputs={
                "observations": [observations.path, filled.path],
                "profile": profile.path,
            },
            outputs={
                "observations": (resampled.path, "rows"),
                "profile": (resampled_profile.path, "series"),
            },
            params={"zone": zone, **Resampling.of(settings).model_dump(exclude={"max_grid_points"})},
        )
    )
