"""`sparkhu run`: the whole pipeline on this machine."""

from pathlib import Path
from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.engine_options import ENGINE_OPTIONS, RUNNER_OPTION
from sparkhu_cli.given_parameters import parameters_of
from sparkhu_cli.options import (
    FAN_OUT_OPTION,
    INTERVAL_OPTIONS,
    LAKE_OPTIONS,
    METADATA_OPTIONS,
    PARAMETER_OPTIONS,
    SOURCE_OPTIONS,
    out_option,
    source_option,
    with_options,
)
from sparkhu_cli.session import Session


def _list_parameters(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from sparkhu_cli.parameter_list import described

        click.echo(described())
        ctx.exit()


@click.command(
    cls=Documented,
    short_help="Clean, analyse and forecast the series of a source.",
    example="sparkhu run --source sales.csv --time day --value sold --id shop --horizon 14 --out results",
)
@source_option(required=False)
@with_options(*LAKE_OPTIONS, *SOURCE_OPTIONS, *INTERVAL_OPTIONS, *METADATA_OPTIONS, *PARAMETER_OPTIONS, *ENGINE_OPTIONS)
@RUNNER_OPTION
@FAN_OUT_OPTION
@out_option("Folder for the results; those of before are replaced.")
@click.option(
    "--list-parameters",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_parameters,
    help="List every parameter with its default and what it takes, and exit.",
)
@click.pass_obj
def command(
    session: Session, /, preset: str | None, params: Path | None, fan_out: int, out: Path, **options: Any
) -> None:
    """Clean, analyse and forecast the series of a source.

    What is not given is found from the data where that is safe, and said aloud. DIR then holds report.html, run.json,
    metrics.json, forecasts.parquet, clean.parquet, stats.parquet, ledger.parquet and quarantine.parquet. With a lake,
    the rows of the interval are published to it as well; published.json says by which run, whose name sparkhu lineage
    takes, and as which version.
    """
    from sparkhu_cli.terminal import Terminal
    from sparkhu_pipelines.parameters import load_parameters, run_parameters

    from_file = load_parameters(params) if params else {}
    parameters = run_parameters(from_file, parameters_of(options), preset=preset or "")
    given = parameters.model_dump(mode="json", exclude_none=True)
    run_forecast(given, out=out, session=session, terminal=Terminal(), groups=fan_out)


def run_forecast(parameters: dict[str, Any], *, out: Path, session: Session, terminal: Any, groups: int = 1) -> None:
    """Look at the source, then run the forecast pipeline, over groups of shards where there are several.

    Raises:
        InputError: The source cannot be used.
        SparkhuError: The run fails.
    """
    from sparkhu_cli.first_look import look_first
    from sparkhu_cli.pipeline_run import run_pipeline

    look_first(parameters)
    run_pipeline("forecast", parameters, out=out, session=session, terminal=terminal, groups=groups)
