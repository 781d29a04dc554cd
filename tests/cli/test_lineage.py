"""`sparkhu lineage` over a lake: tables, runs, and names that are neither."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from sparkhu.frame import SCHEMA
from sparkhu.lake import Append, Lake, Replace, create_lake
from sparkhu_cli.main import sparkhu

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of three days, the second of which a run has published that looked back on the first."""
    lake = create_lake(str(tmp_path / "lake"))
    ds = [START + day * DAY for day in range(3)]
    rows = pl.DataFrame({"unique_id": ["a"] * 3, "ds": ds, "y": 1.0, "available_at": ds}, schema=SCHEMA)
    told = [{"uri": "a.csv", "size": 9, "sha256": "ee" * 32, "rows": 3}]
    lake.commit({"observations": Append(rows)}, run="ingest-1", sources=told, code="1+a", based_on=lake.version())
    read = {"uri": lake.uri, "table": "observations", "version": 1, "sha256": "dd" * 32, "rows": 2}
    read |= {"start": ds[0].isoformat(), "end": ds[2].isoformat()}
    change = Replace(rows.slice(1, 1), ds[1], ds[2], 1, "abc", ds[0])
    lake.commit({"clean": change}, run="run-1", sources=[read], code="1+b", based_on=lake.version())
    return lake


def lineage(*arguments: str) -> Result:
    return CliRunner().invoke(sparkhu, ["lineage", *arguments])


def test_a_run_is_shown_with_what_it_read_its_checksums_and_its_code(lake: Lake) -> None:
    text = lineage("run-1", "--lake", lake.uri).output
    first, second, third = lake.version().table("observations").files()
    for shown in ("1+b", "abc", "2024-01-01T00:00:00+00:00 to 2024-01-03T00:00:00+00:00", "version before  1"):
        assert shown in text
    assert first.sha256[:12] in text
    assert second.sha256[:12] in text
    assert third.sha256[:12] not in text, "it lies behind the span that was read"
    told = json.loads(lineage("run-1", "--lake", lake.uri, "--json").output)
    assert [part["sha256"] for part in told["made_from"]][1:] == [first.sha256, second.sha256]


def test_an_ingest_is_shown_with_its_source(lake: Lake) -> None:
    text = lineage("ingest-1", "--lake", lake.uri).output
    assert "a.csv" in text
    assert "e" * 12 in text


def test_a_misspelt_name_is_answered_with_the_tables_and_runs(lake: Lake) -> None:
    done = lineage("cleen", "--lake", lake.uri)
    assert done.exit_code == 2
    said = str(done.exception or "") + done.output
    for part in ("Its tables are clean, observations, its newest runs run-1, ingest-1", "NAME@ALIAS"):
        assert part in said
