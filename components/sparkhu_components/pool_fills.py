"""Component: Choose each series' way of filling by its error on masked known points."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def pool_fills(
    observations: Input[Dataset],
    mean_fill: Input[Dataset],
    median_fill: Input[Dataset],
    last_fill: Input[Dataset],
    next_fill: Input[Dataset],
    linear_fill: Input[Dataset],
    mean_scores: Input[Dataset],
    median_scores: Input[Dataset],
    last_scores: Input[Dataset],
    next_scores: Input[Dataset],
    linear_scores: Input[Dataset],
    filled: Output[Dataset],
    choices: Output[Dataset],
    choice: str = "",
) -> None:
    """Choose each series' way of filling by its error on masked known points.

    Args:
        observations: Observations with marked gaps.
        mean_fill: Layer of values filled by mean.
        median_fill: Layer of values filled by median.
        last_fill: Layer of values filled by last.
        next_fill: Layer of values filled by next.
        linear_fill: Layer of values filled by linear.
        mean_scores: Masked errors of mean.
        median_scores: Masked errors of median.
        last_scores: Masked errors of last.
        next_scores: Masked errors of next.
        linear_scores: Masked errors of linear.
        filled: Layer: y, y_raw, available_at, fill_strategy.
        choices: The chosen strategy, its error, the runner-up, and why.
        choice: Strategy for every series; empty: the one with the smallest masked error.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.pooling import pool_fills as step

    filled.metadata.update(
        run_step(
            step,
            name="pool_fills",
            inputs={
                "observations": [
                    observations.path,
                    mean_fill.path,
                    median_fill.path,
                    last_fill.path,
                    next_fill.path,
                    linear_fill.path,
                ],
                "scores": [
                    mean_scores.path,
                    median_scores.path,
                    last_scores.path,
                    next_scores.path,
                    linear_scores.path,
                ],
            },
            outputs={
                "filled": (filled.path, "columns"),
                "choices": (choices.path, "series"),
            },
            params={"choice": choice},
        )
    )
