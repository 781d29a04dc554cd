"""`sparkhu ingest`: append observations to a lake."""

from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import SOURCE_OPTIONS, given, lake_option, source_option, with_options


@click.command(
    cls=Documented,
    short_help="Append observations to a lake.",
    example="sparkhu ingest --source 2024-01-03.csv --lake s3://plant/lake",
)
@source_option()
@lake_option("Lake that they are appended to; made where there is none.")
@with_options(*SOURCE_OPTIONS)
@click.option(
    "--partition",
    type=click.Choice(["day", "month", "year"]),
    help="What a file of a new lake covers.  [from the number of rows]",
)
@click.option(
    "--buckets", type=click.IntRange(min=1), metavar="N", help="Groups of series of a new lake.  [from the rows]"
)
def command(source: str, lake: str, partition: Any, buckets: int | None, **options: Any) -> None:
    """Append what is new in a source to the observations of a lake, all of it or nothing.

    A file that was appended before adds nothing, also where its values were revised since. A changed value becomes a
    new version of it, known from now on, or from the time in a column 'available_at'. Of several rows of one series
    and instant the last is kept, so that drop_duplicates.policy finds none in a lake. Rows that cannot be used go to
    the lake's table 'quarantine'.
    """
    from sparkhu.sources import SourceOptions
    from sparkhu.stages.appending import append_source
    from sparkhu_cli.terminal import OK, Terminal

    terminal = Terminal()
    done = append_source(source, SourceOptions(**given(options)), lake=lake, partition=partition, buckets=buckets or 0)
    for note in done.notes:
        terminal.aside(note)
    parts = {"revised": done.revised, "held already": done.unchanged}
    counted = ", ".join(f"{count:,} {name}" for name, count in parts.items() if count)
    terminal.marked(OK, f"{done.added:,} rows added{f' ({counted})' if counted else ''}; version {done.version}")
    if done.repeated:
        terminal.marked("!", f"{done.repeated:,} rows left out: a later row is of the same series and instant")
    if done.refused:
        terminal.marked("!", f"{done.refused:,} rows refused; the lake's table 'quarantine' says why")
    if done.dirty:
        terminal.marked("!", f"{len(done.dirty):,} published intervals are out of date; sparkhu backfill renews them")
