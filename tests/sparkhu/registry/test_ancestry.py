"""What a registered model was made from, asked of a real registry and a real lake."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.lake import Append, Lake, Replace, create_lake
from sparkhu.registry import log_model
from sparkhu.registry.ancestry import read_ancestry
from sparkhu.registry.store import registry
from sparkhu.tracing import trace, trace_model

pytestmark = pytest.mark.xdist_group("registry")

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def name() -> str:
    """A name that no other test has registered a model under."""
    return f"traced-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of three days of observations, the second of which is published."""
    lake = create_lake(str(tmp_path / "lake"))
    ds = [START + day * DAY for day in range(3)]
    rows = pl.DataFrame({"unique_id": ["a"] * 3, "ds": ds, "y": 1.0, "available_at": ds}, schema=SCHEMA)
    lake.commit({"observations": Append(rows)}, run="ingest-1", note="a.csv", based_on=lake.version())
    at_end = rows.slice(1, 1).with_columns(available_at=pl.lit(ds[2]).cast(TIME))
    changes = {
        "clean": Replace(rows.slice(1, 1), ds[1], ds[2], 1, "abc", ds[0]),
        "snapshots": Replace(at_end, ds[1] + INSTANT, ds[2] + INSTANT, 1, "abc", ds[0]),
    }
    told = {"sources": [source_of(lake)], "code": "0.1.0+ab"}
    lake.commit(changes, run="run-1", note="the second day", **told, based_on=lake.version())  # type: ignore[arg-type]
    return lake


def source_of(lake: Lake) -> dict[str, object]:
    entry = lake.version(1).tables["observations"]
    limits = {"start": START.isoformat(), "end": (START + 2 * DAY).isoformat()}
    return {"uri": lake.uri, "table": "observations", "version": 1, "sha256": entry.sha256, "rows": 3, **limits}


def test_a_model_is_traced_to_the_partitions_that_it_was_trained_on(
    bundle: Callable[..., Path], lake: Lake, name: str
) -> None:
    version = log_model(bundle(sources=(source_of(lake),)), name=name, metrics={}, parents=("r0",))
    found = trace_model(f"{name}/{version.version}")
    assert found.title == f"model {name}, version 1"
    assert (found.facts["flavour"], found.facts["stands on"], found.facts["code"]) == ("linear", "r0", "0.1.0+abc")
    assert found.facts["parameters"] == "horizon=24"
    whole, *partitions = found.made_from
    assert (whole.what, whole.rows) == ("observations, version 1", 3)
    # The third day lies behind the end of what was read.
    assert [part.what for part in partitions] == ["observations 2024-01-01", "observations 2024-01-02"]
    files = lake.version().table("observations").files()
    assert [part.sha256 for part in partitions] == [file.sha256 for file in files[:2]]
    assert {part.run for part in partitions} == {"ingest-1"}


def test_a_model_whose_lake_is_gone_keeps_what_its_run_wrote_down(
    bundle: Callable[..., Path], lake: Lake, name: str
) -> None:
    log_model(bundle(sources=({**source_of(lake), "uri": f"{lake.uri}-moved"},)), name=name, metrics={})
    (part,) = trace_model(f"{name}/1").made_from
    assert part.sha256 == lake.version().tables["observations"].sha256
    assert "cannot be read now" in part.note


def test_a_model_made_from_files_names_them(bundle: Callable[..., Path], name: str) -> None:
    log_model(bundle(sources=({"uri": "a.csv", "rows": 5, "sha256": "ff", "size": 1},)), name=name, metrics={})
    (part,) = trace_model(f"{name}/1").made_from
    assert (part.where, part.rows, part.sha256) == ("a.csv", 5, "ff")


def test_an_alias_is_followed_and_the_champion_is_meant_where_none_is_named(
    bundle: Callable[..., Path], name: str
) -> None:
    log_model(bundle(), name=name, metrics={})
    with registry() as (client, _):
        client.set_registered_model_alias(name, "champion", "1")
    assert read_ancestry(name) == read_ancestry(f"{name}@champion") == read_ancestry(f"{name}/1")
    assert read_ancestry(name).aliases == ("champion",)


def test_what_is_not_there_is_said(bundle: Callable[..., Path], name: str) -> None:
    log_model(bundle(), name=name, metrics={})
    for asked in (f"{name}@challenger", f"{name}/7", "nobody", "nobody/1"):
        with pytest.raises(InputError, match="Name another, or train one"):
            read_ancestry(asked)


