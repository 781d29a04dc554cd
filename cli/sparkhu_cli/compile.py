"""`sparkhu compile`: the pipelines as YAML for a Kubeflow cluster."""

from pathlib import Path

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import out_option


@click.command(
    cls=Documented,
    short_help="Write the pipelines as YAML for Kubeflow.",
    example="sparkhu compile --out compiled",
)
@out_option("Folder for the YAML files.")
def command(out: Path) -> None:
    """Write the pipelines as YAML that Kubeflow Pipelines runs."""
    from sparkhu_cli.staging import staged
    from sparkhu_pipelines.compiling import PIPELINES, compile_pipelines

    names = [f"{name}.yaml" for name in PIPELINES]
    with staged(out, last=names[-1], owned=()) as stage:
        compile_pipelines(stage.results)
    for name in names:
        click.echo(out / name)
