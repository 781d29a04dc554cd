"""Component: Choose each series' way of filling by its error on masked known points."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def pool_fills(
    observations: Input[Dataset],
    limits: Input[Dataset],
    mean_fill: Input[Dataset],
    median_fill: Input[Dataset],
    mode_fill: Input[Dataset],
    last_fill: Input[Dataset],
    next_fill: Input[Dataset],
    linear_fill: Input[Dataset],
    spline_fill: Input[Dataset],
    seasonal_fill: Input[Dataset],
    moving_average_fill: Input[Dataset],
    mean_scores: Input[Dataset],
    median_scores: Input[Dataset],
    mode_scores: Input[Dataset],
    last_scores: Input[Dataset],
    next_scores: Input[Dataset],
    linear_scores: Input[Dataset],
    spline_scores: Input[Dataset],
    seasonal_scores: Input[Dataset],
    moving_average_scores: Input[Dataset],
    filled: Output[Dataset],
    choices: Output[Dataset],
    scores: Output[Dataset],
    choice: str = "",
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Choose each series' way of filling by its error on masked known points.

    Args:
        observations: Observations with marked gaps.
        limits: Valid range of each series that has metadata; filled values are brought inside.
        mean_fill: Layer of values filled by mean.
        median_fill: Layer of values filled by median.
        mode_fill: Layer of values filled by mode.
        last_fill: Layer of values filled by last.
        next_fill: Layer of values filled by next.
        linear_fill: Layer of values filled by linear.
        spline_fill: Layer of values filled by spline.
        seasonal_fill: Layer of values filled by seasonal.
        moving_average_fill: Layer of values filled by moving average.
        mean_scores: Masked errors of mean.
        median_scores: Masked errors of median.
        mode_scores: Masked errors of mode.
        last_scores: Masked errors of last.
        next_scores: Masked errors of next.
        linear_scores: Masked errors of linear.
        spline_scores: Masked errors of spline.
        seasonal_scores: Masked errors of seasonal.
        moving_average_scores: Masked errors of moving average.
        filled: Layer: y, y_raw, available_at, fill_strategy.
        choices: The chosen strategy, its error, the runner-up, and why; the valid range.
        scores: Masked errors of all strategies.
        choice: Strategy for every series, drop or leave; empty: the one with the smallest masked error.
        settings: What is chosen from: variants.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Filling
    from sparkhu.steps.pooling import layers_wanted
    from sparkhu.steps.pooling import pool_fills as step

    variants = Filling.of(settings).variants
    fills = {
        "mean": mean_fill,
        "median": median_fill,
        "mode": mode_fill,
        "last": last_fill,
        "next": next_fill,
        "linear": linear_fill,
        "spline": spline_fill,
        "seasonal": seasonal_fill,
        "moving_average": moving_average_fill,
    }
    wanted = layers_wanted(variants, choice)
    filled.metadata.update(
        run_step(
            step,
            name="pool_fills",
            inputs={
                "observations": [observations.path, *[fills[name].path for name in fills if name in wanted]],
                "scores": [
                    mean_scores.path,
                    median_scores.path,
                    mode_scores.path,
                    last_scores.path,
                    next_scores.path,
                    linear_scores.path,
                    spline_scores.path,
                    seasonal_scores.path,
                    moving_average_scores.path,
                ],
                "limits": limits.path,
            },
            outputs={
                "filled": (filled.path, "columns"),
                "choices": (choices.path, "series"),
                "scores": (scores.path, "series"),
            },
            params={"choice": choice, "variants": variants},
        )
    )
