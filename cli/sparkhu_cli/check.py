"""`sparkhu check`: a dry look at a source."""

from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import SOURCE_OPTIONS, given, with_options


@click.command(
    cls=Documented,
    short_help="Look at a source: columns, times, period, problems.",
    example="sparkhu check sales.csv --time day --value sold --id shop",
)
@click.argument("source")
@with_options(*SOURCE_OPTIONS)
def command(source: str, **options: Any) -> None:
    """Look at a source and say what `sparkhu run` would make of it. Nothing is written."""
    from sparkhu.sources import SourceOptions
    from sparkhu_cli.source_check import check_source
    from sparkhu_cli.terminal import Terminal

    check_source(source, SourceOptions(**given(options)), Terminal())
