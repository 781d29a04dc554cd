"""Give the tasks of a pipeline the settings of a cluster, beneath the graph and in one place.

The pipeline's function is called as it is; then every task that it added, inside loops as well, is given what
`sparkhu_pipelines.cluster.settings` says of its component.

What the container of a task is like is written into its own copy of the specification. The setters of kfp that do the
same look the whole stack of calls up in its sources at every call: fifty tasks took a minute of a compilation.
"""

import json
import math
from functools import wraps
from typing import Any, Final

from kfp import dsl, kubernetes
from kfp.dsl.pipeline_context import Pipeline
from kfp.dsl.structures import ContainerSpecImplementation as Container
from kfp.dsl.structures import ResourceSpec

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
    container = task.container_spec  # the task's own copy, not the component's
    container.resources = _resources(settings)
    _give_version(container, version)
    if settings.retries:
        task.set_retry(settings.retries, f"{settings.backoff}s", 2.0, f"{settings.backoff_max}s")
    task.set_caching_options(settings.cache)
    if settings.timeout:
        kubernetes.set_timeout(task, settings.timeout)
    on_spark = cluster.engine.kind == "spark" and container.image == STEPS
    container.image = "/".join(part for part in (cluster.registry, SPARK if on_spark else container.image) if part)
    if cluster.image_pull_policy:
        kubernetes.set_image_pull_policy(task, cluster.image_pull_policy)
    if cluster.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(cluster.image_pull_secrets))
    own = _variables(cluster, settings, container.image, on_spark)
    container.env = {"SPARKHU_CODE_VERSION": version, **dict(sorted(own.items()))}
    for name, keys in cluster.secrets.items():
        kubernetes.use_secret_as_env(task, name, dict(keys))


def _resources(settings: Task) -> ResourceSpec:
    """Give the resources of a task; what the settings leave out stays out."""
    return ResourceSpec(
        cpu_request=settings.cpu or None,
        cpu_limit=settings.cpu_limit or None,
        memory_request=settings.memory or None,
        memory_limit=settings.memory_limit or None,
        accelerator_type=settings.accelerator or None,
        accelerator_count=str(settings.accelerators or 1) if settings.accelerator else None,
    )


def _give_version(container: Container, version: str) -> None:
    """Name the version to the cache of Kubeflow Pipelines.

    The cache knows a task by image, command, arguments and inputs, not by its variables: results of other code under
    the same tag would be taken for this one's. So the version, a variable to the task, stands in the command as well,
    under the source.
    """
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
