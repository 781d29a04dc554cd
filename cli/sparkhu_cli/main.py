"""The `sparkhu` command: its commands, imported when they are asked for, and how it ends."""

import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any, cast

import click

from sparkhu_cli.documented import write_example
from sparkhu_cli.failures import exit_code_of
from sparkhu_cli.session import Session

TERMINATED = 128 + signal.SIGTERM
COMMANDS = (
    "run",
    "check",
    "forecast",
    "step",
    "compile",
    "submit",
    "metadata",
    "ingest",
    "backfill",
    "tune",
    "models",
    "rollback",
    "register",
    "backtest",
    "lineage",
    "retention",
    "demo",
)


class SparkhuGroup(click.Group):
    """Finds a command in the module of its name, and turns what it raises into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Name the commands in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command's module, or give None where there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        return cast(click.Command, import_module(f"sparkhu_cli.{cmd_name}").command)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write an example below the commands."""
        super().format_epilog(ctx, formatter)
        write_example("sparkhu check sales.csv\nsparkhu run --source sales.csv --out results", formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever goes wrong ends in one message on stderr and an exit code."""
        session = Session(verbose=ctx.params["verbose"])
        ctx.obj = session
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BaseException as error:  # noqa: BLE001 - everything ends here, in a message
            ctx.exit(exit_code_of(error, session))
        finally:
            session.close()


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"sparkhu {version('sparkhu')}")
        ctx.exit()


@click.group(cls=SparkhuGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("-v", "--verbose", is_flag=True, help="Show the log, and the traceback of a failure.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def sparkhu(verbose: bool) -> None:
    """Clean, analyse and forecast many time series."""


def main() -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a mark shows a question mark instead of failing.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _terminate)
    sparkhu(prog_name="sparkhu")


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """End in order: what is half-written is removed, and the processes of the run are ended."""
    raise SystemExit(TERMINATED)
