"""`sparkhu metadata`: what is known of the series beside their values."""

from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import given


class DocumentedGroup(Documented, click.Group):
    """A command with commands of its own, in the order in which a user meets them, and an example."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Name the commands."""
        return list(self.commands)


@click.group(
    cls=DocumentedGroup,
    short_help="Keep the unit, type and limits of each series.",
    example="""
        sparkhu metadata sync --metadata sensors.csv
        sparkhu metadata show
    """,
)
def command() -> None:
    """Keep what is known of the series: type, unit, group, valid range, alert levels.

    They are kept in a catalogue: SQLite in Sparkhu's home folder, or the database that SPARKHU_CATALOGUE names.
    """


@command.command(
    cls=Documented,
    short_help="Bring the catalogue to what a file or table says.",
    example="""
        sparkhu metadata sync --metadata sensors.csv
        sparkhu metadata sync --metadata 'postgresql://reader:${PLANT_PASSWORD}@db/plant' --table sensors --name plant
    """,
)
@click.option(
    "--metadata", "uri", required=True, metavar="URI", help="One row a series: CSV, JSON lines, Parquet, or a database."
)
@click.option("--table", metavar="T", help="Table of a database.")
@click.option("--query", metavar="SQL", help="SQL query of a database, instead of a table.")
@click.option("--id", metavar="COL", help="Column of the series' names.  [found from the data]")
@click.option("--encoding", metavar="NAME", help="Encoding of a text file, such as cp949.  [found]")
@click.option("--name", metavar="NAME", help="What the catalogue keeps them under.  [the source's address]")
def sync(uri: str, **options: Any) -> None:
    """Bring the catalogue to what a file or table says of its series, all at once or not at all.

    Series that it no longer names are marked as removed; those of other sources are not touched. Contradictions, such
    as a valid range that is reversed, are refused before anything is written.
    """
    from sparkhu_cli.metadata_catalogue import sync_catalogue
    from sparkhu_cli.terminal import Terminal

    sync_catalogue(uri, given(options), Terminal())


@command.command(cls=Documented, short_help="Show the catalogue.", example="sparkhu metadata show --name plant")
@click.option("--name", metavar="NAME", help="Only the series of this source.  [all]")
@click.option("--removed", is_flag=True, help="Also series that their source no longer names.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=50, show_default=True, metavar="N", help="Most rows shown; 0: all."
)
def show(name: str | None, removed: bool, limit: int) -> None:
    """Show the series of the catalogue with their unit and limits."""
    from sparkhu_cli.metadata_catalogue import show_catalogue
    from sparkhu_cli.terminal import Terminal

    show_catalogue(name or "", Terminal(), removed=removed, limit=limit)
