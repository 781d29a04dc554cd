"""JSON lines to columns: an object a line, a column a key, no line lost."""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.blocks import Blocks
from sparkhu.sources.cells import Kinds, column_of
from sparkhu.sources.tables import BROKEN

SHOWN = 5
Schema = dict[str, pl.DataType]
Reader = Callable[[pl.Series], tuple[pl.DataFrame, pl.Series]]
"""Reads lines; gives the objects and which lines they are."""


class UnfitError(Exception):
    """Lines cannot be read with the types that the others have."""


def is_json(data: bytes) -> bool:
    """Tell JSON from CSV by its first signs: an object, or a list of objects."""
    return re.match(rb"\s*(?:\{|\[\s*\{)", data) is not None


def check_lines(data: bytes, name: str) -> None:
    """Refuse JSON whose first sign begins a list.

    Raises:
        InputError: It does.
    """
    if data.lstrip().startswith(b"["):
        raise InputError(f"'{name}' is one JSON list. Give JSON lines, an object a line: jq -c '.[]' FILE writes them.")


def json_frames(blocks: Blocks, name: str, notes: list[str]) -> Iterator[pl.DataFrame]:
    """Parse JSON lines; a row a line that holds anything, null where a line lacks a key.

    The keys of an object inside an object become columns with a point between the names (`meta.sensor`). Lists are left
    out, and that is said. A line that is no JSON object is a row of nulls with its text in `__broken__`, which only
    frames with such lines have; blank lines are rows of nulls. The type of a column holds all of its cells.

    Args:
        blocks: The file in blocks of whole lines.
        name: How to call the file in messages.
        notes: What is found is added here, once all frames have been given.

    Raises:
        InputError: No line is a JSON object, or two keys give the same column.
    """
    schema = _schema(blocks)
    if schema is not None:
        read: Reader = partial(_read_typed, schema=schema)
    else:
        kinds = _kinds(blocks)
        schema = {key: kind.dtype for key, kind in kinds.items()}
        read = partial(_read_line_by_line, kinds=kinds)
    if not schema:
        line = next(iter(blocks), b"").decode().split("\n", 1)[0].strip()[:80]
        raise InputError(f"no line of '{name}' is a JSON object such as {{\"time\": …}}; its first is: {line}")
    lists = _lists(_flat(pl.DataFrame(schema=schema), name))
    broken = 0
    for block in blocks.taken():
        frame, refused = _block(block, read, name)
        broken += refused
        yield frame.drop(lists).with_columns(pl.col(pl.Null).cast(pl.String))
    if lists:
        notes.append(f"'{name}' has lists under {', '.join(lists[:SHOWN])}, which are left out")
    if broken:
        notes.append(f"{broken} lines of '{name}' are no JSON objects and are refused")


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut text at line ends into blocks, without the line end of each; what is blank at the end is left out.

    Args:
        chunks: UTF-8, cut anywhere.
    """
    rest = b""
    for chunk in chunks:
        rest += chunk
        cut = rest.rfind(b"\n") + 1
        filled = rest[:cut].decode().rstrip().encode()
        if filled:
            yield filled
            # Blank lines count where lines follow, and the one that was given ends with its line.
            rest = rest[len(filled) :].partition(b"\n")[2]
    filled = rest.decode().rstrip().encode()
    if filled:
        yield filled


def _block(block: bytes, read: Reader, name: str) -> tuple[pl.DataFrame, int]:
    """Read a block; give its rows, and how many lines are broken."""
    lines = _lines(block)
    frame, whole = read(lines)
    frame = _flat(frame, name)
    if whole.all():
        return frame, 0
    frame = _spread(frame, whole)
    broken = ~whole & (lines != "")
    if not broken.any():
        return frame, 0
    return frame.with_columns(lines.set(~broken, None).alias(BROKEN)), int(broken.sum())


def _lines(block: bytes) -> pl.Series:
    return pl.Series("line", [block.decode().rstrip()]).str.split("\n").explode().str.strip_chars()


def _whole(lines: pl.Series) -> pl.Series:
    return lines.str.starts_with("{") & lines.str.ends_with("}")


def _schema(blocks: Blocks) -> Schema | None:
    """Find the types that Polars would give the whole file; null where a line is broken or a key mixes kinds."""
    found: list[Schema] = []
    settled = True
    for block in blocks:
        lines = _lines(block)
        objects = lines.filter(_whole(lines))
        if not len(objects):
            continue
        frame = _read(objects, None)
        settled = settled and frame is not None
        schema = dict(frame.schema) if frame is not None else _inferred(objects)
        if schema is None:
            return None
        if schema not in found:
            found.append(schema)
    if len(found) == 1 and settled:
        return found[0]
    merged = _inferred(pl.Series([json.dumps(_example(pl.Struct(each))) for each in found])) if found else None
    if merged is None or not all(_fits(block, merged) for block in blocks):
        return None
    return merged


def _inferred(objects: pl.Series) -> Schema | None:
    try:
        text = io.BytesIO(objects.str.join("\n")[0].encode())
        return dict(pl.scan_ndjson(text, infer_schema_length=None).collect_schema())
    except (pl.exceptions.PolarsError, OSError):
        return None


def _example(dtype: Any) -> Any:
    """Make a JSON value that Polars takes for this type, so that it merges types by its own rules."""
    if isinstance(dtype, pl.Struct):
        return {field.name: _example(field.dtype) for field in dtype.fields}
    if isinstance(dtype, pl.List):
        return [] if dtype.inner == pl.Null else [_example(dtype.inner)]
    examples = {pl.Int64: 1, pl.Int128: 2**64, pl.Float64: 1.5, pl.Boolean: True, pl.String: "text"}
    return examples.get(dtype.base_type())


def _read(objects: pl.Series, schema: Schema | None) -> pl.DataFrame | None:
    """Read with Polars; null where that fails."""
    try:
        text = io.BytesIO(objects.str.join("\n")[0].encode())
        frame = pl.read_ndjson(text, schema=schema, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError):
        return None
    return frame if frame.height == len(objects) else None


def _read_typed(lines: pl.Series, schema: Schema) -> tuple[pl.DataFrame, pl.Series]:
    whole = _whole(lines)
    frame = _read(lines.filter(whole), schema) if whole.any() else pl.DataFrame(schema=schema)
    if frame is None:
        raise UnfitError
    return frame, whole


def _fits(block: bytes, schema: Schema) -> bool:
    try:
        _read_typed(_lines(block), schema)
    except UnfitError:
        return False
    return True


def _kinds(blocks: Blocks) -> dict[str, Kinds]:
    """Find which kinds of values each key has."""
    kinds: dict[str, Kinds] = {}
    for block in blocks:
        found = [each for each in map(_object, _lines(block)) if each is not None]
        for key in dict.fromkeys(key for each in found for key in each):
            kinds[key] = kinds.get(key, Kinds()) | Kinds.of(each.get(key) for each in found)
    return kinds


def _read_line_by_line(lines: pl.Series, kinds: Mapping[str, Kinds]) -> tuple[pl.DataFrame, pl.Series]:
    """Read each line on its own, so that a broken one costs only itself; give the objects and which lines they are."""
    objects = [_object(line) for line in lines]
    found = [each for each in objects if each is not None]
    columns = [column_of(key, [each.get(key) for each in found], kind) for key, kind in kinds.items()]
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


def _flat(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Bring the keys of inner objects up."""
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
    return frame


def _lists(frame: pl.DataFrame) -> list[str]:
    return [column for column, dtype in frame.schema.items() if isinstance(dtype, pl.List | pl.Array)]
