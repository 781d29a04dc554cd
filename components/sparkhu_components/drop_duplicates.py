"""Component: Keep one row an instant, and report every instant that had several."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def drop_duplicates(
    observations: Input[Dataset],
    unique: Output[Dataset],
    duplicates: Output[Dataset],
    policy: str = "last",
) -> None:
    """Keep one row an instant, and report every instant that had several.

    Args:
        observations: Observations: whole series, sorted by series and time.
        unique: Observations, one row an instant.
        duplicates: Instants that had several rows, of which kind, and what was kept.
        policy: What stands where values differ: last, first, mean, median, or error.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.deduplication import drop_duplicates as step

    unique.metadata.update(
        run_step(
            step,
            name="drop_duplicates",
            inputs={
                "observations": observations.path,
            },
            outputs={
                "observations": (unique.path, "rows"),
                "duplicates": (duplicates.path, "series"),
            },
            params={"policy": policy},
        )
    )
