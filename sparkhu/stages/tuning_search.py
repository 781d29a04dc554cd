"""How the spaces of the models are searched, by the settings of a run."""

from difflib import get_close_matches
from typing import Final

from sparkhu.errors import InputError
from sparkhu.models.spaces import SPACES
from sparkhu.sections import Training, Tuning
from sparkhu.stages.fitting import further_models
from sparkhu.stages.trial import METRIC
from sparkhu.stages.tuning_engines import LINEAR, only_here
from sparkhu.tuning.declaring import Search

SEED: Final = "0"


def search_of(settings: Tuning) -> Search:
    """Say how a space is searched; the seed is fixed, so that equal searches have equal results.

    The last value that a trial reports is its objective: those before are the losses of its epochs. Inside the step
    trials run one after the other, whatever `tuning.parallel` is: the threads of trees and torch's random numbers are
    those of the process.
    """
    seeded = {} if settings.algorithm == "grid" else {"random_state": SEED}
    return Search(
        metric=METRIC,
        algorithm=settings.algorithm,
        settings=seeded,
        trials=settings.trials,
        parallel=settings.parallel if settings.engine == "katib" else 1,
        strategy="latest",
    )


def check_tuning(settings: Tuning, training: Training | None = None) -> None:
    """Check what a search would be refused for, before anything starts.

    Args:
        settings: Of the search.
        training: Which models are trained beside the linear one; by default none.

    Raises:
        InputError: There is no such algorithm, it refuses the space of a model, a model is not trained, has no
            parameters or cannot be tried by Katib, or Katib's trials lack a storage.
    """
    _check_models(settings, training or Training())
    if not settings.trials:
        return
    if settings.engine == "katib" and not settings.storage:
        raise InputError("storage is empty; give a URI that pods of the cluster can read, such as s3://bucket/tuning.")
    for model in settings.models:
        _check_algorithm(model, settings)


def _check_models(settings: Tuning, training: Training) -> None:
    trained = [LINEAR, *further_models(training)]
    tunable = ", ".join(name for name in trained if name in SPACES)
    for name in settings.models:
        if name in trained and name not in SPACES:
            raise InputError(f"models cannot hold '{name}', which has no parameters to tune; there is {tunable}.")
        if name in SPACES and name not in trained:
            raise InputError(
                f"models cannot hold '{name}', which this run does not train; let training.models name it too, or "
                f"choose from {tunable}."
            )
        if name not in trained:
            close = get_close_matches(name, SPACES, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there is {tunable}."
            raise InputError(f"models cannot hold '{name}', which is no model that can be tuned; {hint}")
        if name != LINEAR and settings.engine == "katib":
            raise only_here(name)
    if twice := {name for name in settings.models if settings.models.count(name) > 1}:
        raise InputError(f"models names '{min(twice)}' twice.")


def _check_algorithm(model: str, settings: Tuning) -> None:
    from sparkhu.tuning.algorithms.choosing import make_suggester

    search = search_of(settings)
    try:
        make_suggester(
            search.algorithm,
            settings=search.settings,
            space=SPACES[model],
            direction=search.direction,
            parallel=search.parallel,
            most_trials=search.trials,
        )
    except InputError as error:
        raise InputError(f"algorithm cannot be '{settings.algorithm}' for the {model} model: {error}") from error
