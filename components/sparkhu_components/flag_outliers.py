"""Component: Flag points beyond the fences of the interquartile range."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def flag_outliers(
    observations: Input[Dataset],
    stats: Input[Dataset],
    flags: Output[Dataset],
    width: float = 1.5,
    action: str = "flag",
    max_share: float = 0.05,
    way: str = "regular",
) -> None:
    """Flag points beyond the fences of the interquartile range.

    Args:
        observations: Observations: whole series, sorted by series and time.
        stats: Statistics with the quartiles of the training part.
        flags: Layer: is_outlier, needs_fill, y, y_raw, available_at.
        width: Distance of the fences from the quartiles, in interquartile ranges.
        action: flag: count as missing; flag_only: mark, change nothing; null: remove the value; clip:
            pull it to the fence.
        max_share: Largest share of a series' points that the action is done to; what goes beyond is marked and kept.
        way: Way of the split that these series go, for the ledger and the log.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.outliers import flag_outliers as step

    flags.metadata.update(
        run_step(
            step,
            name=f"flag_outliers_{way}",
            inputs={
                "observations": observations.path,
                "stats": stats.path,
            },
            outputs={
                "flags": (flags.path, "columns"),
            },
            params={"width": width, "action": action, "max_share": max_share},
        )
    )
