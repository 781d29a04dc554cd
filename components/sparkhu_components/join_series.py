"""Component: Join both ways of the split: all series, evenly spaced, ready for a model."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def join_series(
    regular: Input[Dataset],
    anomalies: Input[Dataset],
    handled: Input[Dataset],
    irregular: Input[Dataset],
    profile: Input[Dataset],
    grid_profile: Input[Dataset],
    sequences: Output[Dataset],
    series_profile: Output[Dataset],
) -> None:
    """Join both ways of the split: all series, evenly spaced, ready for a model.

    Args:
        regular: Regular series with filled gaps.
        anomalies: Layer of their anomaly flags.
        handled: Layer of their handled values.
        irregular: Irregular series on their grid.
        profile: One row a series: way, period, season, borders of the split.
        grid_profile: Profile of the irregular series on their grid.
        sequences: Evenly spaced observations of all series, observed and cleaned values side by side.
        series_profile: One profile row a series.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.joining import join_series as step

    sequences.metadata.update(
        run_step(
            step,
            name="join_series",
            inputs={
                "regular": [regular.path, anomalies.path, handled.path],
                "irregular": irregular.path,
                "profile": profile.path,
                "grid_profile": grid_profile.path,
            },
            outputs={
                "sequences": (sequences.path, "rows"),
                "profile": (series_profile.path, "series"),
            },
            params={},
        )
    )
