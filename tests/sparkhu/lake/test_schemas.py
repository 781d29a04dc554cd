"""The files that a lake describes itself with are as their published schemas say."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from sparkhu.frame import TIME
from sparkhu.lake import Append, Lake, Replace, create_lake
from sparkhu.lake.schemas import json_schemas
from tests.sparkhu.lake.made_rows import DAY, START, observed

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
SCHEMAS = json_schemas()
VERSION, MANIFEST = "lake.schema.json", "lake-manifest.schema.json"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of several tables: rows without a time, lists, intervals with and without a beginning of what was read."""
    lake = create_lake(str(tmp_path / "lake"), partition="month", buckets=2, zone="Asia/Seoul")
    refused = observed("a", hours=2).with_columns(ds=pl.lit(None, TIME))
    truths = observed("a", hours=2).with_columns(truth=pl.concat_list("y"))
    changes = {"observations": Append(observed()), "quarantine": Append(refused), "targets": Append(truths)}
    told = [{"uri": "a.csv", "size": 7, "sha256": "ff", "rows": 48}]
    lake.commit(changes, run="ingest", note="a.csv", sources=told, code="1+f", based_on=lake.version())
    for number, read_from in enumerate((START, None)):
        start = START + number * DAY
        change = Replace(observed(start=start, hours=24), start, start + DAY, 1, "p", read_from)
        lake.commit({"clean": change}, run="run", based_on=lake.version())
    return lake


def documents(lake: Lake) -> list[tuple[str, Any]]:
    root = Path(lake.uri)
    files = [(VERSION, root / "current.json"), *((VERSION, path) for path in root.glob("versions/*"))]
    files += [(MANIFEST, path) for path in root.glob("tables/*/manifests/*")]
    return [(name, json.loads(path.read_text())) for name, path in files]


def check(name: str, document: Any) -> None:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMAS[name], format_checker=checker).validate(document)


def test_every_file_of_a_lake_is_as_its_schema_says(lake: Lake) -> None:
    found = documents(lake)
    assert len(found) == 1 + 4 + 5
    for name, document in found:
        check(name, document)


def test_files_of_before_a_field_came_are_as_the_schema_says_too(lake: Lake) -> None:
    for name, document in documents(lake):
        for field in ("sources", "code"):
            document.pop(field, None)
        for interval in document.get("intervals", ()):
            del interval["read_from"]
        check(name, document)


def test_what_a_lake_does_not_write_is_refused(lake: Lake) -> None:
    for name, document in documents(lake):
        for change in ({"schema_version": 2}, {"unknown": 1}, {"columns": {"y": 3}, "version": "x"}):
            broken = copy.deepcopy(document) | change
            with pytest.raises(jsonschema.ValidationError):
                check(name, broken)
        for file in document.get("files", ()) if name == MANIFEST else ():
            broken = document | {"files": [file | {"unknown": 1}]}
            with pytest.raises(jsonschema.ValidationError):
                check(name, broken)


@pytest.mark.parametrize("name", [VERSION, MANIFEST])
def test_the_published_schemas_are_those_of_the_code(name: str) -> None:
    published = json.loads((REFERENCE / name).read_text(encoding="utf-8"))
    assert published == SCHEMAS[name], "docs/reference is stale: make docs"
    jsonschema.Draft202012Validator.check_schema(published)
