"""`sparkhu backfill`: process the intervals of a lake that are new or out of date."""

from pathlib import Path
from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.given_parameters import parameters_of
from sparkhu_cli.options import METADATA_OPTIONS, PARAMETER_OPTIONS, lake_option, out_option, with_options


@click.command(
    cls=Documented,
    short_help="Process the intervals of a lake that are new or out of date.",
    example="sparkhu backfill --lake s3://plant/lake --from 2024-01-01 --to 2024-02-01 --every 1d --parallel 2",
)
@lake_option("Lake that is read and published to.")
@click.option("--from", "first", required=True, metavar="TIME", help="Start of the first interval.")
@click.option("--to", "last", required=True, metavar="TIME", help="End of the last interval, excluded.")
@click.option("--every", default="1d", show_default=True, metavar="LENGTH", help="Length of an interval, such as 1mo.")
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True, metavar="K", help="Runs at once.")
@click.option("--zone", metavar="ZONE", help="IANA zone of the intervals.  [UTC]")
@click.option("--lookback", metavar="LENGTH", help="How far before each interval is read.  [what the seasons want]")
@with_options(*METADATA_OPTIONS, *PARAMETER_OPTIONS)
@out_option("Folder for the results and report of each interval.", default="backfill")
def command(
    *,
    first: str,
    last: str,
    every: str,
    parallel: int,
    preset: str | None,
    params: Path | None,
    out: Path,
    **options: Any,
) -> None:
    """Run the pipeline for every interval that nobody has published, or whose observations have changed since.

    What is published already is left alone, so the same command goes on after it was stopped, however it was. Intervals
    before the first observation are left out.
    """
    from sparkhu_cli.backfilling import run_backfill
    from sparkhu_cli.terminal import Terminal
    from sparkhu_pipelines.parameters import load_parameters, run_parameters

    from_file = load_parameters(params) if params else {}
    given = parameters_of(options)
    parameters = run_parameters(from_file, given, preset=preset or "").model_dump(mode="json", exclude_none=True)
    run_backfill(parameters, first=first, last=last, every=every, parallel=parallel, out=out, terminal=Terminal())
