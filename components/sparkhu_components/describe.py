"""Component: Describe every series: moments, quartiles, stationarity, strength of trend and season."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def describe(
    observations: Input[Dataset],
    stats: Output[Dataset],
    categories: Output[Dataset],
    split: str = "0.7/0.1/0.2",
    zone: str = "UTC",
    season_length: int = 0,
    period: str = "",
    settings: dict[str, Any] = {},  # noqa: B006
) -> None:
    """Describe every series: moments, quartiles, stationarity, strength of trend and season.

    Args:
        observations: Observations: whole series, sorted by series and time.
        stats: One row of descriptive statistics a series.
        categories: How often each value of the source's columns of text, and of yes and no, occurs in each series.
        split: Training, validation and test part: shares of each series, or numbers of its rows.
        zone: Zone of `sample_start` and `sample_end` where they name none; and where days begin.
        season_length: Points in a season; 0: from the calendar.
        period: Period of every series, such as 1h or 1mo; empty: found from the data.
        settings: stationarity_points: latest points that the costly tests look at, 0 for no tests (1000);
            sample_start and sample_end: interval that quartiles are fitted on, instead of the training part.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Statistics
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
                "categories": (categories.path, "series"),
            },
            params={
                "split": split,
                "zone": zone,
                "season_length": season_length,
                "period": period,
                **Statistics.of(settings).model_dump(),
            },
        )
    )
