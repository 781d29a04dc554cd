"""Groups of shards: how they are shared out, what crosses their borders, and what only all of them together show."""

import errno
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu import ledger
from sparkhu.errors import InputError, SparkhuError
from sparkhu.execution import recorded, run_step
from sparkhu.lineage import Group, read_trail
from sparkhu.shards import Shard, open_dataset, write_manifest, write_shard
from sparkhu.sources.reading import RAW_SCHEMA
from sparkhu.stages.detecting import detect_periods
from sparkhu.stages.grouping import gather_groups, pack_group, shared_out, take_group
from sparkhu.stages.metadata import sync_series
from sparkhu.stages.validating import validate_rows

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MADE = ("sequences", "estimates", "quarantine")


def raw_rows(name: str, hours: list[float], *, valid: bool = True) -> pl.DataFrame:
    ds = [START + hour * HOUR if valid else None for hour in hours]
    rows = {"unique_id": name, "ds": ds, "y": 1.0, "available_at": ds, "ds_text": "text", "source_row": 1}
    return pl.DataFrame({key: rows.get(key) for key in RAW_SCHEMA}, schema=RAW_SCHEMA)


def ingested(folder: Path, *shards: pl.DataFrame, max_failed_share: float = 0.5) -> Path:
    """Write shards as ingest does."""
    ids = pl.concat(shards)["unique_id"].unique(maintain_order=True)
    with recorded("ingest", inputs=[], outputs=[folder], params={"max_failed_share": max_failed_share}) as (notes, at):
        written = [write_shard(at[0], f"{number:05d}", frame) for number, frame in enumerate(shards)]
        write_manifest(at[0], "rows", written)
        notes.entries, notes.series_in = ledger.entries(ids), len(ids)
    return folder


def known(folder: Path, *names: str) -> Path:
    """Write metadata of series."""
    uri = ""
    if names:
        folder.mkdir(exist_ok=True)
        (folder / "known.csv").write_text("unique_id,unit\n" + "".join(f"{name},K\n" for name in names))
        uri = str(folder / "known.csv")
    sync_series(uri, {}, out=folder / "metadata")
    return folder / "metadata"


def prepared(folder: Path, raw: Path, metadata: Path, past: str = "") -> dict[str, Path]:
    """Validate, and find periods."""
    paths = {name: folder / name for name in (*MADE, "limits", "profile")}
    rows = {"observations": paths["sequences"], "quarantine": paths["quarantine"], "limits": paths["limits"]}
    validate_rows(raw=raw, known=metadata, **rows)
    detect_periods(observations=paths["sequences"], profile=paths["profile"], estimates=paths["estimates"], past=past)
    return {name: paths[name] for name in MADE}


def packed(folder: Path, raw: Path, metadata: Path, groups: int, past: str = "") -> list[Path]:
    """Take, prepare and pack every group."""
    packs = []
    for number in range(1, groups + 1):
        place = folder / str(number)
        place.mkdir()
        take_group(raw=raw, out=place / "raw", group=number, groups=groups)
        pack_group(prepared(place, place / "raw", metadata, past), out=place / "packed")
        packs.append(place / "packed")
    return packs


def gathered(folder: Path, packs: list[Path], metadata: Path, past: str = "") -> dict[str, Path]:
    outputs = {name: folder / "whole" / name for name in MADE}
    (folder / "whole").mkdir()
    gather_groups(packs, known=metadata, outputs=outputs, past=past)
    return outputs


@pytest.fixture
def hourly(tmp_path: Path) -> Path:
    frames = [raw_rows(name, [float(hour) for hour in range(9)]) for name in "abcde"]
    return ingested(tmp_path / "ingested", *frames)


@given(shards=st.integers(0, 300), groups=st.integers(1, 100))
@settings(max_examples=50, deadline=None)
def test_every_shard_is_in_one_group_in_order_and_groups_are_even(shards: int, groups: int) -> None:
    whole = tuple(Shard(f"{number:05d}", 1, 1) for number in range(shards))
    parts = [shared_out(whole, Group(number, groups)) for number in range(1, groups + 1)]
    assert tuple(shard for part in parts for shard in part) == whole
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_group_is_some_of_the_shards_with_the_ledger_of_its_series(hourly: Path, tmp_path: Path) -> None:
    # Five shards for two groups: 5 // 2 = 2 for the first, the other three for the second.
    take_group(raw=hourly, out=tmp_path / "two", group=2, groups=2)
    part = open_dataset(tmp_path / "two")
    assert [shard.name for shard in part.shards] == ["00002", "00003", "00004"]
    trail = read_trail([part.path])
    assert trail.entries["unique_id"].to_list() == ["c", "d", "e"]
    assert trail.group == Group(2, 2)
    record = trail.history[-1]
    assert (record.rows_in, record.rows_out, record.series_in, record.counts) == (27, 27, 3, {"shards": 3})


