"""The metadata of a run: synced, written as a dataset, and held against the rows."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.catalogue import METADATA, no_metadata
from sparkhu.catalogue.syncing import catalogued
from sparkhu.errors import InputError
from sparkhu.lineage import read_trail
from sparkhu.shards import open_dataset
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from sparkhu.stages.metadata import sync_series
from sparkhu.stages.validating import validate_rows
from tests.services import postgres_url

__all__ = ["postgres_url"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "history.json").read_text())[-1]


def test_without_metadata_the_dataset_is_empty_and_no_catalogue_is_made(tmp_path: Path, home: Path) -> None:
    sync_series("", {}, out=tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    assert dataset.kind == "series"
    assert dataset.scan().collect().equals(no_metadata())
    assert dict(dataset.scan().collect_schema()) == METADATA
    assert not home.exists()
    assert (record(tmp_path / "out")["sources"], record(tmp_path / "out")["counts"]) == ([], {})


def test_metadata_are_synced_written_and_recorded(tmp_path: Path) -> None:
    source = tmp_path / "m.csv"
    source.write_text("sensor,unit\na,K\nb,°C\n")
    described = sync_series(str(source), {"name": "plant"}, out=tmp_path / "out")
    (shard,) = open_dataset(tmp_path / "out").shards
    assert (shard.rows, shard.series) == (2, 2)
    assert pl.read_parquet(open_dataset(tmp_path / "out").file(shard.name))["unit"].to_list() == ["K", "°C"]
    assert catalogued("plant")["unique_id"].to_list() == ["a", "b"]
    assert (described["added"], described["rows_out"]) == (2, 2)
    kept = record(tmp_path / "out")
    assert kept["params"]["name"] == "plant"
    assert kept["sources"][0]["uri"] == str(source)
    assert kept["notes"][-1] == "metadata of 2 series in the catalogue as 'plant'"


def test_a_password_stands_in_no_file_that_is_written(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    described = sync_series(postgres_url, {"query": "SELECT 'a' AS id, 'K' AS unit"}, out=tmp_path / "out")
    with pytest.raises(InputError) as caught:
        sync_series(postgres_url, {"query": "SELECT * FROM nowhere"}, out=tmp_path / "not")
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 5
    for shown in (str(described).encode(), str(caught.value).encode(), *written):
        assert b"s3cret" not in shown


@pytest.mark.parametrize(
    ("uri", "settings", "message"),
    [
        ("", {"table": "t"}, "catalogue.table and catalogue.query say what to read of metadata. Give metadata as well"),
        ("m.csv", {"tabel": "t"}, r"parameter 'catalogue\.tabel' is unknown; did you mean table\?"),
        ("m.csv", {}, r"series 'a' \(row 1\) has the valid range 9 to 5, which is reversed"),
    ],
)
def test_what_is_refused_leaves_no_dataset_and_no_catalogue(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, uri: str, settings: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.csv").write_text("id,valid_min,valid_max\na,9,5\n")
    with pytest.raises(InputError, match=message):
        sync_series(uri, settings, out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


def test_a_failing_catalogue_leaves_no_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_CATALOGUE", "postgresql+psycopg://ann:pea@127.0.0.1:1/x")
    (tmp_path / "m.csv").write_text("id,unit\na,K\n")
    with pytest.raises(InputError, match="cannot be opened: connection"):
        sync_series(str(tmp_path / "m.csv"), {}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Four series of three rows, two a shard."""
    lines = ["series,time,value"]
    for name, values in {"a": (1, 2, 3), "b": (1, 2, 3), "c": (7, 8, 9), "d": (1, 2, 3)}.items():
        lines += [f"{name},{START + timedelta(hours=hour)},{value}" for hour, value in enumerate(values)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    ingest_source(
        str(tmp_path / "rows.csv"),
        SourceOptions(),
        out=tmp_path / "raw",
        history=tmp_path / "history",
        versions=tmp_path / "versions",
        rows_per_shard=6,
    )
    return tmp_path / "raw"


def validated(tmp_path: Path, raw: Path, metadata: str, **interval: str) -> tuple[Path, Path]:
    known, kept, refused = tmp_path / "known", tmp_path / "kept", tmp_path / "refused"
    (tmp_path / "m.csv").write_text(metadata)
    sync_series(str(tmp_path / "m.csv") if metadata else "", {}, out=known)
    where = {"observations": kept, "quarantine": refused, "limits": tmp_path / "limits"}
    validate_rows(raw=raw, known=known, **where, **interval)
    return kept, refused


def test_every_shard_is_held_against_the_metadata_of_its_series(tmp_path: Path, raw: Path) -> None:
    # a: 3 is refused and 2 alerts; c: all of 7, 8, 9 lie above 5, so the series fails and its rows stay in quarantine.
    kept, refused = validated(tmp_path, raw, "id,unit,valid_max,alert_high\na,K,2,2\nc,bar,5,\ne,K,1,\nf,,,\nd,,,\n")
    rows = open_dataset(kept)
    assert [shard.name for shard in rows.shards] == [shard.name for shard in open_dataset(raw).shards]
    assert (len(rows.shards), rows.kind, open_dataset(refused).kind) == (2, "rows", "series")
    assert rows.scan().select("unique_id", "y", "is_alert").collect().rows() == [
        ("a", 1, False), ("a", 2, True),
        *[(name, value, False) for name in "bd" for value in (1, 2, 3)],
    ]  # fmt: skip
    ranges = open_dataset(tmp_path / "limits")
    assert [shard.rows for shard in ranges.shards] == [1, 1]  # c has failed, nobody has e and f, b has no metadata
    assert ranges.scan().collect().rows() == [("a", None, 2.0), ("d", None, None)]
    quarantine = open_dataset(refused).scan().select("unique_id", "y_text", "detail").collect().rows()
    assert quarantine == [
        ("a", "3.0", "valid range up to 2 K"),
        *[("c", value, "valid range up to 5 bar") for value in ("7.0", "8.0", "9.0")],
    ]
    kept_record = record(kept)
    assert kept_record["counts"] == {
        "quarantined": 4, "left_out": 0, "alerts": 1, "series_without_metadata": 1, "metadata_without_series": 2,
    }  # fmt: skip
    assert kept_record["notes"] == [
        "1 of 4 series have no metadata and so no limits: 'b'",
        "2 of 5 series of the metadata have no row: 'e', 'f'",
    ]
    assert (kept_record["rows_in"], kept_record["rows_out"], kept_record["series_in"]) == (12, 8, 4)
    assert kept_record["series_failed"] == 1
    assert kept_record["inputs"] == ["ingest", "sync_metadata"]
    assert [each.step for each in read_trail([kept]).history] == ["ingest", "sync_metadata", "validate"]


def test_a_failed_series_loses_no_refused_row_nor_those_without_a_name(tmp_path: Path) -> None:
    lines = "series,time,value\na,2026-01-01,x\na,2026-01-02,x\nb,2026-01-01,1\n,2026-01-01,2\n"
    (tmp_path / "rows.csv").write_text(lines)
    ingest_source(
        str(tmp_path / "rows.csv"),
        SourceOptions(),
        out=tmp_path / "raw",
        history=tmp_path / "history",
        versions=tmp_path / "versions",
    )
    _, refused = validated(tmp_path, tmp_path / "raw", "")
    reasons = open_dataset(refused).scan().select("unique_id", "reason").collect()
    assert sorted(reasons.rows(), key=str) == [
        ("a", "value_unparsable"), ("a", "value_unparsable"), (None, "id_missing"),
    ]  # fmt: skip


def test_without_metadata_nothing_is_said_of_them(tmp_path: Path, raw: Path) -> None:
    kept, _ = validated(tmp_path, raw, "", end="2026-01-01T02:00")
    assert record(kept)["counts"] == {"quarantined": 0, "left_out": 4, "alerts": 0}
    assert record(kept)["notes"] == []
    assert record(kept)["params"] == {"start": "", "end": "2026-01-01T02:00", "zone": "UTC"}
    assert open_dataset(kept).rows == 8


def test_many_series_without_metadata_are_counted_and_the_first_named(tmp_path: Path, raw: Path) -> None:
    kept, _ = validated(tmp_path, raw, "id,unit\nx,K\n")
    assert record(kept)["notes"][0] == "4 of 4 series have no metadata and so no limits: 'a', 'b', 'c' and 1 more"
