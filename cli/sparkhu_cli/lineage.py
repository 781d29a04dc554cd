"""`sparkhu lineage`: what a model, a table or a run was made from."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import lake_option

if TYPE_CHECKING:
    from sparkhu.tracing import Part, Trace
    from sparkhu_cli.terminal import Terminal

CHECKSUM_SIGNS = 12


@click.command(
    cls=Documented,
    short_help="Show what a model, a table or a run was made from.",
    example="sparkhu lineage forecaster@champion\nsparkhu lineage clean --lake s3://plant/lake",
)
@click.argument("what", metavar="MODEL|TABLE|RUN")
@lake_option("Lake that the table or run is of.", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def command(what: str, lake: str | None, as_json: bool) -> None:
    """Show what a model, a table of a lake or a run was made from: partitions, their checksums, parameters and code.

    A model is named as `name`, `name@alias` or `name/version`; a table or a run needs the lake that it is of.
    """
    from sparkhu.tracing import trace
    from sparkhu_cli.terminal import Terminal

    found = trace(what, lake=lake or "")
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1))
    else:
        _show(found, Terminal())


def _show(found: "Trace", terminal: "Terminal") -> None:
    terminal.line(found.title)
    width = max(map(len, found.facts), default=0)
    for name, text in found.facts.items():
        terminal.line(f"  {name:<{width}}  {text}")
    for heading, parts in (("made from", found.made_from), ("holds", found.made)):
        if parts:
            terminal.line()
            terminal.line(heading)
            _show_parts(parts, terminal)


def _show_parts(parts: Sequence["Part"], terminal: "Terminal") -> None:
    rows = [
        (
            part.what,
            "" if part.rows is None else f"{part.rows:,}",
            part.sha256[:CHECKSUM_SIGNS],
            part.run,
            "; ".join(filter(None, (part.note, part.where))),
        )
        for part in parts
    ]
    terminal.table(("what", "rows", "SHA-256", "run", ""), rows, "<><<<")  # type: ignore[arg-type]