def test_nothing_is_copied_where_the_file_system_links(hourly: Path, tmp_path: Path) -> None:
    take_group(raw=hourly, out=tmp_path / "two", group=1, groups=2)
    for file in open_dataset(tmp_path / "two").files():
        assert file.samefile(hourly / file.name)


def test_files_are_copied_where_the_file_system_cannot_link(
    hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    take_group(raw=hourly, out=tmp_path / "two", group=1, groups=2)
    files = open_dataset(tmp_path / "two").files()
    assert [file.read_bytes() for file in files] == [(hourly / file.name).read_bytes() for file in files]
    assert not any(file.samefile(hourly / file.name) for file in files)


def test_another_failure_of_the_file_system_is_one(
    hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OSError, match="No space left"):
        take_group(raw=hourly, out=tmp_path / "two", group=1, groups=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ingested"]


@pytest.mark.parametrize("number", [0, 3])
def test_a_group_that_there_is_not_is_refused(hourly: Path, tmp_path: Path, number: int) -> None:
    with pytest.raises(InputError, match=rf"^group must be from 1 to 2, the number of groups, got {number}\.$"):
        take_group(raw=hourly, out=tmp_path / "out", group=number, groups=2)


def test_more_groups_than_shards_leave_some_empty_and_lose_nothing(hourly: Path, tmp_path: Path) -> None:
    metadata = known(tmp_path)
    packs = packed(tmp_path, hourly, metadata, groups=8)
    assert [len(open_dataset(pack / "sequences").shards) for pack in packs] == [0, 1, 0, 1, 1, 0, 1, 1]
    whole = gathered(tmp_path, packs, metadata)
    ids = open_dataset(whole["sequences"]).scan().collect()["unique_id"]
    assert ids.unique(maintain_order=True).to_list() == list("abcde")


def test_a_group_that_did_not_come_is_named(hourly: Path, tmp_path: Path) -> None:
    metadata = known(tmp_path)
    packs = packed(tmp_path, hourly, metadata, groups=3)
    with pytest.raises(SparkhuError, match=r"of 3 groups of shards 2 did not come\."):
        gathered(tmp_path, [packs[0], packs[2]], metadata)
    assert list((tmp_path / "whole").iterdir()) == []


def test_estimates_of_series_that_no_group_has_are_carried_on_once(hourly: Path, tmp_path: Path) -> None:
    metadata, first = known(tmp_path / "known"), tmp_path / "first"
    first.mkdir()
    earlier = [float(hour) - 48 for hour in range(9)]
    past = ingested(first / "raw", raw_rows("a", earlier), raw_rows("gone", earlier), raw_rows("lost", earlier))
    estimates = prepared(first, past, metadata)["estimates"]
    open_dataset(estimates).scan().collect().write_parquet(first / "estimates.parquet")
    alone = tmp_path / "alone"
    alone.mkdir()
    wanted = open_dataset(prepared(alone, hourly, metadata, str(first))["estimates"]).scan().collect()
    packs = packed(tmp_path, hourly, metadata, groups=3, past=str(first))
    found = open_dataset(gathered(tmp_path, packs, metadata, str(first))["estimates"]).scan().collect()
    assert found.equals(wanted)
    assert found["unique_id"].to_list() == ["a", "a", "b", "c", "d", "e", "gone", "lost"]


def test_changed_periods_are_said_once_for_all_groups(tmp_path: Path) -> None:
    metadata, first = known(tmp_path / "known"), tmp_path / "first"
    first.mkdir()
    irregular = [-99.0, -98.0, -95.3, -89.9, -87.7, -81.1, -80.8, -73.5]
    hours = [float(hour) for hour in range(9)]
    past = ingested(first / "raw", *(raw_rows(name, irregular) for name in "ab"))
    rows = ingested(tmp_path / "rows", *(raw_rows(name, hours) for name in "ab"))
    estimates = open_dataset(prepared(first, past, metadata)["estimates"]).scan().collect()
    # What stood before is overruled where a single earlier estimate is not the decision any more.
    estimates.with_columns(estimate=pl.lit("regular"), estimate_label=pl.lit("1h")).write_parquet(
        first / "estimates.parquet"
    )
    packs = packed(tmp_path, rows, metadata, groups=2, past=str(first))
    whole = gathered(tmp_path, packs, metadata, str(first))
    history = {record.step: record for record in read_trail([whole["estimates"]]).history}
    said = ("2 series changed their period or way: 'a' from irregular to 1h; 'b' from irregular to 1h",)
    assert history["gather_groups"].notes == said
    assert history["detect_regularity"].notes == ()


def test_metadata_without_series_are_counted_over_all_groups(hourly: Path, tmp_path: Path) -> None:
    metadata = known(tmp_path, "a", "b", "x")
    whole = gathered(tmp_path, packed(tmp_path, hourly, metadata, groups=3), metadata)
    history = {record.step: record for record in read_trail([whole["sequences"]]).history}
    wanted = {"series_without_metadata": 3, "metadata_without_series": 1}
    assert {name: history["validate"].counts[name] for name in wanted} == wanted
    assert history["gather_groups"].notes == (
        "3 of 5 series have no metadata and so no limits: 'c', 'd', 'e'",
        "1 of 3 series of the metadata have no row: 'x'",
    )
    assert history["validate"].notes == ()


def test_a_group_whose_series_all_fail_stops_nothing_while_the_run_may_go_on(tmp_path: Path) -> None:
    rows = [raw_rows(name, [0.0, 1.0, 2.0], valid=name != "a") for name in "abc"]
    raw, metadata = ingested(tmp_path / "raw", *rows), known(tmp_path)
    whole = gathered(tmp_path, packed(tmp_path, raw, metadata, groups=3), metadata)
    assert ledger.failed_ids(read_trail([whole["sequences"]]).entries).to_list() == ["a"]
    assert open_dataset(whole["quarantine"]).rows == 3


def test_too_many_failed_series_over_all_groups_end_the_run(tmp_path: Path) -> None:
    # One of two fails in each group of two: 1 of 4 for either, 2 of 4 together, more than 0.4.
    rows = [raw_rows(name, [0.0, 1.0, 2.0], valid=name in "bd") for name in "abcd"]
    raw, metadata = ingested(tmp_path / "raw", *rows, max_failed_share=0.4), known(tmp_path)
    packs = packed(tmp_path, raw, metadata, groups=2)
    with pytest.raises(SparkhuError, match=r"2 of 4 series failed, more than max_failed_share = 0\.4 allows"):
        gathered(tmp_path, packs, metadata)
    assert list((tmp_path / "whole").iterdir()) == []


def test_a_group_in_which_too_many_of_all_series_fail_ends_the_run_at_once(tmp_path: Path) -> None:
    rows = [raw_rows(name, [0.0, 1.0, 2.0], valid=name in "cd") for name in "abcd"]
    raw, metadata = ingested(tmp_path / "raw", *rows, max_failed_share=0.4), known(tmp_path)
    with pytest.raises(SparkhuError, match=r"2 of 4 series failed"):
        packed(tmp_path, raw, metadata, groups=2)


def test_events_of_a_group_name_it(hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    metadata = known(tmp_path)
    gathered(tmp_path, packed(tmp_path, hourly, metadata, groups=2), metadata)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    named = {(event["step"], event.get("group"), event.get("groups")) for event in events}
    in_groups = ("take_group", "validate", "detect_regularity", "pack_group")
    both = {(step, number, 2) for step in in_groups for number in (1, 2)}
    assert named == both | {("sync_metadata", None, None), ("gather_groups", None, None)}


def test_a_failure_in_a_group_names_it(hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take_group(raw=hourly, out=tmp_path / "part", group=2, groups=3)
    (tmp_path / "part" / "00001.parquet").unlink()
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    with pytest.raises(SparkhuError, match="shard 00001"):
        run_step(_same, name="same", inputs={"rows": tmp_path / "part"}, outputs={"rows": (tmp_path / "o", "rows")})
    failed = json.loads((tmp_path / "events").read_text().splitlines()[-1])
    assert (failed["kind"], failed["step"], failed["group"], failed["groups"]) == ("step_failed", "same", 2, 3)


def _same(rows: pl.DataFrame) -> None:
    """Never reached: its shard is gone."""
    raise AssertionError(rows)
