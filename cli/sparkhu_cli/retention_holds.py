"""`sparkhu retention hold`: what must stay, whatever policies say."""

from pathlib import Path
from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.metadata import DocumentedGroup
from sparkhu_cli.options import with_options
from sparkhu_cli.retention_options import JSON, STORAGES, ZONE, by, opened


@click.group(
    cls=DocumentedGroup,
    short_help="Hold data back from every policy.",
    example="""
        sparkhu retention hold add --storage plant --dataset observations --reason 'audit of 2024'
        sparkhu retention hold list
    """,
)
def hold() -> None:
    """Hold data back from every policy until the hold is released."""


@hold.command(
    cls=Documented,
    short_help="Place a hold.",
    example="sparkhu retention hold add --storage plant --start 2023-01-01 --end 2023-07-01 --reason 'audit of 2024'",
)
@STORAGES
@click.option("--storage", metavar="NAME", help="Storage whose items are held.  [all]")
@click.option("--dataset", metavar="NAME", help="Dataset that is held, or a pattern.  [all]")
@click.option(
    "--item", "items", multiple=True, metavar="ID", help="Item that is held, no pattern; may be given often.  [all]"
)
@click.option("--start", metavar="TIME", help="First instant that is held.  [from the first]")
@click.option("--end", metavar="TIME", help="First instant that is no longer held.  [to the last]")
@ZONE
@click.option("--reason", required=True, metavar="TEXT", help="Why; plans and the audit log say it.")
def add(storages: Path | None, **wanted: Any) -> None:
    """Place a hold on items that overlap [start, end)."""
    from sparkhu_cli.retention_hold_lines import place_hold
    from sparkhu_cli.terminal import Terminal

    with opened(storages) as operations:
        place_hold(operations, wanted, Terminal(), by=by())


@hold.command(
    "list", cls=Documented, short_help="List the holds in force.", example="sparkhu retention hold list --released"
)
@click.option("--released", is_flag=True, help="Those of before as well.")
@with_options(STORAGES, JSON)
def listed(released: bool, storages: Path | None, as_json: bool) -> None:
    """List the holds."""
    from sparkhu_cli.retention_hold_lines import show_holds
    from sparkhu_cli.terminal import Terminal

    with opened(storages) as operations:
        show_holds(operations.holds(released=released), Terminal(), as_json=as_json)


@hold.command(cls=Documented, short_help="End a hold.", example="sparkhu retention hold release 3f2c9a417b50")
@click.argument("identity", metavar="ID")
@STORAGES
def release(identity: str, storages: Path | None) -> None:
    """End the hold ID; from the next plan on policies count again."""
    from sparkhu_cli.retention_hold_lines import release_hold
    from sparkhu_cli.terminal import Terminal

    with opened(storages) as operations:
        release_hold(operations, identity, Terminal(), by=by())
