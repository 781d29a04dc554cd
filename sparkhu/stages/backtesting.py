"""A backtest from a source to a folder of results."""

import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import polars as pl

from sparkhu import ledger
from sparkhu.backtesting.fitting import YARDSTICKS
from sparkhu.backtesting.folds import Ett, Rolling
from sparkhu.backtesting.m4 import M4, find_frequencies, read_m4
from sparkhu.backtesting.running import Backtest, Told, backtest
from sparkhu.errors import InputError
from sparkhu.sections import Training
from sparkhu.sources import SourceOptions, read_source
from sparkhu.stages.fitting import check_libraries, check_training, with_workers
from sparkhu.steps.normalisation import Scaler
from sparkhu.steps.validation import validate
from sparkhu.training.known import RECIPES, load_recipe
from sparkhu.training.recipes import Recipe

METRICS, FORECASTS, SERIES, LEDGER = FILES = (
    "metrics.json",
    "forecasts.parquet",
    "series.parquet",
    "ledger.parquet",
)
"""The files of a backtest's folder; the first comes last."""
STEP = "backtest"


class Asked(NamedTuple):
    """What is to be backtested.

    Attributes:
        rows: Observation frame, sorted.
        protocol: Where the folds lie.
        entries: Ledger entries of reading, with their step.
        notes: What was found in the source.
    """

    rows: pl.DataFrame
    protocol: Rolling | Ett | M4
    entries: pl.DataFrame
    notes: Sequence[str]


def read_rows(source: str, options: SourceOptions, protocol: Rolling | Ett) -> Asked:
    """Read a source for a backtest: rows that cannot be used are refused, nothing is cleaned.

    Raises:
        InputError: The source cannot be used.
    """
    raw = read_source(source, options)
    valid = validate(raw.frame, zone=options.zone)
    refused = int(valid.counts["quarantined"])
    notes = [*raw.notes, *([f"{refused:,} rows refused: no instant or no number"] if refused else [])]
    return Asked(valid.frames["observations"], protocol, ledger.with_step(valid.ledger, "validate"), notes)


def read_competition(source: str, *, input_size: int = 0, scaler: Scaler = "power") -> Asked:
    """Read the M4 competition's files.

    Args:
        source: The folder.
        input_size: As `sparkhu.backtesting.m4.M4` takes it.
        scaler: Likewise.

    Raises:
        InputError: The folder lacks them, or they cannot be read.
    """
    folder = Path(source)
    frequencies = find_frequencies(folder)
    nothing = ledger.with_step(ledger.empty(), "validate")
    return Asked(read_m4(folder, frequencies), M4(frequencies, input_size, scaler), nothing, [])


def recipes_of(names: Sequence[str], training: Training | None = None) -> list[Recipe]:
    """Make the recipes of some names; the yardsticks, which are always there, need none.

    Args:
        names: Of the models.
        training: On how many workers the linear and the neural ones are fitted; by default in this process.

    Raises:
        InputError: A name is unknown or stands twice, or several workers have no distribution.
    """
    training = training or Training()
    check_training(training)
    check_libraries(training)
    if twice := {name for name in names if list(names).count(name) > 1}:
        raise InputError(f"--models names '{min(twice)}' twice.")
    recipes = [load_recipe(name) for name in names if name not in YARDSTICKS]
    return [with_workers(recipe, training, step=STEP) for recipe in recipes]


def run_backtest(
    asked: Asked,
    recipes: Sequence[Recipe],
    *,
    work: Path,
    out: Path,
    seed: int,
    leaks: bool,
    intervals: bool,
    told: Told,
) -> Backtest:
    """Backtest and write the files of the results.

    Args:
        asked: What is backtested.
        recipes: Models beside the yardsticks.
        work: A folder for what is made on the way.
        out: The folder of the results.
        seed: Of every draw.
        leaks: Whether to check for leaks.
        intervals: Whether to calibrate intervals, of the models that are not fitted anew for every window.
        told: Called as the backtest goes on.

    Raises:
        InputError: No series can be forecast.
        LeakError: A model has seen the future.
        OSError: Storage fails.
    """
    without = [name for name, known in RECIPES.items() if known.refits or not intervals]
    done = backtest(
        asked.rows,
        recipes,
        asked.protocol,
        seed=seed,
        without_intervals=without if intervals else [*without, *YARDSTICKS],
        leaks=leaks,
        sink=_into(work),
        told=told,
    )
    done.metrics["notes"] = [*asked.notes, *done.metrics["notes"]]
    pl.scan_parquet(sorted(work.glob("*.parquet")), glob=False).sink_parquet(out / FORECASTS)
    done.series.write_parquet(out / SERIES)
    pl.concat([asked.entries, ledger.with_step(done.entries, STEP)]).write_parquet(out / LEDGER)
    (out / METRICS).write_text(json.dumps(done.metrics, indent=1, ensure_ascii=False, default=str) + "\n", "utf-8")
    return done


def _into(folder: Path) -> Callable[[pl.DataFrame], None]:
    """Write each part of the forecasts as a file of its own: they are put together at the end, not held."""
    numbers = count()

    def write(part: pl.DataFrame) -> None:
        part.write_parquet(folder / f"{next(numbers):06d}.parquet")

    return write
