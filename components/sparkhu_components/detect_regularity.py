"""Component: Find every series' period, or that it has none."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def detect_regularity(
    observations: Input[Dataset],
    profile: Output[Dataset],
    estimates: Output[Dataset],
    zone: str = "UTC",
    split: str = "0.7/0.1/0.2",
    period: str = "",
    season_length: int = 0,
    past: str = "",
    lake: str = "",
) -> None:
    """Find every series' period, or that it has none.

    Args:
        observations: Observations: whole series, sorted by series and time.
        profile: One row a series: way, period, season, borders of the split.
        estimates: The five latest estimates of each series' period, for the next run.
        zone: Zone in which days, months and quarters begin.
        split: Training, validation and test part: shares of each series, or numbers of its rows.
        period: Period of every series, such as 15min, 1h, 1mo or 1bd; empty: found from the data.
        season_length: Points in a season; 0: from the calendar.
        past: Results of an earlier run, whose estimates count too: a folder, URI or estimates.parquet; empty: those
            that earlier intervals of the lake were published with.
        lake: Lake that was read: a folder or s3://bucket/prefix; empty: the run read a source.
    """
    from sparkhu.stages.detecting import detect_periods

    profile.metadata.update(
        detect_periods(
            observations=observations.path,
            profile=profile.path,
            estimates=estimates.path,
            past=past,
            lake=lake,
            zone=zone,
            split=split,
            period=period,
            season_length=season_length,
        )
    )
