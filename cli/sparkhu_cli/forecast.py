"""`sparkhu forecast`: the champion on new data, without training."""

from pathlib import Path
from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.engine_options import ENGINE_OPTIONS, RUNNER_OPTION
from sparkhu_cli.given_parameters import parameters_of
from sparkhu_cli.options import (
    INTERVAL_OPTIONS,
    LAKE_OPTIONS,
    METADATA_OPTIONS,
    SOURCE_OPTIONS,
    out_option,
    source_option,
    with_options,
)
from sparkhu_cli.session import Session

# What the predict pipeline takes beside its source; how the series were prepared comes with the model.
PREPARATION = ("duplicates", "model_name", "max_failed_share")


@click.command(
    cls=Documented,
    short_help="Forecast new data with the champion, without training.",
    example="sparkhu forecast --source sales-of-this-week.csv --out forecast",
)
@source_option(required=False)
@with_options(*LAKE_OPTIONS, *SOURCE_OPTIONS, *INTERVAL_OPTIONS, *METADATA_OPTIONS, *ENGINE_OPTIONS)
@RUNNER_OPTION
@click.option(
    "--model", metavar="NAME", default="forecaster", show_default=True, help="Name of the model in the registry."
)
@click.option(
    "--learn", is_flag=True, help="Let the champion learn from the new observations first, without the old ones."
)
@out_option("Folder for the forecasts; those of before are replaced.", default="forecast")
@click.pass_obj
def command(session: Session, /, model: str, learn: bool, out: Path, **options: Any) -> None:
    """Forecast new observations of the series with the champion that earlier runs registered; nothing is trained.

    With --learn the champion takes in what it has not seen of them, and becomes a version of its own. Give as many of
    the observations before them as it looks at.
    """
    from sparkhu_cli.first_look import look_first
    from sparkhu_cli.pipeline_run import run_pipeline
    from sparkhu_cli.terminal import Terminal
    from sparkhu_pipelines.parameters import SourceParameters, run_parameters

    checked = run_parameters(parameters_of(options), {"model_name": model}).model_dump(mode="json", exclude_none=True)
    parameters = {name: checked[name] for name in (*SourceParameters.model_fields, *PREPARATION)}
    look_first(parameters)
    parameters["learn"] = learn
    run_pipeline("predict", parameters, out=out, session=session, terminal=Terminal())
