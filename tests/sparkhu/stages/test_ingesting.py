"""Ingest writes whole shards or nothing, and no record of it shows a password."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.lineage import read_trail
from sparkhu.shards import open_dataset, read_shard
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from sparkhu_components.ingest import ingest
from tests.services import POSTGRES_QUOTED, postgres_url  # noqa: F401 - a fixture

LINES = "time,id,value,price\n2024-01-01,a,1,5\n2024-01-01,b,2,6\n2024-01-02,b,3,7\n"


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    (tmp_path / "sales.csv").write_text(LINES)
    return tmp_path / "sales.csv"


def rows(folder: Path) -> pl.DataFrame:
    dataset = open_dataset(folder)
    return pl.concat(read_shard([dataset], shard.name) for shard in dataset.shards)


def test_extras_lie_in_the_shards_and_choices_in_the_record(sales: Path, tmp_path: Path) -> None:
    options = SourceOptions(extra="price", id="id", value="value", delimiter=",", start="2023-01-01")
    ingest_source(
        str(sales),
        options,
        out=tmp_path / "raw",
        history=tmp_path / "history",
        versions=tmp_path / "versions",
        rows_per_shard=2,
    )
    assert rows(tmp_path / "raw").select("unique_id", "y", "price").rows() == [("a", 1, 5), ("b", 2, 6), ("b", 3, 7)]
    (record,) = read_trail([tmp_path / "raw"]).history
    told = [record.params[name] for name in ("extra", "delimiter", "start", "time", "value", "id")]
    assert told == ["price", ",", "2023-01-01", "time", "value", "id"]
    assert record.sources[0]["rows"] == 3


def test_the_component_reads_a_table_by_its_section(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE sales (day TEXT, sold TEXT, price TEXT)")
        connection.execute("INSERT INTO sales VALUES ('2024-01-01', '1,5', '2,5')")
        connection.commit()
    raw = next(iter(ingest.python_func.__annotations__.values()))
    artifacts = {name: raw.__args__[0](name=name, uri=str(tmp_path / name)) for name in ("raw", "history", "versions")}
    ingest.python_func(
        **artifacts,
        source=f"sqlite:///{tmp_path / 'a.db'}",
        value="sold",
        extra="price",
        reading={"table": "sales", "decimal": ","},
    )
    assert rows(tmp_path / "raw").select("y", "price").rows() == [(1.5, 2.5)]
    assert artifacts["raw"].metadata["rows_out"] == 1
    with pytest.raises(InputError, match=r"parameter 'reading.tabel' is unknown; did you mean table"):
        ingest.python_func(**artifacts, source="a.csv", reading={"tabel": "sales"})


def test_no_file_of_an_ingest_shows_a_password(postgres_url: str, tmp_path: Path) -> None:  # noqa: F811
    query = "SELECT timestamp '2024-01-01' AS ds, 1.5 AS y"
    ingest_source(
        postgres_url,
        SourceOptions(query=query),
        out=tmp_path / "raw",
        history=tmp_path / "history",
        versions=tmp_path / "versions",
    )
    record = read_trail([tmp_path / "raw"]).history[0]
    assert record.params["source"] == record.sources[0]["uri"] == postgres_url.replace(POSTGRES_QUOTED, "***")
    assert len(record.sources[0]["sha256"]) == 64
    for path in (tmp_path / "raw").rglob("*"):
        assert b"s3cret" not in (path.read_bytes() if path.is_file() else b"")
    assert "s3cret" not in json.dumps(record.__dict__, default=str)


@pytest.mark.parametrize("content", [b"", b"time,value\n", b"\xff\xfe\xff", b"PAR1", b"\x1f\x8bx", b"{}\n"])
def test_a_source_that_cannot_be_read_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError):
        ingest_source(
            str(tmp_path / "a.csv"),
            SourceOptions(),
            out=tmp_path / "raw",
            history=tmp_path / "history",
            versions=tmp_path / "versions",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
