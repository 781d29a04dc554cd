"""The M4 competition's files: `Hourly-train.csv` and `Hourly-test.csv` and the like, one series a row, of any length.

The series have no times. Each frequency is given a regular grid that ends alike for all of its series, so that the
competition's one cutoff is one instant.

Source: S. Makridakis, E. Spiliotis, V. Assimakopoulos, "The M4 Competition: 100,000 time series and 61 forecasting
methods", Int. J. Forecasting 36 (2020), section 2.
"""

import csv
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from sparkhu import ledger
from sparkhu.backtesting.folds import Fold, Folds
from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.periods import Period
from sparkhu.steps.normalisation import Scaler, check_scaler
from sparkhu.training.parts import Floats, Integers

CUTOFF: Final = datetime(2000, 1, 1, tzinfo=UTC)
TRAIN, TEST = "-train.csv", "-test.csv"


class Frequency(NamedTuple):
    """What the competition asks of a frequency: the period, H, and the season of MASE and Naive2."""

    period: str
    horizon: int
    season_length: int


FREQUENCIES: Final = {
    "Yearly": Frequency("1y", 6, 1),
    "Quarterly": Frequency("1q", 8, 4),
    "Monthly": Frequency("1mo", 18, 12),
    "Weekly": Frequency("1w", 13, 1),
    "Daily": Frequency("1d", 14, 1),
    "Hourly": Frequency("1h", 48, 24),
}


@dataclass(frozen=True)
class M4:
    """The competition's protocol: each series is forecast once, from the end of its training file.

    Attributes:
        frequencies: Those that are asked for, keys of `FREQUENCIES`.
        input_size: L; 0: chosen for each frequency.
        scaler: How values are scaled for the models; the power transform, as the competition judges errors by their
            share of the values.
    """

    frequencies: tuple[str, ...]
    input_size: int = 0
    scaler: Scaler = "power"

    def __post_init__(self) -> None:
        check_scaler(self.scaler)

    def plan(self, rows: pl.DataFrame) -> Folds:
        """Lay the fold of each frequency over rows that `read_m4` gave."""
        names = rows["unique_id"].unique(maintain_order=True)
        folds = []
        for name in self.frequencies:
            period, horizon, season = FREQUENCIES[name]
            members = names.filter(names.str.starts_with(f"{name}/"))
            group = f"{period}/{season}"
            sizes = (horizon, self.input_size)
            folds.append(Fold(group, 1, members, CUTOFF, period, season, *sizes, scaler=self.scaler))
        return Folds(folds, ledger.empty())


def find_frequencies(folder: Path) -> tuple[str, ...]:
    """Name the frequencies whose two files lie in a folder, in the order of `FREQUENCIES`.

    Raises:
        InputError: There is none, or one of a pair is missing.
    """
    if not folder.is_dir():
        raise InputError(f"--source '{folder}' is no folder; the preset m4 takes the one with the competition's files.")
    for name in FREQUENCIES:
        halves = [(folder / f"{name}{half}").is_file() for half in (TRAIN, TEST)]
        if any(halves) and not all(halves):
            lacking = f"{name}{TRAIN if halves[1] else TEST}"
            raise InputError(f"'{folder}' lacks {lacking}; the preset m4 takes the files of a frequency in pairs.")
    found = tuple(name for name in FREQUENCIES if (folder / f"{name}{TRAIN}").is_file())
    if not found:
        names = ", ".join(f"{name}{TRAIN}" for name in FREQUENCIES)
        raise InputError(f"'{folder}' holds none of {names}, each with its {TEST}. Name the folder that does.")
    return found


def read_m4(folder: Path, frequencies: tuple[str, ...]) -> pl.DataFrame:
    """Read both files of some frequencies as one observation frame.

    Args:
        folder: Where they lie.
        frequencies: As `find_frequencies` gives them.

    Returns:
        Rows `unique_id, ds, y, available_at`, sorted; a series is called after its frequency and its row, as
        `Hourly/H1`. What the test file holds lies from `CUTOFF` on.

    Raises:
        InputError: A cell is no number, a row has no name or one that stands twice, a file holds no series, or the two
            files hold other series.
    """
    parts = [_read_pair(folder, name) for name in frequencies]
    return pl.concat(parts).sort("unique_id", "ds")


def _read_pair(folder: Path, name: str) -> pl.DataFrame:
    train, test = (_read_rows(folder / f"{name}{half}") for half in (TRAIN, TEST))
    if odd := sorted(train.keys() ^ test.keys()):
        raise InputError(
            f"series '{odd[0]}' is in only one of {name}{TRAIN} and {name}{TEST}. Take both from one place."
        )
    longest = [max((len(values) for values in rows.values()), default=0) for rows in (train, test)]
    grid = _grid(name, *longest)
    ids, lengths, places, values = [], [], [], []
    for series, before in train.items():
        behind = test[series]
        ids.append(f"{name}/{series}")
        lengths.append(len(before) + len(behind))
        places.append(longest[0] - len(before) + np.arange(lengths[-1]))
        values += [before, behind]
    ds = pl.Series(grid[np.concatenate(places)]).cast(TIME)
    frame = pl.DataFrame(
        {
            "unique_id": pl.Series(ids).gather(np.repeat(np.arange(len(ids)), lengths)),
            "ds": ds,
            "y": pl.Series(np.concatenate(values)).fill_nan(None),
            "available_at": ds,
        }
    )
    return frame.cast(pl.Schema(SCHEMA))


def _grid(name: str, before: int, behind: int) -> Integers:
    """Give instants, microseconds: so many before the cutoff, and so many from it on."""
    at = np.full(before + behind, int(CUTOFF.timestamp()) * 1_000_000)
    return Period.parse(FREQUENCIES[name].period).shift_us(at, np.arange(-before, behind))


def _read_rows(path: Path) -> dict[str, Floats]:
    """Read a file: the values of each series by its name; what is missing between them is NaN."""
    rows: dict[str, Floats] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            next(lines, None)
            for number, cells in enumerate(lines, start=2):
                if any(cell.strip() for cell in cells):
                    name = _name(path, number, cells[0], rows)
                    rows[name] = _values(path, number, cells[1:])
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is no text in UTF-8: {error}.") from error
    if not rows:
        raise InputError(f"'{path}' holds no series: below its header each row is a name, then numbers.")
    return rows


def _name(path: Path, line: int, name: str, known: Container[str]) -> str:
    if not name.strip():
        raise InputError(f"'{path}', line {line}: the series has no name. A row is a name, then numbers.")
    if name in known:
        raise InputError(f"'{path}', line {line}: series '{name}' stands twice. Keep one of the rows.")
    return name


def _values(path: Path, line: int, cells: list[str]) -> Floats:
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    try:
        values = np.array([float(cell) if cell.strip() else np.nan for cell in cells[:end]], np.float64)
    except ValueError as error:
        raise InputError(f"'{path}', line {line}: {error}. A row is a name, then numbers.") from error
    if np.isinf(values).any():
        raise InputError(
            f"'{path}', line {line}: '{cells[int(np.isinf(values).argmax())]}' is not finite. Leave such a cell empty."
        )
    return values
