"""JSON lines to columns: an object a line, a column a key, no line lost."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.cells import column_of
from sparkhu.sources.tables import BROKEN

SHOWN = 5


def is_json(data: bytes) -> bool:
    """Tell JSON from CSV by its first signs: an object, or a list of objects."""
    return re.match(rb"\s*(?:\{|\[\s*\{)", data) is not None


def parse_json_lines(data: bytes, name: str, notes: list[str]) -> pl.DataFrame:
    """Parse JSON lines; a row a line that holds anything, null where a line lacks a key.

    The keys of an object inside an object become columns with a point between the names (`meta.sensor`). Lists are left
    out, and that is said. A line that is no JSON object is a row of nulls with its text in `__broken__`; blank lines
    are rows of nulls.

    Args:
        data: The file's bytes, UTF-8.
        name: How to call the file in messages.
        notes: What is found is added here.

    Raises:
        InputError: No line is a JSON object, or two keys give the same column.
    """
    if data.lstrip()[:1] == b"[":
        raise InputError(f"'{name}' is one JSON list. Give JSON lines, an object a line: jq -c '.[]' FILE writes them.")
    lines = pl.Series("line", [data.decode().rstrip()]).str.split("\n").explode().str.strip_chars()
    whole = lines.str.starts_with("{") & lines.str.ends_with("}")
    frame = _read(lines.filter(whole))
    if frame is None:
        frame, whole = _read_line_by_line(lines)
    if not frame.width:
        raise InputError(f"no line of '{name}' is a JSON object such as {{\"time\": …}}; its first is: {lines[0][:80]}")
    frame = _flat(frame, name, notes)
    if whole.all():
        return frame
    frame = _spread(frame, whole)
    broken = ~whole & (lines != "")
    if not broken.any():
        return frame
    notes.append(f"{broken.sum()} lines of '{name}' are no JSON objects and are refused")
    return frame.with_columns(lines.set(~broken, None).alias(BROKEN))


def _read(lines: pl.Series) -> pl.DataFrame | None:
    """Read with Polars; null where a line is broken or a key mixes kinds."""
    try:
        frame = pl.read_ndjson(io.BytesIO(lines.str.join("\n")[0].encode()), infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError):
        return None
    return frame if frame.height == len(lines) else None


def _read_line_by_line(lines: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Read each line on its own, so that a broken one costs only itself; give the objects and which lines they are."""
    objects = [_object(line) for line in lines]
    found = [each for each in objects if each is not None]
    keys = dict.fromkeys(key for each in found for key in each)
    columns = [column_of(key, [each.get(key) for each in found]) for key in keys]
    return pl.DataFrame(columns), pl.Series([each is not None for each in objects], dtype=pl.Boolean())


def _spread(frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Put rows where `rows` is true, and rows of nulls elsewhere."""
    known = frame.with_columns(rows.arg_true().alias("__line__"))
    every = pl.DataFrame({"__line__": pl.int_range(len(rows), eager=True, dtype=pl.UInt32)})
    return every.join(known, on="__line__", how="left", maintain_order="left").drop("__line__")


def _object(line: str) -> dict[str, Any] | None:
    """Read one object, flat; `NaN` and `Infinity`, which some writers emit, stay text."""
    try:
        found = json.loads(line, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return dict(_leaves(found)) if isinstance(found, dict) else None


def _leaves(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _flat(frame: pl.DataFrame, name: str, notes: list[str]) -> pl.DataFrame:
    """Bring the keys of inner objects up, and leave out lists."""
    nested = [column for column, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]
    while nested:
        for column in nested:
            inner = frame[column].struct.unnest()
            inner.columns = [f"{column}.{key}" for key in inner.columns]
            doubled = [key for key in inner.columns if key in frame.columns]
            if doubled:
                raise InputError(f"'{name}' has the key '{doubled[0]}' both nested and plain. Rename one of them.")
            frame = frame.drop(column).hstack(inner)
        nested = [column for column, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]
    lists = [column for column, dtype in frame.schema.items() if isinstance(dtype, pl.List | pl.Array)]
    if lists:
        notes.append(f"'{name}' has lists under {', '.join(lists[:SHOWN])}, which are left out")
    return frame.drop(lists).with_columns(pl.col(pl.Null).cast(pl.String))
