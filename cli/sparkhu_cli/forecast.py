"""`sparkhu forecast`: the champion on new data, without training."""

from pathlib import Path
from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import SOURCE_OPTIONS, given, out_option, source_option, with_options
from sparkhu_cli.session import Session


@click.command(
    cls=Documented,
    short_help="Forecast new data with the champion, without training.",
    example="sparkhu forecast --source sales-of-this-week.csv --out forecast",
)
@source_option()
@with_options(*SOURCE_OPTIONS)
@click.option("--model", metavar="NAME", help="Name of the model in the registry.  [forecaster]")
@out_option("Folder for the forecasts.", default="forecast")
@click.pass_obj
def command(session: Session, /, model: str | None, out: Path, **options: Any) -> None:
    """Forecast new observations of the series with the champion that earlier runs registered; nothing is trained."""
    from sparkhu_cli.pipeline_run import run_pipeline
    from sparkhu_cli.terminal import Terminal

    arguments = given({**options, "model_name": model})
    run_pipeline("predict", arguments, out=out, session=session, terminal=Terminal())
