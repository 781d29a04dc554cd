"""How the spaces of the models are searched, by the settings of a run."""

from typing import Final

from sparkhu.errors import InputError
from sparkhu.models.spaces import SPACES
from sparkhu.sections import Tuning
from sparkhu.stages.trial import METRIC
from sparkhu.tuning.declaring import Search

SEED: Final = "0"


def search_of(settings: Tuning) -> Search:
    """Say how a space is searched; the seed is fixed, so that equal searches have equal results."""
    seeded = {} if settings.algorithm == "grid" else {"random_state": SEED}
    return Search(
        metric=METRIC,
        algorithm=settings.algorithm,
        settings=seeded,
        trials=settings.trials,
        parallel=settings.parallel,
    )


def check_tuning(settings: Tuning) -> None:
    """Check what a search would be refused for, before anything starts.

    Raises:
        InputError: There is no such algorithm, it refuses the space of a model, or Katib's trials lack a storage.
    """
    from sparkhu.tuning.algorithms.choosing import make_suggester

    if not settings.trials:
        return
    search = search_of(settings)
    if settings.engine == "katib" and not settings.storage:
        raise InputError("storage is empty; give a URI that pods of the cluster can read, such as s3://bucket/tuning.")
    for model, space in SPACES.items():
        try:
            make_suggester(
                search.algorithm,
                settings=search.settings,
                space=space,
                direction=search.direction,
                parallel=search.parallel,
                most_trials=search.trials,
            )
        except InputError as error:
            raise InputError(f"algorithm cannot be '{settings.algorithm}' for the {model} model: {error}") from error
