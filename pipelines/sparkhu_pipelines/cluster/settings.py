"""What a cluster gives the tasks of a pipeline: one file of settings, laid beneath the graph.

The graph names no resource; `sparkhu_pipelines.cluster.applying` gives these settings to its tasks.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparkhu.errors import InputError
from sparkhu.explaining import explained
from sparkhu.sources.secrets import redacted
from sparkhu_pipelines.cluster.needs import NEEDS, Size
from sparkhu_pipelines.cluster.quantities import (
    Accelerator,
    Address,
    Cpu,
    Memory,
    Name,
    Registry,
    Root,
    Seconds,
    Variable,
    cores,
    megabytes,
)
from sparkhu_pipelines.cluster.secrecy import NOUN, check_engine, check_variables

TRACKING: Final = "SPARKHU_TRACKING_URI"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Task(_Part):
    """What a task is given. What is not there has its value from a wider setting, and at last the default."""

    cpu: Cpu | None = Field(None, description="Cores that are kept for it, such as 500m or 2.")
    cpu_limit: Cpu | None = Field(None, description="Most cores that it may use; it works with so many processes.")
    memory: Memory | None = Field(None, description="Memory that is kept for it, such as 512Mi or 4Gi.")
    memory_limit: Memory | None = Field(None, description="Most memory that it may use; with more it is ended.")
    accelerator: Accelerator | None = Field(None, description="Kind of accelerator, such as nvidia.com/gpu.")
    accelerators: int | None = Field(None, ge=1, description="How many of them; where a kind is given: 1.")
    retries: int | None = Field(None, ge=0, le=100, description="How often it is tried again when it fails.")
    backoff: Seconds | None = Field(None, description="Wait before the first retry; each next one waits twice as long.")
    backoff_max: Seconds | None = Field(None, description="Longest wait between two tries.")
    timeout: Seconds | None = Field(None, description="Time after which its pod is ended, such as 90m; 0: none.")
    cache: bool | None = Field(None, description="Whether its results may be those of an earlier run.")

    def under(self, narrower: "Task") -> "Task":
        """Lay a narrower setting over this one."""
        return Task(**{**self.model_dump(exclude_none=True), **narrower.model_dump(exclude_none=True)})


class Engine(_Part):
    """What maps the steps over shards, in the tasks whose image holds Spark."""

    kind: Literal["local", "spark"] = Field("local", description="Processes of the pod, or Spark.")
    master: str = Field(
        "", description="Where Spark is: sc://HOST:PORT. With a secret: SPARKHU_SPARK_MASTER under `secrets`."
    )
    conf: dict[str, str] = Field(
        default_factory=dict,
        description="Settings of Spark by name. With a secret: SPARKHU_SPARK_CONF, a JSON object, under `secrets`.",
    )


class Sizes(_Part):
    """Settings of the tasks that work alike: at a few small files, at every shard, at all series together."""

    light: Task = Field(Task(), description="Tasks that work at a few small files.")
    shards: Task = Field(Task(), description="Tasks that work at every shard of the data.")
    training: Task = Field(Task(), description="Tasks that work at all series together.")


class Cluster(_Part):
    """Where and how a pipeline runs on a cluster."""

    pipeline_root: Root = Field("", description="Where artifacts are kept: s3://…, minio://… or gs://….")
    registry: Registry = Field("", description="What stands before the names of the images: registry.example.org/team.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When images are pulled."
    )
    image_pull_secrets: tuple[Name, ...] = Field((), description="Kubernetes secrets that images are pulled with.")
    service_account: Name | Literal[""] = Field("", description="Kubernetes service account that a run acts as.")
    environment: dict[Variable, Address] = Field(
        default_factory=dict, description="Environment variables of all tasks."
    )
    secrets: dict[Name, dict[str, Variable]] = Field(
        default_factory=dict, description="Kubernetes secrets: of each its keys, and the variable that each becomes."
    )
    engine: Engine = Field(Engine(), description="What maps the steps over shards.")
    defaults: Task = Field(Task(), description="Settings of all tasks.")
    sizes: Sizes = Field(Sizes(), description="Settings of the tasks that work alike; they win over `defaults`.")
    components: dict[str, Task] = Field(
        default_factory=dict, description="Settings of single components by name; they win over `sizes`."
    )

    @property
    def variables(self) -> frozenset[str]:
        """The variables that every task sees."""
        return self.hidden.union(self.environment)

    @property
    def hidden(self) -> frozenset[str]:
        """The variables among them that Kubernetes secrets give."""
        return frozenset(variable for keys in self.secrets.values() for variable in keys.values())

    def task(self, component: str) -> Task:
        """Give the settings of a component, by the name that `sparkhu step` knows it by."""
        need = NEEDS[component]
        found = ALL.under(DEFAULTS[need.size]).under(self.defaults).under(getattr(self.sizes, need.size))
        found = found.under(Task(cache=found.cache and need.cached == "computes"))
        if need.once:
            found = found.under(Task(retries=0))
        return found.under(self.components.get(component, Task()))


ALL: Final = Task(retries=2, backoff=30, backoff_max=600, timeout=0, cache=True)
DEFAULTS: Final[dict[Size, Task]] = {
    "light": Task(cpu="250m", cpu_limit="1", memory="512Mi", memory_limit="1Gi"),
    "shards": Task(cpu="1", cpu_limit="4", memory="2Gi", memory_limit="8Gi"),
    "training": Task(cpu="2", cpu_limit="4", memory="4Gi", memory_limit="16Gi"),
}


def cluster_settings(content: dict[str, Any]) -> Cluster:
    """Read the settings of a cluster.

    Raises:
        InputError: A name is unknown or a value cannot be used; the message names both, and the way out.
    """
    try:
        cluster = Cluster(**content)
    except ValidationError as error:
        raise InputError(explained(Cluster, error, noun=NOUN, shown=_shown)) from None
    except TypeError as error:  # a key that is no text
        raise InputError(f"{NOUN}s are named by text: {error}.") from error
    _check_components(cluster)
    check_variables(cluster)
    check_engine(cluster)
    return cluster


def load_cluster(file: Path | None) -> Cluster:
    """Read the settings of a cluster from a YAML file; without one they are the defaults.

    Raises:
        InputError: The file is not there, is no YAML, or holds a setting that cannot be.
    """
    from sparkhu_pipelines.parameters import read_mapping

    if file is None:
        return Cluster()
    content = read_mapping(file, kind="cluster", example="pipeline_root: s3://bucket/runs", empty={})
    try:
        return cluster_settings(content)
    except InputError as error:
        raise InputError(f"{error} It stands in '{file}'.") from error


def _shown(value: Any) -> str:
    """Show a value that was refused, without a password that it may hold."""
    return repr(redacted(value)) if isinstance(value, str) else redacted(repr(value))


def _check_components(cluster: Cluster) -> None:
    for name in cluster.components:
        if name not in NEEDS:
            close = get_close_matches(name, NEEDS, n=1)
            hint = f"did you mean {close[0]}?" if close else "docs/reference/components.md lists them."
            raise InputError(f"{NOUN} 'components.{name}' is of no component; {hint}")
        if cluster.components[name].cache and NEEDS[name].cached == "writes":
            raise InputError(
                f"{NOUN} 'components.{name}.cache' cannot be true: {name} {NEEDS[name].why}. Leave it out."
            )
    for name, need in NEEDS.items():
        task = cluster.task(name)
        where = f"components.{name}" if name in cluster.components else f"sizes.{need.size}"
        if task.accelerators and not task.accelerator:
            raise InputError(f"{NOUN} 'accelerators' of {where} needs 'accelerator', such as nvidia.com/gpu. Add it.")
        for what, least, most, measured in (
            ("cpu", task.cpu, task.cpu_limit, cores),
            ("memory", task.memory, task.memory_limit, megabytes),
        ):
            if least and most and measured(least) > measured(most):
                told = f"is {least}, which is more than {what}_limit, {most}"
                raise InputError(f"{NOUN} '{what}' of {where} {told}. Lower it, or raise the limit.")
