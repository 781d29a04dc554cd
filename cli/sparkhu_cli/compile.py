"""`sparkhu compile`: the pipelines as YAML for a Kubeflow cluster."""

from pathlib import Path

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import CLUSTER_OPTION, FAN_OUT_OPTION, out_option


@click.command(
    cls=Documented,
    short_help="Write the pipelines as YAML for Kubeflow.",
    example="sparkhu compile --out compiled",
)
@CLUSTER_OPTION
@FAN_OUT_OPTION
@out_option("Folder for the YAML files.")
def command(cluster: Path | None, fan_out: int, out: Path) -> None:
    """Write the pipelines as YAML that Kubeflow Pipelines runs.

    A step is one task, however many series there are. With --fan-out, forecast.yaml prepares the series in a loop over
    N groups of shards, each in pods of its own; its results are the same. With --cluster, tasks have the resources,
    retries, secrets and images that FILE says, and ask for images of this very code; without it, they have
    the defaults, and ask for images of this version.
    """
    from sparkhu_cli.staging import staged
    from sparkhu_pipelines.cluster.settings import load_cluster
    from sparkhu_pipelines.compiling import PIPELINES, compile_pipelines

    names = [f"{name}.yaml" for name in PIPELINES]
    settings = load_cluster(cluster) if cluster else None
    with staged(out, last=names[-1], owned=()) as stage:
        compile_pipelines(stage.results, fan_out, settings)
    for name in names:
        click.echo(out / name)
