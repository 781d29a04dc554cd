"""A dataset is a folder of shards: Parquet files that each hold whole series.

Three kinds of dataset share the names of their shards, from ingest to the end of a run:

- `rows`: observations;
- `columns`: a layer of columns, aligned row by row with the shards of a `rows` dataset;
- `series`: a table about series, any number of rows for each, in the shard of its series.

A step writes only what it adds; `read_shard` assembles rows and their layers, and where names are equal the later
layer wins. A dataset appears whole or not at all (`sparkhu.attempts`).
"""

import json
import socket
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import polars as pl

from sparkhu.errors import InputError, SparkhuError

Kind = Literal["rows", "columns", "series"]
MANIFEST = "dataset.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Shard:
    """One file of a dataset: its name (without suffix), rows, and number of series."""

    name: str
    rows: int
    series: int


@dataclass(frozen=True)
class Dataset:
    """A folder of shards, as its manifest describes it."""

    path: Path
    kind: Kind
    shards: tuple[Shard, ...]

    @property
    def rows(self) -> int:
        """Rows in all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def series(self) -> int:
        """Series in all shards (0 for a layer of columns, which names none)."""
        return sum(shard.series for shard in self.shards)

    def file(self, name: str) -> Path:
        """Where the shard `name` lies."""
        return self.path / f"{name}.parquet"

    def files(self) -> list[Path]:
        """All shard files, in order."""
        return [self.file(shard.name) for shard in self.shards]

    def scan(self) -> pl.LazyFrame:
        """Read all shards lazily as one frame."""
        return pl.scan_parquet(self.files())


def open_dataset(path: Path | str) -> Dataset:
    """Open a dataset by its folder.

    Raises:
        InputError: There is no dataset in that folder, or a version of it that this library does not read.
    """
    folder = Path(path)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise InputError(f"'{folder}' holds no dataset ({MANIFEST} is missing). Give the folder that a step wrote.")
    content = json.loads(manifest.read_text())
    if content.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"'{folder}' has dataset schema {content.get('schema_version')}, this version of Sparkhu reads "
            f"{SCHEMA_VERSION}. Run the step that wrote it again."
        )
    return Dataset(folder, cast(Kind, content["kind"]), tuple(Shard(**shard) for shard in content["shards"]))


def write_shard(folder: Path, name: str, frame: pl.DataFrame) -> Shard:
    """Write one shard file into a folder that `sparkhu.attempts.new_folder` gave, and describe it.

    The file appears whole: an engine may run a shard twice, and the one attempt may end in the middle of the other.
    """
    write_whole(folder / f"{name}.parquet", frame)
    series = frame["unique_id"].n_unique() if "unique_id" in frame.columns else 0
    return Shard(name, frame.height, series)


def write_whole(path: Path, frame: pl.DataFrame) -> None:
    """Write a Parquet file beside its place, under a name of this attempt alone, and rename it into it."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        frame.write_parquet(draft, compression="lz4")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_manifest(folder: Path, kind: Kind, shards: Sequence[Shard]) -> None:
    """Describe the shards that lie in `folder`; what attempts left that were killed in the middle is removed."""
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got '{kind}'")
    for left in folder.glob(".*.parquet.*"):
        left.unlink(missing_ok=True)
    content = {"schema_version": SCHEMA_VERSION, "kind": kind, "shards": [asdict(shard) for shard in shards]}
    (folder / MANIFEST).write_text(json.dumps(content, indent=1))


class UnreadableShard(SparkhuError):  # noqa: N818 - says what is the matter
    """A file of a dataset is missing or damaged; the message names dataset and shard."""


def _read_file(dataset: Dataset, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
    place = f"shard {name} of '{dataset.path}'"
    file = dataset.file(name)
    try:
        if columns is None:
            return pl.read_parquet(file)
        return pl.read_parquet(file, columns=[each for each in pl.read_parquet_schema(file) if each in columns])
    except FileNotFoundError as error:
        raise UnreadableShard(
            f"{place} is missing on {socket.gethostname()}. Run the step that wrote it again; executors of Spark need "
            "the folder where the driver has it."
        ) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UnreadableShard(f"{place} is damaged: {first}. Run the step that wrote it again.") from error


def held_by(datasets: Sequence[Dataset], name: str) -> str:
    """Say what a shard holds, for a message about it, from whichever of the datasets can still tell.

    Example:
        >>> held_by([open_dataset("raw")], "00003")
        "12 series, 'meter-0107' to 'meter-0118', 1,000,000 rows"
    """
    shard = next(shard for shard in datasets[0].shards if shard.name == name)
    counted = f"{shard.rows:,} row{'s' * (shard.rows != 1)}"
    for dataset in datasets:
        with suppress(pl.exceptions.PolarsError, OSError):
            ids = pl.read_parquet(dataset.file(name), columns=["unique_id"])["unique_id"].unique().sort()
            if len(ids) == 1:
                return f"series '{ids[0]}', {counted}"
            return f"{len(ids):,} series, '{ids[0]}' to '{ids[-1]}', {counted}" if len(ids) else f"no series, {counted}"
    return f"{shard.series:,} series, {counted}"


def read_shard(datasets: Sequence[Dataset], name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Assemble the shard `name` of rows and their layers, or of several tables about series.

    Args:
        datasets: Rows (or a table) first. `columns` datasets that follow are set beside it, later ones winning;
            further `series` datasets are set below it.
        name: The shard.
        columns: What is read, where it is there; null: everything.

    Raises:
        UnreadableShard: A file is missing or damaged.
        SparkhuError: A dataset has no such shard, or a layer does not fit its rows: it was made from another dataset.
    """
    for dataset in datasets:
        if name not in {shard.name for shard in dataset.shards}:
            raise SparkhuError(
                f"'{dataset.path}' has no shard {name}, which '{datasets[0].path}' may have. Make it from that dataset."
            )
    frames = [_read_file(dataset, name, columns) for dataset in datasets]
    first, layers = frames[0], []
    for dataset, frame in zip(datasets[1:], frames[1:], strict=True):
        if dataset.kind != "columns":
            first = pl.concat([first, frame], how="diagonal")
        elif not frame.width:
            continue  # none of its columns are wanted
        elif frame.height != first.height:
            raise SparkhuError(
                f"layer '{dataset.path}' has {frame.height} rows in shard {name}, its dataset "
                f"'{datasets[0].path}' has {first.height}. Make the layer from that dataset."
            )
        else:
            layers.append(frame)
    for layer in layers:
        first = first.with_columns(layer.get_columns())
    return first


def aligned(layer: pl.DataFrame, kept: pl.Series) -> pl.DataFrame:
    """Give the rows of failed series back to a layer, as nulls: it must fit the rows that it lies beside."""
    if layer.height != kept.sum():
        raise SparkhuError(f"the step gave {layer.height} rows of columns beside {kept.sum()} rows of observations")
    if kept.all():
        return layer
    rows = pl.DataFrame({"row": kept.arg_true()}).hstack(layer)
    return (
        pl.DataFrame({"row": pl.int_range(len(kept), eager=True, dtype=pl.UInt32)})
        .join(rows, on="row", how="left", maintain_order="left")
        .drop("row")
    )
