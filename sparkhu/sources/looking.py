"""A dry look at a source: what would be read, how, and what is wrong with it. Nothing is written."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    return look_over(raw, [raw.frame], zone=options.zone)


def look_over(raw: RawSource, shards: Iterable[pl.DataFrame], *, zone: str) -> SourceLook:
    """Look at a source that was read, a shard at a time.

    Args:
        raw: What is known of it as a whole; of its frame only the columns count.
        shards: Its raw frame, in parts of whole series, in order.
        zone: Zone of times without an offset.
    """
    found = [_Shard.of(frame) for frame in shards]
    spans = pl.concat(each.spans for each in found)
    return SourceLook(
        files=raw.files,
        groups=tuple(zip(raw.groups, raw.roles, strict=True)),
        extras=tuple(
            Role(name, KINDS_OF_EXTRAS[raw.frame.schema[name]]) for name in raw.frame.columns[len(RAW_SCHEMA) :]
        ),
        numbers=raw.numbers,
        notations=tuple(dict.fromkeys(raw.notations)),
        zone=zone,
        rows=sum(each.rows for each in found),
        series=spans.height,
        spans=spans,
        problems=tuple(_problems(found)),
        notes=raw.notes,
    )


class _Shard(NamedTuple):
    """What is seen in a shard: of refused rows a row a reason, of duplicates a row a kind, with the first of each."""

    rows: int
    spans: pl.DataFrame
    refused: pl.DataFrame
    gaps: int
    failed: pl.DataFrame
    duplicates: pl.DataFrame

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "_Shard":
        """Look at a shard."""
        checked = validate(frame)
        observations = checked.frames["observations"]
        duplicates = drop_duplicates(observations).frames["duplicates"]
        return cls(
            rows=frame.height,
            spans=_spans(frame),
            refused=_refused(checked.frames["quarantine"].with_columns(len=pl.lit(1, pl.Int64))),
            gaps=observations["y"].null_count(),
            failed=checked.ledger.filter(pl.col("status") == "failed").select("unique_id", "reason"),
            duplicates=_kinds(duplicates.with_columns(len=pl.lit(1, pl.Int64))),
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


def _problems(found: Sequence[_Shard]) -> Iterator[str]:
    for row in _refused(pl.concat(each.refused for each in found)).iter_rows(named=True):
        yield _refusal(row)
    gaps = sum(each.gaps for each in found)
    if gaps:
        yield f"{gaps} rows have a missing value, read as a marked gap"
    failed = pl.concat(each.failed for each in found)
    for name, why in failed.head(5).rows():
        yield f"series '{name}' cannot be used: {why}"
    if failed.height > 5:
        yield f"{failed.height - 5} more series cannot be used"
    for row in _kinds(pl.concat(each.duplicates for each in found)).iter_rows(named=True):
        yield _duplicate(row)


def _refused(rows: pl.DataFrame) -> pl.DataFrame:
    """Fold refused rows, `len` of them each, by reason, in the order of the source."""
    reasons = rows.sort("source_row", maintain_order=True).group_by("reason", maintain_order=True)
    return reasons.agg(pl.col("len").sum(), pl.exclude("len").first())


def _kinds(duplicates: pl.DataFrame) -> pl.DataFrame:
    """Fold duplicates, `len` instants each, by kind."""
    kinds = duplicates.group_by("kind", maintain_order=True)
    return kinds.agg(pl.col("len", "rows").sum(), pl.col("unique_id").first(), pl.col("ds").first())


def _refusal(row: dict[str, object]) -> str:
    text = row["y_text"] if str(row["reason"]).startswith("value") else row["ds_text"]
    shown = f": '{str(text)[:SHOWN]}'" if text is not None else ""
    return f"{row['len']} rows {REFUSALS[str(row['reason'])]}, the first is row {row['source_row']}{shown}"


def _duplicate(row: dict[str, object]) -> str:
    where = f"first in '{row['unique_id']}' at {row['ds']:%Y-%m-%d %H:%M:%S} UTC"
    return f"{row['len']} instants ({row['rows']} rows) {KINDS[str(row['kind'])]}; {where}"
