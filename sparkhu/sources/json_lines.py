"""JSON lines to columns: an object a line, a column a key, no line lost."""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
    filled = (lines != "").arg_true()
    frame = _read(data, len(filled))
    if frame is None:
        frame = _read_line_by_line(lines.gather(filled), name, notes)
    frame = _flat(frame, name, notes)
    if len(filled) == len(lines):
        return frame
    rows = pl.DataFrame({"__line__": filled}).hstack(frame)
    every = pl.DataFrame({"__line__": pl.int_range(len(lines), eager=True, dtype=pl.UInt32)})
    return every.join(rows, on="__line__", how="left", maintain_order="left").drop("__line__")


def _read(data: bytes, rows: int) -> pl.DataFrame | None:
    """Read with Polars; null where a line is broken or a key mixes kinds."""
    try:
        frame = pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError):
        return None
    return frame if frame.height == rows else None


def _read_line_by_line(lines: pl.Series, name: str, notes: list[str]) -> pl.DataFrame:
    """Read each line on its own, so that a broken one costs only itself."""
    objects = [_object(line) for line in lines]
    keys = list(dict.fromkeys(key for each in objects if each is not None for key in each))
    broken = sum(each is None for each in objects)
    if broken == len(objects) or not keys:
        raise InputError(f"no line of '{name}' is a JSON object such as {{\"time\": …}}; its first is: {lines[0][:80]}")
    cells = {key: [None if each is None else each.get(key) for each in objects] for key in keys}
    lists = [key for key, values in cells.items() if any(isinstance(value, list) for value in values)]
    _say_lists(lists, name, notes)
    columns = [column_of(key, values) for key, values in cells.items() if key not in lists]
    if not broken:
        return pl.DataFrame(columns)
    notes.append(f"{broken} lines of '{name}' are no JSON objects and are refused")
    texts = [line if each is None else None for line, each in zip(lines, objects, strict=True)]
    return pl.DataFrame([*columns, pl.Series(BROKEN, texts, dtype=pl.String())])


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
    _say_lists(lists, name, notes)
    return frame.drop(lists).with_columns(pl.col(pl.Null).cast(pl.String))


def _say_lists(keys: Sequence[str], name: str, notes: list[str]) -> None:
    if keys:
        notes.append(f"'{name}' has lists under {', '.join(keys[:SHOWN])}, which are left out")
