"""`sparkhu rollback`: the champion before this one forecasts again."""

import click

from sparkhu_cli.documented import Documented


@click.command(
    cls=Documented,
    short_help="Make an earlier version of a model champion again.",
    example="sparkhu rollback forecaster\nsparkhu rollback forecaster --to 3",
)
@click.argument("name")
@click.option("--to", metavar="VERSION", help="Number of the version; by default the champion before this one.")
def command(name: str, to: str | None) -> None:
    """Make the version of the model NAME champion again that was champion before.

    Forecasts are its own from the next one on. Nothing is deleted: the version that is left stays registered. Called
    once more, it goes back one champion further.
    """
    from sparkhu.registry.reigns import roll_back
    from sparkhu_cli.terminal import OK, Terminal

    done = roll_back(name, to=to)
    terminal = Terminal()
    terminal.marked(OK, f"champion of '{name}' is version {done.champion} again, not {done.previous}")
    terminal.aside(f"undo: sparkhu rollback {name} --to {done.previous}")
