"""A compiled pipeline as tests look into it."""

from pathlib import Path

import yaml

from sparkhu_pipelines.cluster.settings import Cluster
from sparkhu_pipelines.compiling import compile_pipeline


class Compiled:
    """A compiled pipeline, taken apart."""

    def __init__(self, folder: Path, name: str, cluster: Cluster, groups: int = 1) -> None:
        self.pipeline, *rest = yaml.safe_load_all(compile_pipeline(name, folder, groups, cluster).read_text())
        self.platform = rest[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if rest else {}
        executors = self.pipeline["deploymentSpec"]["executors"]
        self.containers = {name.removeprefix("exec-"): each["container"] for name, each in executors.items()}
        dags = [self.pipeline["root"], *self.pipeline["components"].values()]
        self.tasks = {name: task for dag in dags for name, task in dag.get("dag", {}).get("tasks", {}).items()}

    def variables(self, name: str) -> dict[str, str]:
        return {each["name"]: each["value"] for each in self.containers[name]["env"]}
