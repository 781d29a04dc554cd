"""A dry look at a source: what would be read, how, and what is wrong with it. Nothing is written."""

from dataclasses import dataclass

import polars as pl

from sparkhu.sources.columns import Role, Roles
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.reading import RAW_SCHEMA, RawSource, read_source
from sparkhu.sources.tables import SourceFile
from sparkhu.steps.deduplication import drop_duplicates
from sparkhu.steps.validation import validate

SHOWN = 200
KINDS = {
    "burst": "hold many rows each, and the rows around leave a hole of about their length (a clock set forward?)",
    "repeated_interval": "are passed twice with other values after a jump back in time (a clock set back?)",
    "conflict": "hold several rows with distinct values",
    "exact": "hold the same value more than once",
}
KINDS_OF_EXTRAS: dict[pl.DataType, str] = {pl.Float64(): "number", pl.Boolean(): "boolean", pl.String(): "text"}
REFUSALS = {
    "id_missing": "have no series",
    "time_missing": "have no time",
    "time_unparsable": "have a time that cannot be parsed",
    "time_ambiguous": "have a local time that a clock change repeats",
    "time_nonexistent": "have a local time that a clock change skips",
    "row_too_long": "have more fields than the header",
    "line_unreadable": "are no JSON objects",
    "value_not_finite": "have an infinite value",
    "value_unparsable": "have a value that is no number",
}


@dataclass(frozen=True)
class SourceLook:
    """What a look at a source shows.

    Attributes:
        files: The files read.
        groups: Files with equal columns, by name, and what their columns are.
        extras: The columns that travel along, and what they were taken for: number, boolean or text.
        numbers: How the values are written, where that is not with a decimal point alone.
        notations: How the times are written, each way once.
        zone: Zone of times without an offset.
        rows: Rows, counted per series.
        series: Number of series.
        spans: A row a series: `unique_id, rows, observed, first, last`.
        problems: What is wrong with the data, in words; a run copes with all of it.
        notes: What was found from the data or chosen by default.
    """

    files: tuple[SourceFile, ...]
    groups: tuple[tuple[str, Roles], ...]
    extras: tuple[Role, ...]
    numbers: tuple[str, ...]
    notations: tuple[str, ...]
    zone: str
    rows: int
    series: int
    spans: pl.DataFrame
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def inspect_source(uri: str, options: SourceOptions | None = None) -> SourceLook:
    """Look at a source as a run would read it.

    Args:
        uri: A local path or any fsspec URI of a file, folder or glob, or a SQLAlchemy URL.
        options: What is known of it.

    Raises:
        InputError: As `read_source`.
    """
    options = options or SourceOptions()
    raw = read_source(uri, options)
    spans = _spans(raw.frame)
    return SourceLook(
        files=raw.files,
        groups=tuple(zip(raw.groups, raw.roles, strict=True)),
        extras=tuple(
            Role(name, KINDS_OF_EXTRAS[raw.frame.schema[name]]) for name in raw.frame.columns[len(RAW_SCHEMA) :]
        ),
        numbers=raw.numbers,
        notations=tuple(dict.fromkeys(raw.notations)),
        zone=options.zone,
        rows=raw.frame.height,
        series=spans.height,
        spans=spans,
        problems=_problems(raw),
        notes=raw.notes,
    )


def _spans(frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame.filter(pl.col("unique_id").is_not_null())
        .group_by("unique_id", maintain_order=True)
        .agg(
            rows=pl.len(),
            observed=(pl.col("y").is_not_null() & pl.col("ds").is_not_null()).sum(),
            first=pl.col("ds").min(),
            last=pl.col("ds").max(),
        )
    )


def _problems(raw: RawSource) -> tuple[str, ...]:
    checked = validate(raw.frame)
    refused = checked.frames["quarantine"].sort("source_row").group_by("reason", maintain_order=True)
    examples = refused.agg(pl.len(), pl.all().first())
    problems = [_refusal(row) for row in examples.iter_rows(named=True)]
    gaps = checked.frames["observations"]["y"].null_count()
    if gaps:
        problems.append(f"{gaps} rows have a missing value, read as a marked gap")
    failed = checked.ledger.filter(pl.col("status") == "failed").select("unique_id", "reason")
    problems += [f"series '{name}' cannot be used: {why}" for name, why in failed.head(5).rows()]
    if failed.height > 5:
        problems.append(f"{failed.height - 5} more series cannot be used")
    duplicates = drop_duplicates(checked.frames["observations"]).frames["duplicates"]
    kinds = duplicates.group_by("kind", maintain_order=True).agg(
        pl.len(), pl.col("rows").sum(), pl.col("unique_id").first(), pl.col("ds").first()
    )
    return (*problems, *(_duplicate(row) for row in kinds.iter_rows(named=True)))


def _refusal(row: dict[str, object]) -> str:
    text = row["y_text"] if str(row["reason"]).startswith("value") else row["ds_text"]
    shown = f": '{str(text)[:SHOWN]}'" if text is not None else ""
    return f"{row['len']} rows {REFUSALS[str(row['reason'])]}, the first is row {row['source_row']}{shown}"


def _duplicate(row: dict[str, object]) -> str:
    where = f"first in '{row['unique_id']}' at {row['ds']:%Y-%m-%d %H:%M:%S} UTC"
    return f"{row['len']} instants ({row['rows']} rows) {KINDS[str(row['kind'])]}; {where}"
