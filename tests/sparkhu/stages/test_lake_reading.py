"""What a run reads of a lake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.arrivals import newest
from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.lake import Append, Lake, Replace, Version, create_lake
from sparkhu.lineage import read_trail
from sparkhu.shards import open_dataset
from sparkhu.sources.reading import RAW_SCHEMA
from sparkhu.stages.lake_history import border_of, known_history, summaries_before
from sparkhu.stages.lake_reading import read_interval
from sparkhu.steps.validation import validate
from sparkhu.summaries import SUMMARY_SCHEMA, summarise_days
from tests.sparkhu.lake.retired import purge

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
    read_interval(lake.uri, out=out, history=out.with_name("history"), versions=out.with_name("versions"), **given)  # type: ignore[arg-type]
    return open_dataset(out).scan().collect()


def days(found: pl.DataFrame, name: str = "a") -> list[int]:
    return [(ds - START) // DAY for ds in found.filter(unique_id=name)["ds"]]


def test_rows_of_the_interval_and_of_the_look_back_are_read(lake: Lake) -> None:
    found = read(lake, start="2024-03-01", end="2024-03-03", lookback="7d")
    assert days(read(lake, start="2024-04-09", end="2024-04-10", lookback="2d")) == [97, 98, 99]
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


def test_what_later_intervals_found_says_nothing_of_the_look_back(lake: Lake) -> None:
    # The same interval read before and after it, and one behind it, were published: all rows, both times.
    profile = pl.DataFrame(
        {"unique_id": ["a"], "decision": ["irregular"], "period_label": [None], "season_length": [None]},
        schema_overrides={"period_label": pl.String, "season_length": pl.Int64},
    ).with_columns(ds=pl.lit(START + 60 * DAY).cast(TIME), median_gap_us=pl.lit(90 * 60_000_000))
    asked = {"start": "2024-03-01", "end": "2024-03-03"}
    first = read(lake, **asked)
    for start, end in ((60, 62), (70, 72)):
        shown = profile.with_columns(ds=pl.lit(START + (end - 1) * DAY).cast(TIME))
        change = Replace(shown, START + start * DAY, START + end * DAY, lake.version().number, "p")
        lake.commit({"profiles": change}, run="run", based_on=lake.version())
        assert read(lake, **asked).equals(first)
    assert days(read(lake, start="2024-03-03", end="2024-03-04")) == list(range(30, 63))


def history(lake: Lake) -> pl.DataFrame:
    return open_dataset(Path(lake.uri).with_name("history")).scan().collect().sort("unique_id")


def ingest(lake: Lake, batch: pl.DataFrame) -> None:
    """Append rows and the summaries of the days that they touch, as an ingest does."""
    version, zone = lake.version(), lake.version().layout.zone
    there = version.table("observations").read(columns=list(SCHEMA)) if "observations" in version.tables else batch[:0]
    day = pl.col("ds").dt.convert_time_zone(zone).dt.date().alias("day")
    touched = batch.select("unique_id", day).unique()
    rows = pl.concat([there, batch]).with_columns(day).join(touched, on=["unique_id", "day"], how="semi")
    changes = {"observations": Append(batch), "summaries": Append(summarise_days(newest(rows), zone=zone))}
    lake.commit(changes, run="ingest", based_on=version)


def summaries(version: Version, start: datetime) -> pl.DataFrame:
    found = summaries_before(version, start)
    return found[0].read(None, found[1]) if found else pl.DataFrame(schema=SUMMARY_SCHEMA)


def test_days_that_are_not_read_count_by_their_summaries(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    ingest(lake, pl.concat([rows(*range(100)), rows(*range(50, 100), name="b")]))
    read(lake, start="2024-03-01", end="2024-03-03", lookback="1d")
    # The days before 3 March are 62 of a, and from the 50th on 12 of b; read were three.
    assert history(lake)["n"].to_list() == [62, 12]
    assert history(lake)["start"].to_list() == [START, START + 50 * DAY]
    assert history(lake)["last_ds"].to_list() == [START + 61 * DAY] * 2


def test_the_part_of_a_day_before_the_end_counts_with_its_rows(tmp_path: Path) -> None:
    # Hours of four days: 0 to 95. Read from 31:00 to 82:00: n 82, 0 to 81, mean 40.5. What is read has the quartiles
    # of 31 to 81: 31 + 50/4 = 43.5, 56, 68.5.
    lake = create_lake(str(tmp_path / "lake"))
    hours = pl.concat([rows(hour / 24, y=float(hour)) for hour in range(96)])
    ingest(lake, hours)
    read_rows = read(lake, start="2024-01-03T07:00", end="2024-01-04T10:00", lookback="1d")
    assert read_rows["y"].to_list() == [float(hour) for hour in range(31, 82)]
    (found,) = history(lake).to_dicts()
    assert (found["n"], found["min"], found["max"], found["mean"]) == (82, 0.0, 81.0, 40.5)
    assert (found["q1"], found["median"], found["q3"], found["last_value"]) == (43.5, 56.0, 68.5, 81.0)


def test_a_revision_after_the_end_is_in_no_history_of_before(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    ingest(lake, rows(*range(100)))
    ingest(lake, pl.concat([rows(3, y=5000.0, late=90), rows(61, y=7000.0, late=30)]))
    read(lake, start="2024-03-01", end="2024-03-03", lookback="1d")
    assert history(lake).select("n", "max", "last_value").row(0) == (62, 1.0, 1.0)
    # Of what the run reads, the last became known on day 91; the revision of day 3 is not among it.
    assert history(lake)["known_until"].to_list() == [START + 91 * DAY]
    read(lake, start="2024-04-08", end="2024-04-09", lookback="1d")
    assert history(lake)["max"].max() == 7000.0


def test_rows_known_hours_after_their_time_have_a_history_every_day(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    ingest(lake, pl.concat([rows(hour / 24, y=float(hour), late=2 / 24) for hour in range(96)]))
    for day in (1, 2, 3):
        read(lake, start=f"2024-01-0{day}", end=f"2024-01-0{day + 1}", lookback="1d")
        # Hours up to two before midnight were known: 0 to 22 on the first day.
        (found,) = history(lake).to_dicts()
        assert (found["n"], found["last_value"]) == (24 * day - 1, 24.0 * day - 2)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), zone=st.sampled_from(["UTC", "Asia/Seoul", "America/New_York"]))
def test_a_history_is_that_of_all_rows_known_by_the_end(data: st.DataObject, zone: str) -> None:
    # Points every five hours of twelve days around a change of New York's clocks, versions of them in any order.
    hour, first = timedelta(hours=1), datetime(2024, 3, 5, tzinfo=UTC)
    versions = st.tuples(st.integers(0, 57), st.integers(0, 99) | st.none(), st.integers(0, 300))
    batches = data.draw(st.lists(st.lists(versions, min_size=1, max_size=30), min_size=1, max_size=3))
    start = data.draw(st.integers(0, 250))
    end = data.draw(st.integers(start + 1, 300))
    with TemporaryDirectory() as folder:
        lake = create_lake(f"{folder}/lake", zone=zone)
        for batch in batches:
            points = [("a", first + 5 * at * hour, y, first + (5 * at + late) * hour) for at, y, late in batch]
            ingest(lake, pl.DataFrame(points, schema=SCHEMA, orient="row"))
        version, at = lake.version(), first + start * hour
        table = version.table("observations")
        stored = table.read(border_of(version, at), first + end * hour)
        told = known_history(version, stored, summaries(version, at), start=at, end=first + end * hour)
        every = newest(table.read(None, first + end * hour), known_at=first + end * hour)
    if every.filter(pl.col("ds") >= at).is_empty():
        assert told.is_empty()
        return
    (found,), y, recent = told.to_dicts(), every["y"], every.filter(pl.col("ds") >= at)["y"]
    wanted = [y.count() or None, y.mean(), y.std(), y.min(), y.max(), recent.median(), recent.quantile(0.25, "linear")]
    assert [found[name] for name in ("n", "mean", "std", "min", "max", "median", "q1")] == pytest.approx(wanted)
    assert found["missing_share"] == recent.null_count() / len(recent)
    assert found["known_until"] == stored.filter(pl.col("ds") >= at)["available_at"].max()
    assert found["last_values"] == (recent.drop_nulls().tail(24).to_list() or None)


def test_all_versions_of_revised_points_lie_beside_the_rows(lake: Lake, tmp_path: Path) -> None:
    late = pl.concat([rows(5, y=9.0, late=60), rows(80, y=8.0, late=3, name="b"), rows(99, y=7.0, late=1)])
    lake.commit({"observations": Append(late.with_columns(volume=pl.lit(3)))}, run="ingest", based_on=lake.version())
    out = tmp_path / "raw"
    read_interval(
        lake.uri, out=out, history=tmp_path / "history", versions=tmp_path / "versions", end="2024-04-01",
        rows_per_shard=10,
    )  # fmt: skip
    raw, found = open_dataset(out), open_dataset(tmp_path / "versions")
    assert [shard.name for shard in raw.shards] == [shard.name for shard in found.shards] == ["00000", "00001"]
    assert [pl.read_parquet(file).select("unique_id", "y").rows() for file in found.files()] == [
        [("a", 1.0), ("a", 9.0)], [("b", 1.0), ("b", 8.0)],
    ]  # fmt: skip
    assert found.scan().collect_schema() == pl.Schema(SCHEMA)


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
    assert source["rows"] == 18


def test_nothing_to_read_is_said_with_what_there_is(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there are some from 2024-01-01T00:00:00\+00:00 to 2024-04-09"):
        read(lake, start="2025-01-01", end="2025-01-02", lookback="1d")
    # 9 April is the last day. A day behind it has a look-back, and nothing to publish: a mistyped year, or too early.
    with pytest.raises(InputError, match=r"no observations in 2024-04-10T.* to 2024-04-11T.*; there are some from"):
        read(lake, start="2024-04-10", end="2024-04-11", lookback="2d")
    with pytest.raises(InputError, match="is no lake"):
        read_interval(
            str(tmp_path / "none"), out=tmp_path / "raw", history=tmp_path / "history", versions=tmp_path / "versions"
        )
    empty = create_lake(str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no observations yet"):
        read(empty)
    with pytest.raises(InputError, match="lookback"):
        read(lake, lookback="long")
    assert not (tmp_path / "raw").exists()


def test_an_interval_that_retention_has_taken_rows_of_is_refused(lake: Lake) -> None:
    purge(lake, "observations", START + 50 * DAY, START + 52 * DAY)
    with pytest.raises(
        InputError, match=r"2 files such as 'tables/observations/.*sparkhu retention restore; or give an"
    ):
        read(lake, start="2024-02-20", end="2024-02-22")
    with pytest.raises(InputError, match="retention has taken observations out of the lake"):
        read(lake)
    # What is looked back on may be gone, and so may what lies before the first row that there is.
    assert days(read(lake, start="2024-02-23", end="2024-02-24", lookback="5d")) == [48, 49, 52, 53]
    purge(lake, "observations", START, START + 50 * DAY, "n")
    assert days(read(lake, end="2024-02-24")) == [52, 53]
