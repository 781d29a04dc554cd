"""The `sparkhu` command: its commands, imported when they are asked for, and how it ends."""

import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any, cast

import click

from sparkhu_cli.failures import exit_code_of
from sparkhu_cli.session import Session

TERMINATED = 128 + signal.SIGTERM
COMMANDS = ("run", "check", "forecast", "step", "compile", "demo")


class SparkhuGroup(click.Group):
    """Finds a command in the module of its name, and turns what it raises into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module, or give None where there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        command = cast(click.Command, import_module(f"sparkhu_cli.{cmd_name}").command)
        if not any(option.name == "verbose" for option in command.params):
            command.params.append(verbose_option())
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever goes wrong ends in one message on stderr and an exit code."""
        session = Session(verbose=ctx.params["verbose"])
        ctx.obj = session
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BaseException as error:
            ctx.exit(exit_code_of(error, session))
        finally:
            session.close()


def verbose_option() -> click.Option:
    """Give the option `-v` of a command; it says the same after the command's name as before it."""

    def set_verbose(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.ensure_object(Session).verbose = True

    text = "Show the log, and the traceback of a failure."
    return click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=set_verbose, help=text)


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
def sparkhu(verbose: bool) -> None:  # noqa: ARG001 - the group reads it from its context
    """Clean, analyse and forecast many time series.

    \b
    Example:
      sparkhu check sales.csv
      sparkhu run --source sales.csv --out results
    """


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
