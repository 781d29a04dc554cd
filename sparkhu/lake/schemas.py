"""JSON Schemas of the two files that a lake describes itself with, for other programs that read one."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from sparkhu.lake.layout import Days
from sparkhu.lake.records import SCHEMA_VERSION, BuriedFile, Commit, DataFile, Interval

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class _Manifest:
    """The columns (types by name), files and published intervals of a table at one version, and what was taken out.

    `purged` are days that files had rows of which were removed for good, in ranges, both ends included.
    """

    columns: dict[str, str]
    files: list[DataFile]
    intervals: list[Interval]
    buried: list[BuriedFile] = field(default_factory=list)
    purged: Days = ()


def json_schemas() -> dict[str, dict[str, Any]]:
    """Give the JSON Schemas, by the name of the file that publishes each.

    `lake.schema.json` is that of `current.json` and of every file in `versions/`, `lake-manifest.schema.json` that of
    the manifests of tables. Fields that came later are not required: files of before lack them.
    """
    described: dict[str, tuple[str, Any]] = {
        "lake.schema.json": ("current.json", Commit),
        "lake-manifest.schema.json": ("manifest of a table", _Manifest),
    }
    return {name: _schema(title, kind) for name, (title, kind) in described.items()}


def _schema(title: str, kind: Any) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    for part in schema["$defs"].values():
        part["additionalProperties"] = False
    version = {"const": SCHEMA_VERSION, "description": "Version of this schema."}
    return {
        "$schema": DIALECT,
        **schema,
        "title": title,
        "properties": {"schema_version": version, **schema["properties"]},
        "required": ["schema_version", *schema["required"]],
        "additionalProperties": False,
    }
