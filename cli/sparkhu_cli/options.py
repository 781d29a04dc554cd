"""Options that several commands share, and how parameters come together from preset, file and command line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

SOURCE_OPTIONS = (
    click.option("--time", metavar="COL", help="Column of the times.  [found from the data]"),
    click.option("--value", metavar="COL", help="Column of the values.  [found from the data]"),
    click.option("--id", metavar="COL", help="Column of the series' names.  [found from the data]"),
    click.option("--wide", is_flag=True, default=None, help="Every column but the time is a series."),
    click.option("--zone", metavar="ZONE", help="IANA zone of times without an offset.  [UTC]"),
    click.option("--time-format", metavar="FORMAT", help="Format of the times, such as %d/%m/%Y.  [found]"),
    click.option("--extra", metavar="COLS", help="Further columns that travel along: a,b or all.  [none]"),
    click.option("--table", metavar="NAME", help="Table of a database to read."),
    click.option("--query", metavar="SQL", help="SELECT to read from a database."),
    click.option("--delimiter", metavar="SIGN", help="Sign between the fields of a line, or tab.  [found]"),
    click.option("--encoding", metavar="NAME", help="Encoding of text, such as cp949.  [UTF-8, or the file's mark]"),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of the numbers.  [found]"),
)

INTERVAL_OPTIONS = (
    click.option("--start", metavar="TIME", help="First instant of the interval, included.  [all]"),
    click.option("--end", metavar="TIME", help="End of the interval, excluded.  [all]"),
)

LAKE_OPTIONS = (
    click.option(
        "--lake", metavar="URI", help="Lake that is read instead of a source: a folder or s3://bucket/prefix."
    ),
    click.option(
        "--lookback",
        metavar="LENGTH",
        help="How far before --start a lake is read, such as 60d, or all.  [what the seasons want]",
    ),
)

METADATA_OPTIONS = (
    click.option("--metadata", metavar="URI", help="Types, units and valid ranges of the series: a file or database."),
)

WINDOW_OPTIONS = (
    click.option("--horizon", type=click.IntRange(min=1), metavar="N", help="Points to forecast.  [from the season]"),
    click.option("--input-size", type=click.IntRange(min=1), metavar="L", help="Points a model looks back.  [found]"),
    click.option("--period", metavar="P", help="Period of all series, such as 1h or 1mo.  [found for each]"),
    click.option("--season-length", type=click.IntRange(min=1), metavar="N", help="Points a season.  [the calendar's]"),
)

WORKER_OPTIONS = (
    click.option(
        "--distribution",
        type=click.Choice(["single", "torch", "horovod"]),
        help="What connects the workers that fit the linear and the neural models.  [single]",
    ),
    click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Workers that fit a model together.  [1]"),
)

PARAMETER_OPTIONS = (
    *WINDOW_OPTIONS,
    click.option("--models", metavar="NAMES", help="Models that compete with the linear one, such as trees,lstm."),
    *WORKER_OPTIONS,
    click.option("--split", metavar="A/B/C", help="Training, validation, test: shares or rows.  [0.7/0.1/0.2]"),
    click.option("--model", "model_name", metavar="NAME", help="Name of the model in the registry.  [forecaster]"),
    click.option("--past", metavar="DIR", help="Results of an earlier run: its estimates of the periods count too."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any other parameter, such as handling.alpha=0.2; may be given often. --list-parameters shows them.",
    ),
    click.option("--preset", metavar="NAME", help="A published protocol: ett."),
    click.option(
        "--params",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="YAML file with any parameters; options given here win.",
    ),
)


FAN_OUT_OPTION = click.option(
    "--fan-out",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="Prepare series in N groups of shards side by side, 100 at most: N times as many tasks, for a cluster.",
)

CLUSTER_OPTION = click.option(
    "--cluster",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="YAML file with the settings of the cluster: resources, retries, images, variables, secrets.",
)


def with_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Give a command several options, shown in the given order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def source_option(*, required: bool = True) -> Callable[[Command], Command]:
    """Give a command the option that names its source."""
    return click.option(
        "--source",
        required=required,
        metavar="URI",
        help="CSV, JSON lines or Parquet: a file, a glob, a folder, any fsspec URI; or a database: a SQLAlchemy URL.",
    )


def lake_option(text: str, *, required: bool = True) -> Callable[[Command], Command]:
    """Give a command the option that names a lake."""
    return click.option("--lake", required=required, metavar="URI", help=f"{text} A folder, or s3://bucket/prefix.")


def out_option(text: str, default: str | None = None) -> Callable[[Command], Command]:
    """Give a command the option that names the folder it writes."""
    return click.option(
        "--out",
        required=default is None,
        default=default,
        show_default=default is not None,
        type=click.Path(path_type=Path),
        metavar="DIR",
        help=text,
    )


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the options that the user gave."""
    return {name: value for name, value in options.items() if value is not None}
