"""`sparkhu forecast`: the champion on new data, without training."""

from pathlib import Path
from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import INTERVAL_OPTIONS, SOURCE_OPTIONS, given, out_option, source_option, with_options
from sparkhu_cli.session import Session


@click.command(
    cls=Documented,
    short_help="Forecast new data with the champion, without training.",
    example="sparkhu forecast --source sales-of-this-week.csv --out forecast",
)
@source_option()
@with_options(*SOURCE_OPTIONS, *INTERVAL_OPTIONS)
@click.option(
    "--model", metavar="NAME", default="forecaster", show_default=True, help="Name of the model in the registry."
)
@out_option("Folder for the forecasts.", default="forecast")
@click.pass_obj
def command(session: Session, /, model: str, out: Path, **options: Any) -> None:
    """Forecast new observations of the series with the champion that earlier runs registered; nothing is trained."""
    from sparkhu_cli.first_look import check_parameters, look_first
    from sparkhu_cli.pipeline_run import run_pipeline
    from sparkhu_cli.terminal import Terminal
    from sparkhu_pipelines.parameters import SourceParameters

    parameters = SourceParameters(**given(options)).model_dump()
    check_parameters(parameters)
    look_first(parameters)
    run_pipeline("predict", {**parameters, "model_name": model}, out=out, session=session, terminal=Terminal())
