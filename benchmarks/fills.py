"""Measure how well the chosen way of filling does against every single one, on points that had no part in choosing.

    python benchmarks/fills.py [--data DIR] [--draws N]

Series: those of the demo and, with `--data`, the seven columns of ETTh1, every fourth hourly series of M4, seven files
of NAB and five stock prices. In each, runs of 1, 4 and one season of known points are hidden, some twelfth of all
points, in the training part (the first 70 %) and behind it alike. What is hidden is missing for everything that
follows: choosing draws its own masks from what is left. Every strategy fills the hidden points; an error is absolute
and divided by the standard deviation of the series' training part, and averaged over the points of a series, the draws
and the series of a group. Where a strategy has no estimate, being too short of points, it stands with that of `linear`.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import TIME
from sparkhu.steps.filled_rows import fit_points
from sparkhu.steps.filling import fill
from sparkhu.steps.masks import score
from sparkhu.steps.pooling import DEFAULT_VARIANTS, pool_fills
from sparkhu.steps.strategies import STRATEGIES

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
START = datetime(2000, 1, 1, tzinfo=UTC)
TRAIN_SHARE = 0.7
HIDDEN_SHARE = 1 / 12
POOLED = "pooled"
DRAWS = 5
DEMO_SEASONS = {"co2": 52, "sunspots": 0, "nile": 0, "elnino": 12, "euro_electrical_turnover": 12}
QUARTERS = 4
M4_STEP = 4


@dataclass(frozen=True)
class Series:
    """A series on its even grid: values (NaN where missing) and points a season (0: none)."""

    group: str
    name: str
    values: Floats
    season: int

    @property
    def train(self) -> int:
        """How many rows the training part has."""
        return int(len(self.values) * TRAIN_SHARE)


def demo_series() -> Iterator[Series]:
    """Give the series of the demo."""
    from sparkhu_cli.demo_series import demo_frame

    for (name,), part in demo_frame().group_by("series", maintain_order=True):
        values = part["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        yield Series("demo", str(name), values, DEMO_SEASONS.get(str(name), QUARTERS))


def published_series(folder: Path) -> Iterator[Series]:
    """Give the series of the folder of published data."""
    ett = pl.read_csv(folder / "ett" / "ETTh1.csv")
    for name in ett.columns[1:]:
        yield Series("ett", name, ett[name].cast(pl.Float64).to_numpy(), 24)
    with (folder / "m4" / "Hourly-train.csv").open(encoding="utf-8") as file:
        for row in list(csv.reader(file))[1::M4_STEP]:
            yield Series("m4 hourly", row[0], np.array([float(text) for text in row[1:] if text]), 24)
    for path in sorted((folder / "nab").glob("*.csv")):
        values, day = _on_grid(pl.read_csv(path, try_parse_dates=True))
        yield Series("nab", path.stem, values, day)
    prices = pl.read_csv(folder / "prices" / "stocks-daily.csv")
    for name in [column for column in prices.columns if prices[column].dtype.is_numeric()]:
        yield Series("prices", name, prices[name].cast(pl.Float64).to_numpy(), 5)


def _on_grid(frame: pl.DataFrame) -> tuple[Floats, int]:
    """Bring rows with duplicates and gaps to their most frequent spacing; give the points a day as well."""
    rows = frame.unique("timestamp", keep="last").sort("timestamp")
    step = rows["timestamp"].diff().drop_nulls().mode().min()
    assert isinstance(step, timedelta)
    grid = (
        pl.datetime_range(rows["timestamp"][0], rows["timestamp"][-1], step, eager=True).alias("timestamp").to_frame()
    )
    values = grid.join(rows, on="timestamp", how="left", maintain_order="left")["value"]
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy(), round(timedelta(days=1) / step)


def hide(series: Series, draw: int) -> Bools:
    """Choose the points to hide: as many in runs of 1 as in runs of 4 and of a season, alike in both parts."""
    known = ~np.isnan(series.values)
    hidden = np.zeros(len(known), np.bool_)
    rng = np.random.default_rng([draw, *series.name.encode()])
    for first, last in ((0, series.train), (series.train, len(known))):
        lengths = sorted({n for n in (1, 4, series.season) if n and 6 * n <= last - first}, reverse=True)
        wanted = HIDDEN_SHARE * (last - first) / max(len(lengths), 1)
        for length in lengths:
            _hide_runs(hidden, known, rng, length=length, runs=max(round(wanted / length), 1), bounds=(first, last))
    return hidden


def _hide_runs(
    hidden: Bools, known: Bools, rng: np.random.Generator, *, length: int, runs: int, bounds: tuple[int, int]
) -> None:
    """Hide runs between known points, not next to each other, as many as find a place."""
    places = np.arange(max(bounds[0], 1), bounds[1] - length)
    for start in rng.permutation(places).tolist():
        around = slice(start - 1, start + length + 1)
        if runs and known[around].all() and not hidden[around].any():
            hidden[start : start + length] = True
            runs -= 1


def errors(series: Series, draw: int) -> dict[str, float]:
    """Fill the hidden points by every strategy and by the chosen one; give the mean scaled error of each."""
    hidden = hide(series, draw)
    seen = np.where(hidden, np.nan, series.values)
    frame, profile = _frames(series, seen)
    made = {name: fill(frame, profile, strategy=name).frames for name in STRATEGIES}
    layers = pl.concat([frame, *[one["filled"] for one in made.values()]], how="horizontal")
    pooled = pool_fills(layers, pl.concat([one["scores"] for one in made.values()])).frames
    estimates = {name: layers[name].to_numpy() for name in STRATEGIES}
    estimates = {name: np.where(np.isnan(own), estimates["linear"], own) for name, own in estimates.items()}
    estimates[POOLED] = pooled["filled"]["y"].to_numpy()
    scale = float(np.nanstd(seen[: series.train])) or 1.0
    return {name: float(np.abs(own - series.values)[hidden].mean()) / scale for name, own in estimates.items()}


def _frames(series: Series, values: Floats) -> tuple[pl.DataFrame, pl.DataFrame]:
    end = START + timedelta(hours=len(values) - 1)
    ds = pl.datetime_range(START, end, "1h", eager=True, time_zone="UTC").cast(TIME)
    frame = pl.DataFrame({"unique_id": [series.name] * len(values), "ds": ds, "y": pl.Series(values).fill_nan(None)})
    profile = pl.DataFrame(
        {"unique_id": [series.name], "train_end": [ds[series.train]], "season_length": [series.season]},
        schema_overrides={"train_end": TIME},
    )
    return frame.with_columns(available_at="ds"), profile


def measure(all_series: list[Series], draws: int) -> pl.DataFrame:
    """Measure every series: `group`, `series`, and a column a strategy and `pooled` with the mean scaled error."""
    rows: list[dict[str, Any]] = []
    for series in all_series:
        found = [errors(series, draw) for draw in range(draws)]
        mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        rows.append({"group": series.group, "series": series.name, **mean})
    return pl.DataFrame(rows)


def by_group(measured: pl.DataFrame) -> pl.DataFrame:
    """Average over the series of each group, and over all: with the best single strategy and pooled against it."""
    names = [*STRATEGIES, POOLED]
    groups = measured.group_by("group", maintain_order=True).agg(pl.len().alias("series"), pl.col(names).mean())
    total = measured.select(pl.lit("all").alias("group"), pl.len().alias("series"), pl.col(names).mean())
    table = pl.concat([groups, total])
    singles = table.select(list(STRATEGIES))
    best = [min(row, key=lambda name: row[name]) for row in singles.to_dicts()]
    lowest = singles.min_horizontal()
    return table.with_columns(
        best=pl.Series(best), against_best=pl.col(POOLED) / lowest, against_linear=pl.col(POOLED) / pl.col("linear")
    )


def milliseconds(count: int = 200, size: int = 1000) -> pl.DataFrame:
    """Time the fill and the score of every strategy, in ms a series of 1,000 hourly points with 5 % missing."""
    rng = np.random.default_rng(0)
    parts = []
    for number in range(count):
        values = rng.normal(size=size) + 3 * np.sin(np.arange(size) * 2 * np.pi / 24)
        values[rng.random(size) < 0.05] = np.nan
        parts.append(_frames(Series("", f"{number:04d}", values, 24), values))
    frame, profile = pl.concat([part[0] for part in parts]), pl.concat([part[1] for part in parts])
    rows = []
    for name, way in STRATEGIES.items():
        points = fit_points(frame, profile)
        began = time.perf_counter()
        way.fill(points)
        filled = time.perf_counter()
        score(points, name, way)
        rows.append((name, (filled - began) / count * 1e3, (time.perf_counter() - filled) / count * 1e3))
    return pl.DataFrame(rows, schema=["strategy", "fill", "score"], orient="row")


def print_table(table: pl.DataFrame, digits: int) -> None:
    """Print a table with one row a line, numbers with as many digits as they deserve."""
    for number, row in enumerate([tuple(table.columns), *table.rows()]):
        cells = [f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell) for cell in row]
        print(f"{cells[0]:<16}" + "".join(f"{cell:>12}" for cell in cells[1:]))
        if not number:
            print("-" * (16 + 12 * (len(cells) - 1)))


def main() -> None:
    """Print the table of errors by group of series and the table of times."""
    parser = argparse.ArgumentParser(description="How well gaps are filled")
    parser.add_argument("--data", type=Path, help="folder with ett, m4, nab and prices")
    parser.add_argument("--draws", type=int, default=DRAWS, help="independent draws of hidden points")
    arguments = parser.parse_args()
    series = [*demo_series(), *(published_series(arguments.data) if arguments.data else ())]
    table = by_group(measure(series, arguments.draws))
    print(f"Mean absolute error of hidden points, in standard deviations; chosen from {', '.join(DEFAULT_VARIANTS)}\n")
    figures = table.with_columns(pl.col(pl.Float64).round(3).cast(pl.String), pl.col("series").cast(pl.String))
    print_table(figures.transpose(include_header=True, header_name="strategy", column_names="group"), 3)
    print("\nMilliseconds a series of 1,000 points, 5 % of them missing\n")
    print_table(milliseconds(), 3)


if __name__ == "__main__":
    main()
