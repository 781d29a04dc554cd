"""Component: Describe every series: moments, quartiles, stationarity, strength of trend and season."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def describe(
    observations: Input[Dataset],
    stats: Output[Dataset],
    split: str = "0.7/0.1/0.2",
    stationarity_points: int = 1000,
) -> None:
    """Describe every series: moments, quartiles, stationarity, strength of trend and season.

    Args:
        observations: Observations: whole series, sorted by series and time.
        stats: One row of descriptive statistics a series.
        split: Training, validation and test part: shares of each series, or numbers of its rows.
        stationarity_points: Latest points that the costly tests look at; 0 leaves the tests out.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.description import describe as step

    stats.metadata.update(
        run_step(
            step,
            name="describe",
            inputs={
                "observations": observations.path,
            },
            outputs={
                "stats": (stats.path, "series"),
            },
            params={"split": split, "stationarity_points": stationarity_points},
        )
    )
