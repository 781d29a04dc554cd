"""`sparkhu compile`: the pipelines as YAML for a Kubeflow cluster."""

from pathlib import Path

import click

from sparkhu_cli.options import out_option


@click.command(short_help="Write the pipelines as YAML for Kubeflow.")
@out_option("Folder for the YAML files.")
def command(out: Path) -> None:
    """Write the pipelines as YAML that Kubeflow Pipelines runs.

    \b
    Example:
      sparkhu compile --out compiled
    """
    from sparkhu_pipelines.compiling import compile_pipelines

    for path in compile_pipelines(out):
        click.echo(path)
