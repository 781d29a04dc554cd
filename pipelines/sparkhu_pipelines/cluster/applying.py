"""Give the tasks of a pipeline the settings of a cluster, beneath the graph and in one place.

The pipeline's function is called as it is; then every task that it added, inside loops as well, is given what
`sparkhu_pipelines.cluster.settings` says of its component.
"""

import json
import math
from functools import wraps
from typing import Any, Final

from kfp import dsl, kubernetes
from kfp.dsl.pipeline_context import Pipeline

from sparkhu_components.images import STEPS, VERSION
from sparkhu_pipelines.cluster.quantities import cores
from sparkhu_pipelines.cluster.secrecy import CONF, MASTER
from sparkhu_pipelines.cluster.settings import Cluster, Task

SPARK: Final = f"sparkhu/steps-spark:{VERSION}"
"""The image of the steps that hold Spark as well."""


def for_cluster(pipeline: Any, cluster: Cluster, version: str) -> Any:
    """Make a pipeline whose tasks have the settings of a cluster.

    Args:
        pipeline: A pipeline whose tasks are Sparkhu's components; it stays as it is.
        cluster: The settings.
        version: What each task's library must be: its fingerprint, or its version alone.

    Returns:
        The same pipeline, with the same arguments and outputs.

    Example:
        >>> compiler.Compiler().compile(for_cluster(forecast_pipeline, Cluster(), "0.1.0"), "forecast.yaml")
    """
    plain = pipeline.pipeline_func

    @wraps(plain)
    def with_settings(*arguments: Any) -> Any:
        outputs = plain(*arguments)
        for task in Pipeline.get_default_pipeline().tasks.values():
            _apply(task, cluster, version)
        return outputs

    root = cluster.pipeline_root or None
    return dsl.pipeline(name=pipeline.name, description=pipeline.description, pipeline_root=root)(with_settings)


def _apply(task: dsl.PipelineTask, cluster: Cluster, version: str) -> None:
    settings = cluster.task(task.component_spec.name.replace("-", "_"))
    _give_resources(task, settings)
    _give_version(task, version)
    if settings.retries:
        task.set_retry(settings.retries, f"{settings.backoff}s", 2.0, f"{settings.backoff_max}s")
    task.set_caching_options(settings.cache)
    if settings.timeout:
        kubernetes.set_timeout(task, settings.timeout)
    image = task.container_spec.image
    on_spark = cluster.engine.kind == "spark" and image == STEPS
    image = "/".join(part for part in (cluster.registry, SPARK if on_spark else image) if part)
    task.set_container_image(image)
    if cluster.image_pull_policy:
        kubernetes.set_image_pull_policy(task, cluster.image_pull_policy)
    if cluster.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(cluster.image_pull_secrets))
    for name, value in sorted(_variables(cluster, settings, image, on_spark).items()):
        task.set_env_variable(name, value)
    for name, keys in cluster.secrets.items():
        kubernetes.use_secret_as_env(task, name, dict(keys))


def _give_resources(task: dsl.PipelineTask, settings: Task) -> None:
    for give, quantity in (
        (task.set_cpu_request, settings.cpu),
        (task.set_cpu_limit, settings.cpu_limit),
        (task.set_memory_request, settings.memory),
        (task.set_memory_limit, settings.memory_limit),
    ):
        if quantity:
            give(quantity)
    if settings.accelerator:
        task.set_accelerator_type(settings.accelerator)
        task.set_accelerator_limit(settings.accelerators or 1)


def _give_version(task: dsl.PipelineTask, version: str) -> None:
    """Name the version to the task, and to the cache of Kubeflow Pipelines.

    The cache knows a task by image, command, arguments and inputs, not by its variables: results of other code under
    the same tag would be taken for this one's. So the version stands in the command as well, under the source.
    """
    task.set_env_variable("SPARKHU_CODE_VERSION", version)
    container = task.container_spec  # the task's own copy, not the component's
    *first, source = container.command
    container.command = [*first, f"{source.rstrip()}\n\n# Sparkhu {version}\n"]


def _variables(cluster: Cluster, settings: Task, image: str, on_spark: bool) -> dict[str, str]:
    """Give a task's variables. A pod sees all cores of its node, so it is told how many are its own."""
    own = {"SPARKHU_IMAGE": image}
    if settings.cpu_limit:
        own["SPARKHU_WORKERS"] = str(math.ceil(cores(settings.cpu_limit)))
    if on_spark:
        own["SPARKHU_ENGINE"] = "spark"
        own[MASTER] = cluster.engine.master
        own[CONF] = json.dumps(cluster.engine.conf, sort_keys=True)
    return {name: value for name, value in {**own, **cluster.environment}.items() if name not in cluster.hidden}
