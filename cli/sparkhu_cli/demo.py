"""`sparkhu demo`: the whole pipeline on real series that come along."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.engine_options import RUNNER_OPTION
from sparkhu_cli.options import out_option
from sparkhu_cli.session import Session

WORKERS: Final = 2


@click.command(
    cls=Documented,
    short_help="Run the pipeline on real series that come along.",
    example="sparkhu demo --out demo",
)
@RUNNER_OPTION
@out_option("Folder for the results; those of before are replaced.", default="demo")
@click.pass_obj
def command(session: Session, out: Path) -> None:
    """Run the whole pipeline on 17 real series that come along.

    They are weekly, monthly, quarterly and yearly: carbon dioxide with its gaps, sunspots, El Niño, the Nile, national
    accounts. Nothing is fetched from a network. Two workers fit the models where torch is installed, else one process.
    """
    from sparkhu.settings import Settings
    from sparkhu_cli.demo_series import write_demo_series
    from sparkhu_cli.engine_options import runner_of
    from sparkhu_cli.run import run_forecast
    from sparkhu_cli.terminal import Terminal
    from sparkhu_pipelines.parameters import run_parameters

    terminal = Terminal()
    source = write_demo_series(Settings().home / "demo")
    shared = runner_of(session) == "subprocess" and find_spec("torch") is not None
    training = {"distribution": "torch", "workers": WORKERS} if shared else {}
    said = "".join(f" --{name} {value}" for name, value in training.items())
    terminal.line(f"The same as: sparkhu run --source {source}{said} --out {out}")
    if not shared:
        terminal.line("One process fits the models; with torch (pip install 'sparkhu[torch]') two workers share them")
    parameters = run_parameters({"source": str(source), "model_name": "demo", "training": training})
    run_forecast(parameters.model_dump(mode="json", exclude_none=True), out=out, session=session, terminal=terminal)
