"""`sparkhu step`: one component on dataset folders, described by its own specification."""

from pathlib import Path
from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.engine_options import ENGINE_OPTIONS, engine_settings
from sparkhu_cli.options import with_options
from sparkhu_cli.session import Session


@click.command(
    cls=Documented,
    short_help="Run one step on dataset folders.",
    example="""
        sparkhu step --list
        sparkhu step ingest --set source=sales.csv --out work/ingest
        sparkhu step sync_metadata --out work/metadata
        sparkhu step validate --in raw=work/ingest/raw --in metadata=work/metadata/metadata --out work/validate
    """,
    # NAME --help describes the step, so the option is the command's own.
    context_settings={"help_option_names": []},
)
@click.argument("name", required=False)
@click.option("--in", "inputs", multiple=True, metavar="NAME=DIR", help="Dataset folder of an input; repeatable.")
@click.option("--set", "params", multiple=True, metavar="PARAM=VALUE", help="Parameter of the step; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder; each output gets a folder in it.")
@with_options(*ENGINE_OPTIONS)
@click.option("--list", "listed", is_flag=True, help="List the steps.")
@click.option("-h", "--help", "helped", is_flag=True, help="Describe the command, or the step NAME.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    name: str | None,
    inputs: tuple[str, ...],
    params: tuple[str, ...],
    out: Path | None,
    listed: bool,
    helped: bool,
) -> None:
    """Run one step on dataset folders.

    Inputs and outputs are folders that steps write. `sparkhu step NAME --help` says what a step takes.
    """
    from sparkhu_cli.components import describe_component, first_line, load_component, names

    if listed:
        width = max(map(len, names()))
        for each in names():
            click.echo(f"{each:<{width}}  {first_line(load_component(each))}")
    elif helped or name is None:
        click.echo(describe_component(load_component(name)) if name else ctx.get_help())
        ctx.exit(0 if helped else 2)
    else:
        if out is None:
            raise click.UsageError("Missing option '--out': the folder that the outputs go to.")
        run_step_on_folders(name, inputs, params, out, ctx.obj)


def run_step_on_folders(
    name: str, inputs: tuple[str, ...], params: tuple[str, ...], out: Path, session: Session
) -> None:
    """Run the component `name` and say what it wrote.

    Raises:
        InputError: The step, an input or a parameter is unknown, missing, or of another type.
        SparkhuError: The step fails; nothing is left half-written.
    """
    from sparkhu.engines.base import environment
    from sparkhu_cli.components import arguments_of, load_component, run_component, written_by
    from sparkhu_cli.terminal import OK, Terminal, seconds_text

    component = load_component(name)
    arguments = arguments_of(component, inputs, params)
    session.open_log(f"step-{name}")
    with environment(engine_settings(session).engine_variables()):
        metadata: dict[str, Any] = run_component(component, arguments, out)
    terminal = Terminal()
    if "seconds" in metadata:
        rows = f"{metadata['rows_in']:,} → {metadata['rows_out']:,} rows"
        terminal.marked(OK, f"{name}  {rows}  {seconds_text(metadata['seconds'])}")
    else:
        terminal.marked(OK, name)
    terminal.line(f"Outputs: {', '.join(str(out / output) for output in written_by(component))}")
