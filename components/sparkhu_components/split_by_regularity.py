"""Component: Send regular and irregular series different ways."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def split_by_regularity(
    observations: Input[Dataset],
    profile: Input[Dataset],
    regular: Output[Dataset],
    irregular: Output[Dataset],
) -> None:
    """Send regular and irregular series different ways.

    Args:
        observations: Observations: whole series, sorted by series and time.
        profile: One row a series: way, period, season, borders of the split.
        regular: Series with a period.
        irregular: Series without one, or too short to tell.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.regularity import split_by_regularity as step

    regular.metadata.update(
        run_step(
            step,
            name="split_by_regularity",
            inputs={
                "observations": observations.path,
                "profile": profile.path,
            },
            outputs={
                "regular": (regular.path, "rows"),
                "irregular": (irregular.path, "rows"),
            },
            params={},
        )
    )
