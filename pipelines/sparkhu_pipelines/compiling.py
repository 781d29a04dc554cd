"""Compile the pipelines to YAML that Kubeflow Pipelines runs."""

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkhu_pipelines.cluster.settings import Cluster

PIPELINES = {"forecast": "forecast_pipeline", "predict": "predict_pipeline"}


def compile_pipelines(out: Path, groups: int = 1, cluster: "Cluster | None" = None) -> list[Path]:
    """Write one YAML file a pipeline into `out`, which is made where it does not exist.

    Args:
        out: Folder of the files.
        groups: Groups of shards that the forecast pipeline prepares side by side, from 1 to 100.
        cluster: Settings of the cluster that they run on, for images of this very code; None: the defaults, for images
            of this version.

    Returns:
        The files, in the order of `PIPELINES`.

    Raises:
        InputError: There cannot be so many groups.
    """
    out.mkdir(parents=True, exist_ok=True)
    return [compile_pipeline(name, out, groups, cluster) for name in PIPELINES]


def compile_pipeline(name: str, out: Path, groups: int = 1, cluster: "Cluster | None" = None) -> Path:
    """Write the YAML file of one pipeline into a folder; see `compile_pipelines`."""
    from kfp import compiler

    from sparkhu.lineage import code_fingerprint
    from sparkhu_components.images import VERSION
    from sparkhu_pipelines.cluster.applying import for_cluster
    from sparkhu_pipelines.cluster.settings import Cluster

    version = VERSION if cluster is None else code_fingerprint()
    pipeline = for_cluster(pipeline_of(name, groups), cluster or Cluster(), version)
    file = out / f"{name}.yaml"
    compiler.Compiler().compile(pipeline, package_path=str(file))
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(_with_sorted_settings(line) for line in lines))
    return file


def pipeline_of(name: str, groups: int = 1) -> Any:
    """Give the pipeline of a name of `PIPELINES`; groups of shards are the forecast pipeline's alone."""
    if name == "forecast" and groups != 1:
        from sparkhu_pipelines.fan_out import forecast_pipeline_over

        return forecast_pipeline_over(groups)
    return getattr(import_module(f"sparkhu_pipelines.{name}"), PIPELINES[name])


def _with_sorted_settings(line: str) -> str:
    """Sort the settings in a comment on a default: the compiler writes them in another order every time."""
    head, mark, tail = line.partition("[Default: {")
    if not line.startswith("#") or not mark:
        return line
    settings = ast.literal_eval("{" + tail[: tail.rindex("]")])
    return f"{head}[Default: {dict(sorted(settings.items()))}]\n"
