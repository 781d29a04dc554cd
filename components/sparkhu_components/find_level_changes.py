"""Component: Find level shifts and drifts."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def find_level_changes(
    observations: Input[Dataset],
    profile: Input[Dataset],
    level_changes: Output[Dataset],
    settings: dict[str, Any] = {},  # noqa: B006
) -> None:
    """Find level shifts and drifts. They are told to people; no value changes.

    Args:
        observations: Filled observations: whole series, sorted by series and time.
        profile: Period and season of each series.
        level_changes: Shifts and drifts: when, how large, and how far beyond what is usual in the series.
        settings: From where on a change of the level is told: window, shift_width, drift_width.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import LevelChanges
    from sparkhu.steps.level_changes import find_level_changes as step

    level_changes.metadata.update(
        run_step(
            step,
            name="find_level_changes",
            inputs={"observations": observations.path, "profile": profile.path},
            outputs={"level_changes": (level_changes.path, "series")},
            params=LevelChanges.of(settings).model_dump(),
        )
    )
