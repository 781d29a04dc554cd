"""Component: Register the models in MLflow and make the best one on validation the champion."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def promote(
    evaluation: Input[Dataset],
    plan: Input[Dataset],
    windows: Input[Dataset],
    profile: Input[Dataset],
    scalers: Input[Dataset],
    stats: Input[Dataset],
    choices: Input[Dataset],
    cleaning: Input[Dataset],
    linear: Input[Model],
    seasonal_naive: Input[Model],
    further: Input[Model],
    champion: Output[Model],
    card: Output[Markdown],
    model_name: str = "forecaster",
) -> None:
    """Register the models in MLflow and make the best one on validation the champion.

    Args:
        evaluation: Errors of the models.
        plan: One row a series: its group, input size, horizon, borders of the split.
        windows: Index of the windows: what the models have learnt from.
        profile: One row a series: period and season of its data as they came, before resampling.
        scalers: One versioned scaler a series.
        stats: Descriptive statistics, with the quartiles of the training part.
        choices: How each series' missing points are filled.
        cleaning: Which cleaning steps were kept for each series.
        linear: The linear model.
        seasonal_naive: The seasonal naive model.
        further: The models that compete with these, where a run has some.
        champion: All that forecasting needs of the best model of this run: weights, scalers, plan, intervals. It
            gets the alias champion unless one has it that does as well, or knows newer data of the same table. Where
            the registry is away, it keeps what registering it later takes.
        card: What the champion is, what it was made from, how good it is.
        model_name: Name of the model in the registry.
    """
    from sparkhu.stages.promoting import RunFolders, promote_champion

    run = RunFolders(
        evaluation=evaluation.path,
        plan=plan.path,
        windows=windows.path,
        profile=profile.path,
        scalers=scalers.path,
        stats=stats.path,
        choices=choices.path,
        cleaning=cleaning.path,
        models={"linear": linear.path, "seasonal_naive": seasonal_naive.path},
        further=further.path,
    )
    champion.metadata.update(promote_champion(run, model_name=model_name, out=champion.path, card=card.path))
