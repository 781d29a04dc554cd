"""Component: Score the models on the test windows, against observed values only, and calibrate intervals."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def evaluate(
    table: Input[Dataset],
    plan: Input[Dataset],
    windows: Input[Dataset],
    scalers: Input[Dataset],
    linear: Input[Model],
    seasonal_naive: Input[Model],
    further: Input[Model],
    evaluation: Output[Dataset],
    scores: Output[Metrics],
    model_name: str = "forecaster",
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Score the models on the test windows, against observed values only, and calibrate intervals.

    Args:
        table: What forecasters are given and what they are judged by; windows are looked up in it.
        plan: One row a series: its group, input size, horizon, borders of the split.
        windows: Index of the windows: which can be used, and from when.
        scalers: One versioned scaler a series.
        linear: The linear model.
        seasonal_naive: The seasonal naive model.
        further: The models that compete with these, where a run has some.
        evaluation: Errors over all, per group and per series; residual quantiles of the intervals.
        scores: Errors over all series.
        model_name: Name of the model in the registry, whose champion is scored beside the models of this run.
        settings: metric that models are compared by, and min_improvement, the least share by which a model must be
            better than the champion.
    """
    from sparkhu.sections import Promotion
    from sparkhu.stages.evaluating import evaluate_models

    done, errors = evaluate_models(
        table=table.path,
        plan=plan.path,
        windows=windows.path,
        scalers=scalers.path,
        models={"linear": linear.path, "seasonal_naive": seasonal_naive.path},
        further=further.path,
        out=evaluation.path,
        model_name=model_name,
        promotion=Promotion.of(settings),
    )
    evaluation.metadata.update(done)
    for name, error in errors.items():
        scores.log_metric(name, error)
