"""Count the labelled anomalies that the residual-anomaly step catches, beside what chance would catch.

    python benchmarks/anomalies.py NAB_FOLDER [WIDE_CSV ...]

NAB_FOLDER holds CSV files (`timestamp,value`) of the Numenta Anomaly Benchmark and `windows.json` with the labelled
windows of each. Every file goes the way of a pipeline's regular series, all with the product's defaults. A window is
caught where at least one flagged point lies inside. An alarm is a run of flagged points. Beside stand the share of the
points that lie in windows (`windowed`), the share of the flagged ones that do (`inside`), and how many windows chance
would catch: as many alarms at random places (`by alarms`), and as many flagged points (`by points`). Each further CSV
(a column a series) shows the share that is flagged of ordinary data.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.sections import Anomalies, Decomposition
from sparkhu.shards import open_dataset
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from sparkhu.steps.anomalies import flag_anomalies
from sparkhu.steps.decomposition import decompose
from sparkhu.steps.deduplication import drop_duplicates
from sparkhu.steps.description import describe
from sparkhu.steps.filling import fill
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.outliers import flag_outliers
from sparkhu.steps.pooling import DEFAULT_VARIANTS, pool_fills
from sparkhu.steps.regularity import detect_regularity
from sparkhu.steps.validation import validate

HEADER = ("", "windows", "caught", "points", "flagged", "alarms", "windowed", "inside", "by alarms", "by points")


class Found(NamedTuple):
    """What the step flagged in one source.

    Attributes:
        windows: Labelled windows.
        caught: Those with a flagged point inside.
        points: Observed points.
        flagged: Points flagged.
        alarms: Runs of flagged points.
        windowed: Points inside windows.
        inside: Flagged points inside windows.
        by_alarms: Windows that as many alarms at random places would catch.
        by_points: Windows that as many points at random places would catch.
    """

    windows: int
    caught: int
    points: int
    flagged: int
    alarms: int
    windowed: int
    inside: int
    by_alarms: float
    by_points: float

    def row(self, name: str) -> str:
        """Give a line of the table."""
        shares = (self.flagged / self.points, self.windowed / self.points, self.inside / max(self.flagged, 1))
        flagged, windowed, inside = (f"{share:.2%}" for share in shares)
        cells = (self.windows, self.caught, self.points, flagged, self.alarms, windowed, inside)
        return line((name, *cells, f"{self.by_alarms:.1f}", f"{self.by_points:.1f}"))


def main(folder: str, *ordinary: str) -> None:
    """Print a line a file, and their sum."""
    print(line(HEADER))
    found = catch_windows(Path(folder))
    for name, one in found.items():
        print(one.row(name))
    print(Found(*(sum(column) for column in zip(*found.values(), strict=True))).row("all"))
    for source in ordinary:
        flagged = flag_source(Path(source), SourceOptions(wide=True))
        for (name,), rows in flagged.group_by("unique_id", maintain_order=True):
            print(counted(rows, []).row(f"{Path(source).name} {name}"))


def line(cells: tuple[object, ...]) -> str:
    """Set a row of the table."""
    return f"{cells[0]!s:<44}" + "".join(f"{cell!s:>11}" for cell in cells[1:])


def catch_windows(folder: Path) -> dict[str, Found]:
    """Flag the anomalies of every labelled file of a folder, and hold them against its windows."""
    labels = json.loads((folder / "windows.json").read_text("utf-8"))
    options = SourceOptions(time="timestamp", value="value")
    return {name: counted(flag_source(folder / name, options), labels[name]) for name in sorted(labels)}


def flag_source(source: Path, options: SourceOptions) -> pl.DataFrame:
    """Read a source and run every step from validation to residual anomalies with its defaults.

    Returns:
        The rows of the regular series, with `is_anomaly`.
    """
    with TemporaryDirectory() as place:
        folder = Path(place)
        ingest_source(
            str(source), options, out=folder / "raw", history=folder / "history", versions=folder / "versions"
        )
        raw = open_dataset(Path(place) / "raw").scan().collect()
    rows = drop_duplicates(validate(raw).frames["observations"]).frames["observations"]
    stats = describe(rows, stationarity_points=0).frames["stats"]
    profile = detect_regularity(rows).frames["profile"]
    filled = fill_gaps(beside(rows, flag_outliers(rows, stats).frames["flags"]), profile)
    parts = decompose(filled, profile, **Decomposition().model_dump()).frames["parts"]
    decomposed = beside(filled, parts)
    return beside(decomposed, flag_anomalies(decomposed, profile, **Anomalies().model_dump()).frames["anomalies"])


def fill_gaps(rows: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """Mark the gaps and fill them in the way that is best on masked points."""
    marked = mark_gaps(rows, profile).frames["observations"]
    variants = [fill(marked, profile, strategy=name) for name in DEFAULT_VARIANTS]
    layers = marked
    for variant in variants:
        layers = beside(layers, variant.frames["filled"])
    pooled = pool_fills(layers, pl.concat([variant.frames["scores"] for variant in variants]))
    return beside(marked, pooled.frames["filled"])


def beside(rows: pl.DataFrame, layer: pl.DataFrame) -> pl.DataFrame:
    """Set a layer beside its rows; where names are equal it wins."""
    return rows.drop(layer.columns, strict=False).hstack(layer)


def counted(rows: pl.DataFrame, windows: list[list[str]]) -> Found:
    """Hold the flagged points of one series against its windows, given as first and last instant in UTC."""
    observed = rows.filter(pl.col("y_raw").is_not_null())
    flags, times = observed["is_anomaly"].to_numpy(), observed["ds"]
    masks = [times.is_between(instant(first), instant(last)).to_numpy() for first, last in windows]
    alarms = int(flags[:1].sum() + (flags[1:] & ~flags[:-1]).sum())
    inside = np.logical_or.reduce(masks) if masks else np.zeros(len(flags), np.bool_)
    return Found(
        windows=len(masks),
        caught=sum(bool((flags & mask).any()) for mask in masks),
        points=len(flags),
        flagged=int(flags.sum()),
        alarms=alarms,
        windowed=int(inside.sum()),
        inside=int((flags & inside).sum()),
        by_alarms=by_chance(masks, alarms),
        by_points=by_chance(masks, int(flags.sum())),
    )


def by_chance(masks: list[npt.NDArray[np.bool_]], draws: int) -> float:
    """Expect how many windows at least one of `draws` random points hits."""
    return float(sum(1 - (1 - mask.mean()) ** draws for mask in masks))


def instant(text: str) -> datetime:
    """Read a time of the labels."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


if __name__ == "__main__":
    main(*sys.argv[1:])
