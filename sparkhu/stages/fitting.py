"""How the recipes of a run are fitted: each in one process, or by workers that share the windows."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from sparkhu import events
from sparkhu.clusters.objects import namespace_of
from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.candidates import NAMES
from sparkhu.sections import Training
from sparkhu.settings import Settings
from sparkhu.training.known import RECIPES
from sparkhu.training.recipes import Recipe

if TYPE_CHECKING:
    from sparkhu.training.distribution.cluster_launching import ClusterLaunch
    from sparkhu.training.distribution.launching import Distribution

EXTRAS: Final = {"torch": "torch"}
"""The extra of the distribution that brings a library; that of the models is `models`."""


def further_models(settings: Training) -> list[str]:
    """Give the names of the models that are fitted beside those that every run has."""
    return [name for name in settings.models if name not in NAMES]


def check_training(settings: Training) -> None:
    """Check what training would be refused for, before anything starts; not whether its libraries are there.

    Raises:
        InputError: There is no such model, it cannot take part in a run, or several workers have no distribution.
    """
    for name in further_models(settings):
        if name not in RECIPES:
            close = get_close_matches(name, RECIPES, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(_of_runs())}."
            raise InputError(f"models cannot hold '{name}', which is no model; {hint}")
        if RECIPES[name].refits:
            raise InputError(
                f"models cannot hold '{name}': it is fitted anew for every window, and a run scores thousands of them. "
                f"Measure it with sparkhu backtest --models {name}, or choose from {', '.join(_of_runs())}."
            )
    if twice := {name for name in settings.models if settings.models.count(name) > 1}:
        raise InputError(f"models names '{min(twice)}' twice.")
    if settings.workers > 1 and settings.distribution == "single":
        raise InputError(
            f"workers is {settings.workers}, but nothing connects them: distribution is single. Give the distribution "
            "torch or horovod, or one worker."
        )
    if settings.engine == "kubernetes" and settings.distribution == "single":
        raise InputError("engine is kubernetes, and distribution single. Give the distribution torch or horovod.")
    if settings.engine == "kubernetes" and "://" not in settings.storage:
        raise InputError(
            f"storage must be a URI that pods of the cluster can read, such as s3://bucket/training, got "
            f"'{settings.storage}'."
        )
    if settings.engine == "kubernetes" and settings.distribution == "horovod" and not settings.image:
        raise InputError(
            "image is empty, and the pods of Horovod reach each other by SSH, for which the image of the steps has no "
            "server. Let training.image name one with Horovod, an SSH server and client, or use torch."
        )


def check_libraries(settings: Training) -> None:
    """Check that what training needs is installed here.

    Raises:
        InputError: It is not.
    """
    from sparkhu.training.distribution.horovod_ranks import require_horovod

    for name in further_models(settings):
        needed = RECIPES[name].needs
        if needed and find_spec(needed) is None:
            raise InputError(
                f"the model '{name}' needs {needed}: pip install 'sparkhu[{EXTRAS.get(needed, 'models')}]'"
            )
    if settings.engine == "kubernetes":
        if find_spec("kubernetes") is None:
            raise InputError("training.engine kubernetes needs kubernetes: pip install 'sparkhu[tuning]'")
        return
    if settings.distribution != "single" and find_spec("torch") is None:
        raise InputError(
            f"training.distribution {settings.distribution} needs torch: pip install 'sparkhu[torch]', or train with "
            "training.distribution=single"
        )
    if settings.distribution == "horovod":
        require_horovod()


def check_workers(settings: Training) -> None:
    """Check that the workers of the settings can be begun from here: on this machine, or by it in a cluster.

    Raises:
        InputError: There are more than this machine takes, or nothing says in which namespace they are to be pods.
    """
    if settings.distribution == "single":
        return
    if settings.engine == "kubernetes":
        namespace_of(settings.namespace, "training.namespace")
        return
    from sparkhu.training.distribution.launching import Launch

    try:
        Launch(settings.distribution, settings.workers)
    except InputError as error:
        raise InputError(f"training.{error}") from error


def is_of_one_model(error: Exception) -> bool:
    """Tell whether a fit failed for the model or its data: the others go on, where a failure of a system ends the step.

    Example:
        >>> is_of_one_model(InputError("the loss is no number")), is_of_one_model(OSError("no space left"))
        (True, False)
    """
    return isinstance(error, InputError) or not isinstance(error, SparkhuError | OSError)


def is_shared(recipe: Recipe, settings: Training) -> bool:
    """Tell whether workers fit a recipe together: where a distribution is wanted, the linear and the neural ones."""
    from sparkhu.models.neural.architectures import ARCHITECTURES

    return settings.distribution != "single" and recipe.name in {"linear", *ARCHITECTURES}


def with_workers(recipe: Recipe, settings: Training, *, step: str) -> Recipe:
    """Give a recipe that is fitted as the settings say, and tells whoever watches of every epoch.

    Args:
        recipe: What is fitted.
        settings: On how many workers, and what connects them.
        step: Who fits it.
    """
    from sparkhu.training.neural import NeuralRecipe

    def tell(group: str, epoch: int, of: int) -> None:
        what = f"epochs of {recipe.name} {group}"
        events.emit("epoch_done", step=step, what=what, done=epoch, of=of)

    def told(epoch: Mapping[str, Any]) -> None:
        tell(epoch["group"], epoch["epoch"], epoch["of"])

    if settings.distribution != "single" and is_shared(recipe, settings) and settings.engine == "kubernetes":
        from sparkhu.training.distribution.cluster_launching import ClusterRecipe

        return ClusterRecipe(recipe, _cluster_launch(settings, settings.distribution), told)
    if settings.distribution != "single" and is_shared(recipe, settings):
        from sparkhu.training.distribution.launching import Launch
        from sparkhu.training.distribution.recipe import DistributedRecipe

        return DistributedRecipe(recipe, Launch(settings.distribution, settings.workers), on_epoch=told)
    if isinstance(recipe, NeuralRecipe):
        return replace(recipe, progress=lambda group, epoch: tell(group, epoch.epoch, epoch.of))
    return recipe


def _cluster_launch(settings: Training, distribution: "Distribution") -> "ClusterLaunch":
    from sparkhu.training.distribution.cluster_launching import ClusterLaunch

    return ClusterLaunch(
        distribution,
        settings.workers,
        namespace_of(settings.namespace, "training.namespace"),
        settings.storage,
        settings.image or Settings().image or f"sparkhu/training:{version('sparkhu')}",
        settings.secret,
        settings.service_account,
    )


def _of_runs() -> list[str]:
    return [name for name, known in RECIPES.items() if not known.refits and name not in NAMES]
