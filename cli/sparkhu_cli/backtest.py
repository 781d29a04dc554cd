"""`sparkhu backtest`: how good forecasts would have been."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.options import SOURCE_OPTIONS, WINDOW_OPTIONS, WORKER_OPTIONS, given, out_option, with_options
from sparkhu_cli.session import Session

if TYPE_CHECKING:
    from sparkhu.stages.backtesting import Asked

FIXED: Final = {"m4": ("folds", "horizon", "season_length", "period"), "ett": ("folds", "period", "scaler")}
WINDOWS: Final = ("folds", "horizon", "input_size", "season_length", "period", "scaler")


@click.command(
    cls=Documented,
    short_help="Measure forecasts from moments in the past.",
    example="sparkhu backtest --source sales.csv --folds 4 --horizon 14 --out measured\n"
    "sparkhu backtest --source M4/ --preset m4 --models linear --out measured",
)
@click.option(
    "--source",
    required=True,
    metavar="URI",
    help="As sparkhu run takes it; for m4 the folder with the competition's *-train.csv and *-test.csv.",
)
@with_options(*SOURCE_OPTIONS)
@click.option("--models", metavar="NAMES", default="linear", show_default=True, help="Models to fit: a,b.")
@with_options(*WORKER_OPTIONS)
@click.option("--preset", type=click.Choice(["m4", "ett"]), help="A published protocol instead of a rolling origin.")
@click.option("--folds", type=click.IntRange(min=1), metavar="N", help="Moments to forecast from.  [3]")
@with_options(*WINDOW_OPTIONS)
@click.option(
    "--scaler",
    type=click.Choice(["standard", "minmax", "robust", "power"]),
    help="How values are scaled for the models.  [standard; m4: power]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Seed of every draw."
)
@click.option(
    "--leaks/--no-leaks",
    default=True,
    show_default=True,
    help="Fit the first fold again with another future, which must change no forecast.",
)
@click.option("--intervals/--no-intervals", default=True, show_default=True, help="Calibrate intervals.")
@out_option("Folder for the results; those of before are replaced.")
@click.pass_obj
def command(
    session: Session,
    /,
    *,
    source: str,
    models: str,
    distribution: str | None,
    workers: int | None,
    preset: str | None,
    seed: int,
    leaks: bool,
    intervals: bool,
    out: Path,
    **options: Any,
) -> None:
    """Forecast the series of a source from moments in the past, and score what was observed later.

    Each model learns from what lies before its moment and was known at it. Seasonal naive and the last value are
    always beside. Nothing is cleaned; a gap is closed by the last value before it and never scored. DIR then holds
    metrics.json, forecasts.parquet, series.parquet with the errors of each series, and ledger.parquet.
    """
    from sparkhu.errors import InputError
    from sparkhu.sections import Training
    from sparkhu.stages.backtesting import FILES, recipes_of, run_backtest
    from sparkhu_cli.backtest_lines import BacktestLines
    from sparkhu_cli.staging import staged
    from sparkhu_cli.terminal import Terminal

    if (out / "run.json").exists():
        raise InputError(f"--out '{out}' holds the results of a run. Name another folder.")
    session.open_log("backtest")
    training = Training.of(given({"distribution": distribution, "workers": workers}))
    recipes = recipes_of([name.strip() for name in models.split(",") if name.strip()], training)
    lines = BacktestLines(Terminal())
    with staged(out, last=FILES[0], owned=FILES[1:]) as stage:
        lines.reading(source)
        asked = _asked(source, preset or "", options)
        lines.read(asked)
        checks = {"leaks": leaks, "intervals": intervals}
        done = run_backtest(
            asked, recipes, work=stage.work, out=stage.results, seed=seed, told=lines.on_progress, **checks
        )
    lines.finished(done, out)


def _asked(source: str, preset: str, options: dict[str, Any]) -> "Asked":
    """Read the source as the preset wants it.

    Raises:
        InputError: An option does not go with the preset, or the source cannot be used.
    """
    from sparkhu.backtesting.folds import Ett, Rolling
    from sparkhu.errors import InputError
    from sparkhu.sources import SourceOptions
    from sparkhu.stages.backtesting import read_competition, read_rows

    told = given(options)
    own = {name: told.pop(name) for name in WINDOWS if name in told}
    refused = [name for name in FIXED.get(preset, ()) if name in own] + (list(told) if preset == "m4" else [])
    if refused:
        raise InputError(f"--{refused[0].replace('_', '-')} is set by the preset {preset}. Leave it out.")
    if preset == "m4":
        return read_competition(source, **own)
    reading = SourceOptions(**({"wide": True} if preset == "ett" else {}) | told)
    protocol = Ett(**own, zone=reading.zone) if preset == "ett" else Rolling(**own, zone=reading.zone)
    return read_rows(source, reading, protocol)
