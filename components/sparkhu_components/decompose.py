"""Component: Split every series into trend, season and remainder."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def decompose(
    observations: Input[Dataset],
    profile: Input[Dataset],
    parts: Output[Dataset],
    seasons: Output[Dataset],
    settings: dict[str, Any] = {},  # noqa: B006
) -> None:
    """Split every series into trend, season and remainder.

    Args:
        observations: Filled observations: whole series, sorted by series and time.
        profile: Period, season and training part of each series.
        parts: Layer: trend, seasonal, resid, parts_available_at.
        seasons: How each series was decomposed, by which seasons, and the strength of its trend and season.
        settings: How series are split into trend, season and remainder: method, seasons, robust, fast.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Decomposition
    from sparkhu.steps.decomposition import decompose as step

    parts.metadata.update(
        run_step(
            step,
            name="decompose",
            inputs={"observations": observations.path, "profile": profile.path},
            outputs={"parts": (parts.path, "columns"), "seasons": (seasons.path, "series")},
            params=Decomposition.of(settings).model_dump(),
        )
    )
