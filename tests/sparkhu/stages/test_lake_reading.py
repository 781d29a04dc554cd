"""What a run reads of a lake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.lake import Append, Lake, Replace, create_lake
from sparkhu.lineage import read_trail
from sparkhu.shards import open_dataset
from sparkhu.sources.reading import RAW_SCHEMA
from sparkhu.stages.lake_reading import read_interval
from sparkhu.steps.validation import validate
from sparkhu.summaries import summarise_days

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def rows(*days: float, name: str = "a", y: float = 1.0, late: float = 0.0) -> pl.DataFrame:
    ds = [START + day * DAY for day in days]
    known = [moment + late * DAY for moment in ds]
    columns = {"unique_id": [name] * len(ds), "ds": ds, "y": [y] * len(ds), "available_at": known}
    return pl.DataFrame(columns, schema=SCHEMA)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = create_lake(str(tmp_path / "lake"))
    observed = pl.concat([rows(*range(100)), rows(*range(50, 100), name="b")]).with_columns(volume=pl.lit(3))
    made.commit({"observations": Append(observed)}, run="ingest", based_on=made.version())
    return made


def read(lake: Lake, **given: str) -> pl.DataFrame:
    out = Path(lake.uri).parent / "raw"
    read_interval(lake.uri, out=out, history=out.with_name("history"), **given)  # type: ignore[arg-type]
    return open_dataset(out).scan().collect()


def days(found: pl.DataFrame, name: str = "a") -> list[int]:
    return [(ds - START) // DAY for ds in found.filter(unique_id=name)["ds"]]


def test_rows_of_the_interval_and_of_the_look_back_are_read(lake: Lake) -> None:
    found = read(lake, start="2024-03-01", end="2024-03-03", lookback="7d")
    # 1 March is day 60.
    assert days(found) == list(range(53, 62))
    assert days(found, "b") == list(range(53, 62))


def test_without_a_start_all_rows_before_the_end_are_read(lake: Lake) -> None:
    assert days(read(lake, end="2024-01-11")) == list(range(10))
    assert days(read(lake, start="2024-01-05", end="2024-01-11", lookback="all")) == list(range(10))


def test_before_a_run_has_found_seasons_all_rows_are_read_and_then_what_they_want(lake: Lake) -> None:
    assert days(read(lake, start="2024-03-01", end="2024-03-03")) == list(range(62))
    # 500 points of 90 minutes are 31.25 days: 32 whole ones.
    moment = datetime(2024, 2, 1, tzinfo=UTC)
    profile = pl.DataFrame(
        {"unique_id": ["a"], "decision": ["irregular"], "period_label": [None], "season_length": [None]},
        schema_overrides={"period_label": pl.String, "season_length": pl.Int64},
    ).with_columns(ds=pl.lit(moment).cast(TIME), median_gap_us=pl.lit(90 * 60_000_000))
    change = Replace(profile, moment, moment + DAY, lake.version().number, "p")
    lake.commit({"profiles": change}, run="run", based_on=lake.version())
    assert days(read(lake, start="2024-03-01", end="2024-03-03")) == list(range(28, 62))


def test_the_newest_row_of_an_instant_is_read(lake: Lake) -> None:
    lake.commit({"observations": Append(rows(5, y=9.0, late=60))}, run="ingest", based_on=lake.version())
    found = read(lake, end="2024-01-08").filter(unique_id="a")
    assert found["y"].to_list() == [1.0] * 5 + [9.0, 1.0]
    assert found["available_at"][5] == START + 65 * DAY


def test_days_that_are_not_read_count_by_their_summaries(lake: Lake, tmp_path: Path) -> None:
    observed = lake.version().table("observations").read()
    lake.commit({"summaries": Append(summarise_days(observed))}, run="ingest", based_on=lake.version())
    read(lake, start="2024-03-01", end="2024-03-03", lookback="1d")
    history = open_dataset(tmp_path / "history").scan().collect().sort("unique_id")
    # The days before 3 March are 62 of a, and from the 50th on 12 of b; read were three.
    assert history["history_n"].to_list() == [62, 12]
    assert history["history_start"].to_list() == [START, START + 50 * DAY]
    read(lake, start="2024-03-01", end="2024-03-02T12:00", lookback="1d")
    # Half a day has no summary of its own.
    assert open_dataset(tmp_path / "history").scan().collect()["history_n"].sum() == 61 + 11


def test_a_revision_after_the_end_is_in_no_summary_of_before(lake: Lake, tmp_path: Path) -> None:
    observed = lake.version().table("observations").read()
    lake.commit({"summaries": Append(summarise_days(observed))}, run="ingest", based_on=lake.version())
    late = rows(3, y=5000.0, late=90)
    lake.commit({"summaries": Append(summarise_days(late))}, run="late", based_on=lake.version())
    read(lake, start="2024-03-01", end="2024-03-03", lookback="1d")
    assert open_dataset(tmp_path / "history").scan().collect()["history_max"].max() == 1.0
    read(lake, start="2024-04-08", end="2024-04-09", lookback="1d")
    assert open_dataset(tmp_path / "history").scan().collect()["history_max"].max() == 5000.0


def test_rows_look_as_those_of_a_source_and_further_columns_travel_along(lake: Lake) -> None:
    found = read(lake, end="2024-01-08")
    assert found.columns == [*RAW_SCHEMA, "volume"]
    assert found["source_row"].to_list() == list(range(1, 8))
    assert validate(found).frames["quarantine"].is_empty()


def test_the_record_says_which_version_was_read(lake: Lake) -> None:
    read(lake, start="2024-03-01", end="2024-03-03", lookback="7d")
    (record,) = read_trail([Path(lake.uri).parent / "raw"]).history
    (source,) = record.sources
    entry = lake.version().tables["observations"]
    assert (source["version"], source["sha256"], source["table"]) == (1, entry.sha256, "observations")
    assert (source["start"], source["end"]) == ("2024-02-23T00:00:00+00:00", "2024-03-03T00:00:00+00:00")
    assert "looking back 7d as asked: 18 rows" in record.notes[0]


def test_nothing_to_read_is_said_with_what_there_is(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there are some from 2024-01-01T00:00:00\+00:00 to 2024-04-09"):
        read(lake, start="2025-01-01", end="2025-01-02", lookback="1d")
    with pytest.raises(InputError, match="is no lake"):
        read_interval(str(tmp_path / "none"), out=tmp_path / "raw", history=tmp_path / "history")
    empty = create_lake(str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no observations yet"):
        read(empty)
    with pytest.raises(InputError, match="lookback"):
        read(lake, lookback="long")
    assert not (tmp_path / "raw").exists()
