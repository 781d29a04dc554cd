"""Component: Find every series' period, or that it has none."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def detect_regularity(
    observations: Input[Dataset],
    profile: Output[Dataset],
    zone: str = "UTC",
    split: str = "0.7/0.1/0.2",
    period: str = "",
    season_length: int = 0,
) -> None:
    """Find every series' period, or that it has none.

    Args:
        observations: Observations: whole series, sorted by series and time.
        profile: One row a series: way, period, season, borders of the split.
        zone: Zone in which days, months and quarters begin.
        split: Training, validation and test part: shares of each series, or numbers of its rows.
        period: Period of every series, such as 15min, 1h, 1mo or 1bd; empty: found from the data.
        season_length: Points in a season; 0: from the calendar.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.regularity import detect_regularity as step

    profile.metadata.update(
        run_step(
            step,
            name="detect_regularity",
            inputs={
                "observations": observations.path,
            },
            outputs={
                "profile": (profile.path, "series"),
            },
            params={"zone": zone, "split": split, "period": period, "season_length": season_length},
        )
    )