def test_a_table_is_traced_to_what_its_intervals_were_made_from(lake: Lake) -> None:
    found = trace("clean", lake=lake.uri)
    (interval,), (file,) = found.made_from, found.made
    assert interval.where == "observations from 2024-01-01T00:00:00+00:00, version 1"
    assert (interval.run, interval.note) == ("run-1", "parameters abc")
    assert (file.what, file.rows, file.run) == ("clean 2024-01-02", 1, "run-1")


def test_an_interval_whose_observations_changed_is_out_of_date(lake: Lake) -> None:
    ds = [START + DAY + timedelta(hours=1)]
    late = pl.DataFrame({"unique_id": ["a"], "ds": ds, "y": 2.0, "available_at": ds}, schema=SCHEMA)
    lake.commit({"observations": Append(late)}, run="ingest-2", based_on=lake.version())
    for table in ("clean", "snapshots"):
        (interval,) = trace(table, lake=lake.uri).made_from
        assert interval.note == "parameters abc; out of date"


def test_a_row_at_the_end_of_an_interval_puts_nothing_that_stands_there_out_of_date(lake: Lake) -> None:
    ds = [START + 2 * DAY]
    late = pl.DataFrame({"unique_id": ["b"], "ds": ds, "y": 2.0, "available_at": ds}, schema=SCHEMA)
    lake.commit({"observations": Append(late)}, run="ingest-2", based_on=lake.version())
    for table in ("clean", "snapshots"):
        (interval,) = trace(table, lake=lake.uri).made_from
        assert interval.note == "parameters abc"


def test_a_run_is_traced_to_what_it_read_and_committed(lake: Lake) -> None:
    found = trace("run-1", lake=lake.uri)
    assert (found.facts["version"], found.facts["version before"], found.facts["of"]) == ("2", "1", "the second day")
    assert (found.facts["code"], found.facts["parameters"]) == ("0.1.0+ab", "abc")
    whole, *partitions = found.made_from
    assert (whole.what, whole.rows) == ("observations, version 1", 3)
    assert whole.note == "2024-01-01T00:00:00+00:00 to 2024-01-03T00:00:00+00:00"
    files = lake.version().table("observations").files()
    assert [part.what for part in partitions] == ["observations 2024-01-01", "observations 2024-01-02"]
    assert [part.sha256 for part in partitions] == [file.sha256 for file in files[:2]]
    assert [part.what for part in found.made] == ["clean 2024-01-02", "snapshots 2024-01-03"]


def test_an_ingest_is_traced_to_its_source(lake: Lake) -> None:
    found = trace("ingest-1", lake=lake.uri)
    assert [(part.what, part.where) for part in found.made_from] == [("source", "a.csv")]
    assert [part.rows for part in found.made] == [1, 1, 1]
    ds = [START + 5 * DAY]
    rows = pl.DataFrame({"unique_id": ["b"], "ds": ds, "y": 2.0, "available_at": ds}, schema=SCHEMA)
    told = [{"uri": "b.csv", "size": 9, "sha256": "ff", "rows": 1}]
    lake.commit({"observations": Append(rows)}, run="ingest-2", note="b.csv", sources=told, based_on=lake.version())
    (part,) = trace("ingest-2", lake=lake.uri).made_from
    assert (part.what, part.where, part.rows, part.sha256) == ("source", "b.csv", 1, "ff")


def test_a_name_that_is_nothing_is_answered_with_what_there_is(lake: Lake) -> None:
    there = "Its tables are clean, observations, snapshots, its newest runs run-1, ingest-1. A model is given as NAME"
    with pytest.raises(InputError, match=f"has no table or run 'cleen', and no model of that name .*{there}"):
        trace("cleen", lake=lake.uri)
    with pytest.raises(InputError, match="model 'cleen' has no alias 'challenger'"):
        trace("cleen@challenger", lake=lake.uri)
    for name in ("run-1", "clean"):
        with pytest.raises(InputError, match=r"a table or a run needs its lake as well \(--lake URI\)"):
            trace(name)


def test_a_run_that_committed_nothing_is_said_with_the_newest_that_did(lake: Lake) -> None:
    with pytest.raises(InputError, match=r"the newest are by run-1, ingest-1"):
        trace("run-9", lake=lake.uri)
