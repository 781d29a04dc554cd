"""What a lake does, the same in every place that it can lie in."""

from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError, SparkhuError
from sparkhu.frame import TIME
from sparkhu.lake import Append, Lake, Replace, Version, create_lake, is_lake, open_lake
from tests.sparkhu.lake.made_rows import DAY, HOUR, START, at, observed, tidy

FOLDER = pytest.mark.parametrize("place", ["folder"], indirect=True)
RANGES = pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)  # rclone answers a range with status 200


def append(lake: Lake, frame: pl.DataFrame, table: str = "observations", run: str = "run") -> Version:
    return lake.commit({table: Append(frame)}, run=run, based_on=lake.version())


def publish(lake: Lake, frame: pl.DataFrame, start: str, end: str, read: int = 0, params: str = "p") -> Version:
    change = Replace(frame, at(start), at(end), read, params, read_from=at(start))
    return lake.commit({"clean": change}, run="publisher", based_on=lake.version())


def test_a_new_lake_is_empty_and_opens_with_the_layout_that_it_was_created_with(place: str) -> None:
    assert not is_lake(place)
    create_lake(place, partition="month", buckets=3, zone="Europe/Berlin")
    assert is_lake(place)
    opened = open_lake(place)
    assert (opened.layout.partition, opened.layout.buckets, opened.layout.zone) == ("month", 3, "Europe/Berlin")
    assert (opened.version().number, dict(opened.version().tables)) == (0, {})


def test_a_lake_is_created_once_and_opened_only_where_one_is(place: str, lake: Lake) -> None:
    with pytest.raises(InputError, match="is a lake already"):
        create_lake(place)
    with pytest.raises(InputError, match=r"is no lake \(current.json is missing\)"):
        open_lake(f"{place}-not")


def test_what_is_appended_is_read_again_sorted(lake: Lake) -> None:
    frame = observed("ba")
    version = append(lake, frame)
    table = version.table("observations")
    assert version.number == 1
    assert table.rows == 96
    assert_frame_equal(table.read(), frame.sort("unique_id", "ds", "available_at"))


def test_a_version_stays_as_it_was_whatever_is_committed_after_it(lake: Lake) -> None:
    first = append(lake, observed(hours=2))
    append(lake, observed(start=START + DAY, hours=3))
    assert first.table("observations").read().height == 2
    assert lake.version(1).table("observations").read().height == 2
    assert lake.version(2).table("observations").read().height == 5
    assert dict(lake.version(0).tables) == {}
    with pytest.raises(InputError, match="has versions 0 to 2, got 3"):
        lake.version(3)


def test_a_version_keeps_what_its_run_read_and_the_code_that_ran(lake: Lake) -> None:
    told = ({"uri": "a.csv", "sha256": "ff", "rows": 2},)
    lake.commit({"observations": Append(observed())}, run="run", sources=told, code="1+f", based_on=lake.version())
    append(lake, observed(start=START + 3 * DAY))
    assert (lake.version(1).commit.sources, lake.version(1).commit.code) == (told, "1+f")
    assert (lake.version(2).commit.sources, lake.version(2).commit.code) == ((), "")


def test_one_commit_changes_all_its_tables_at_once(lake: Lake) -> None:
    clean = observed(hours=5)
    changes = {"observations": Append(clean), "clean": Replace(clean, at("2024-01-01"), at("2024-01-02"), 0, "p")}
    version = lake.commit(changes, run="both", note="why", based_on=lake.version())
    assert (version.number, sorted(version.tables)) == (1, ["clean", "observations"])
    assert (version.run, version.commit.note) == ("both", "why")
    assert lake.version(1).committed_at == version.committed_at


@FOLDER
def test_files_are_those_of_a_day_of_the_zone_and_a_bucket(place: str) -> None:
    # 2024-01-01 00:00 UTC is 01:00 in Berlin: 23 hours of that day are left, then 24 of the next, then one.
    lake = create_lake(place, buckets=2, zone="Europe/Berlin")
    table = append(lake, observed("ab")).table("observations")
    # CRC-32 of "a" is 0xE8B7BE43 (odd), of "b" 0x71BEEFF9 (odd); of "c" 0x06B9DF6F (odd); "d" 0x98DD4ACC (even).
    assert {(file.partition, file.bucket, file.rows) for file in table.files()} == {
        ("2024-01-01", 1, 46),
        ("2024-01-02", 1, 48),
        ("2024-01-03", 1, 2),
    }
    assert table.files(ids=["d"]) == ()
    (first, *_) = sorted(table.files(), key=lambda file: file.partition)
    assert (first.first, first.last) == (at("2024-01-01"), at("2024-01-01 22:00"))
    assert first.days == ((date(2024, 1, 1), date(2024, 1, 1)),)
    assert first.path.startswith("tables/observations/data/2024-01-01/1-")
    assert (first.version, first.run) == (1, "run")


def test_reading_an_interval_of_some_series_opens_only_the_files_that_may_hold_it(lake: Lake) -> None:
    table = append(lake, observed("ab", hours=96)).table("observations")
    start, end = at("2024-01-02 12:00"), at("2024-01-03 01:00")
    assert [file.partition for file in table.files(start, end)] == ["2024-01-02", "2024-01-03"]
    assert [file.partition for file in table.files(end=at("2024-01-02"))] == ["2024-01-01"]
    rows = table.read(start, end, ["b"], ["y", "unique_id"])
    assert rows.columns == ["y", "unique_id"]
    assert rows["y"].to_list() == [float(k) for k in range(36, 49)]
    assert set(rows["unique_id"]) == {"b"}
    assert len(table.uris(start, end)) == 2


@RANGES
def test_what_is_read_lazily_is_what_is_read(lake: Lake) -> None:
    append(lake, observed("ab", hours=96))
    more = observed(start=START + 9 * DAY, hours=1).with_columns(volume=pl.lit(3, pl.Int32), kind=pl.lit("x"))
    append(lake, more)
    table = append(lake, more.with_columns(volume=pl.lit(0.5), ds=pl.col("ds") + DAY)).table("observations")
    assert_frame_equal(table.scan().collect(), table.read(), check_row_order=False)
    some = (at("2024-01-02 12:00"), at("2024-01-03 01:00"), ["b"], ["y", "unique_id"])
    assert_frame_equal(table.scan(*some).collect(), table.read(*some), check_row_order=False)
    assert table.scan(start=at("2030-01-01")).collect().schema == table.columns


def test_columns_that_came_later_are_null_before_and_numbers_grow_wide_enough(lake: Lake) -> None:
    append(lake, observed(hours=2).with_columns(volume=pl.lit(3, pl.Int32), kind=pl.lit("x").cast(pl.Categorical)))
    append(lake, observed(start=START + DAY, hours=1))
    more = observed(start=START + 2 * DAY, hours=1).with_columns(volume=pl.lit(0.5), price=pl.lit(None))
    table = append(lake, more).table("observations")
    assert table.columns["volume"] == pl.Float64
    assert "price" not in table.columns
    assert table.read()["volume"].to_list() == [3.0, 3.0, None, 0.5]
    assert table.read()["kind"].to_list() == ["x", "x", None, None]
    with pytest.raises(InputError, match="column 'kind' of the table 'observations' has type String, what is added"):
        append(lake, observed(hours=1).with_columns(kind=1))
    with pytest.raises(InputError, match="has no column 'volumes'; it has unique_id, ds"):
        table.read(columns=["volumes"])


def test_of_rows_that_are_equal_in_time_the_one_added_later_stands_later(lake: Lake) -> None:
    for y in (1.0, 3.0, 2.0):
        append(lake, observed(hours=1, y=y))
    assert lake.version().table("observations").read()["y"].to_list() == [1.0, 3.0, 2.0]


def test_replacing_an_interval_leaves_the_rows_around_it(lake: Lake) -> None:
    publish(lake, observed(hours=48), "2024-01-01", "2024-01-03")
    new = observed(start=at("2024-01-01 20:00"), hours=6, y=100)
    table = publish(lake, new, "2024-01-01 20:00", "2024-01-02 08:00", params="q").table("clean")
    # Hours 0 to 19 stay, 20 to 25 are new, 26 to 31 are gone as nothing replaces them, 32 to 47 stay.
    assert table.read()["y"].to_list() == [*range(20), *range(100, 106), *range(32, 48)]
    assert [(each.start.hour, each.end.hour, each.params) for each in table.intervals] == [
        (0, 20, "p"),
        (20, 8, "q"),
        (8, 0, "p"),
    ]
    assert sorted(file.partition for file in table.files()) == ["2024-01-01", "2024-01-02"]


def test_replacing_with_nothing_takes_the_rows_away_and_remembers_the_interval(lake: Lake) -> None:
    publish(lake, observed(hours=24), "2024-01-01", "2024-01-02")
    table = publish(lake, observed(hours=0), "2024-01-01", "2024-01-02", params="q").table("clean")
    assert (table.rows, table.files(), len(table.intervals)) == (0, (), 1)
    assert table.read().schema == observed(hours=0).schema


def test_publishing_the_same_again_changes_nothing(lake: Lake) -> None:
    first = publish(lake, observed(hours=24), "2024-01-01", "2024-01-02")
    again = publish(lake, observed(hours=24, y=7), "2024-01-01", "2024-01-02")
    assert again.number == first.number
    assert again.table("clean").files() == first.table("clean").files()
    assert lake.sweep(timedelta(0)) == []


def test_what_was_made_from_newer_observations_stays_and_the_publisher_is_told(lake: Lake) -> None:
    append(lake, observed())
    append(lake, observed(hours=1))
    publish(lake, observed(hours=24, y=2), "2024-01-01", "2024-01-02", read=2)
    late = publish(lake, observed(hours=48, y=1), "2024-01-01", "2024-01-03", read=1)
    # The first day was made from version 2 and stays; the second was not published yet.
    assert late.table("clean").read()["y"].to_list() == [*range(2, 26), *range(25, 49)]
    assert [each.read_version for each in late.table("clean").intervals] == [2, 1]
    assert "clean: 2024-01-01T00:00:00+00:00 to 2024-01-02T00:00:00+00:00 stays" in late.notes[-1]
    unchanged = publish(lake, observed(hours=24, y=1), "2024-01-01", "2024-01-02", read=1)
    assert unchanged.number == late.number


def test_rows_that_are_added_are_made_anew_when_another_was_first(lake: Lake) -> None:
    seen: list[int] = []

    def missing(version: Version) -> pl.DataFrame | None:
        seen.append(version.number)
        if version.number == 0:
            append(lake, observed(hours=2))  # another publisher comes in between
        there = version.table("observations").read() if version.tables else observed(hours=0)
        new = observed(hours=3).join(there, on=["unique_id", "ds"], how="anti")
        return new if new.height else None

    version = lake.commit({"observations": Append(missing)}, run="late", based_on=lake.version())
    assert seen == [0, 1]
    assert version.number == 2
    assert version.table("observations").read()["y"].to_list() == [0.0, 1.0, 2.0]
    assert lake.commit({"observations": Append(missing)}, run="again", based_on=version).number == 2


def test_a_publisher_who_was_second_leaves_nothing_but_data_files_to_sweep(lake: Lake) -> None:
    def slow(version: Version) -> pl.DataFrame:
        if version.number == 0:
            append(lake, observed(hours=1))
        return observed(hours=1, y=float(version.number))

    lake.commit({"observations": Append(slow)}, run="second", based_on=lake.version())
    assert lake.version(1).run == "run"
    swept = lake.sweep(timedelta(0))
    assert [path.split("/")[2] for path in swept] == ["data"]
    assert lake.version().table("observations").read()["y"].to_list() == [0.0, 1.0]


def test_intervals_are_dirty_when_their_observations_changed_after_they_were_read(lake: Lake) -> None:
    read = append(lake, observed(hours=72)).number
    for day in (1, 2, 3):
        publish(lake, observed(start=START + (day - 1) * DAY, hours=24), f"2024-01-0{day}", f"2024-01-0{day + 1}", read)
    assert lake.dirty("clean") == []
    late = pl.concat([observed(start=at("2024-01-01 05:00"), hours=1), observed(start=at("2024-01-03 23:00"), hours=1)])
    append(lake, late)
    assert [each.start for each in lake.dirty("clean")] == [at("2024-01-01"), at("2024-01-03")]
    publish(lake, observed(hours=24, y=1), "2024-01-01", "2024-01-02", lake.version().number)
    assert [each.start for each in lake.dirty("clean")] == [at("2024-01-03")]


def test_tables_are_dated_by_their_own_columns(lake: Lake) -> None:
    days = pl.DataFrame({"unique_id": ["a", "a"], "day": [date(2024, 1, 1), date(2024, 1, 3)], "n": [1, 2]})
    refused = pl.DataFrame({"unique_id": ["a", "b"], "ds": [None, START], "reason": ["no time", "no number"]})
    cutoffs = observed(hours=3).with_columns(cutoff=pl.lit(START - DAY, TIME))
    changes = {
        "summaries": Append(days),
        "quarantine": Append(refused.cast({"ds": TIME})),
        "forecasts": Replace(cutoffs, START - DAY, START, 0, "p"),
    }
    version = lake.commit(changes, run="run", based_on=lake.version())
    assert [file.partition for file in version.table("summaries").files()] == ["2024-01-01", "2024-01-03"]
    # A day belongs to an interval when its midnight does.
    assert version.table("summaries").read(START, START + 2 * DAY)["n"].to_list() == [1]
    assert version.table("summaries").read(START + HOUR, START + 3 * DAY)["n"].to_list() == [2]
    assert {file.partition for file in version.table("quarantine").files()} == {"undated", "2024-01-01"}
    assert version.table("quarantine").read().height == 2
    assert version.table("quarantine").read(START)["unique_id"].to_list() == ["b"]
    assert [file.partition for file in version.table("forecasts").files()] == ["2023-12-31"]


@FOLDER
@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("observations", Append(observed().drop("unique_id")), "lack the column 'unique_id'"),
        ("observations", Append(observed().with_columns(ds=pl.lit("x"))), "column 'ds' .* has type String, expected"),
        ("observations", Append(observed().with_columns(ds=pl.lit(None, TIME))), "48 rows .* have no 'ds'"),
        ("observations", Append(observed().with_columns(v=pl.struct("y"))), "column 'v' has type Struct"),
        ("Clean", Append(observed()), "a table's name is made of"),
        (
            "clean",
            Replace(observed(), START, START + DAY, 0, "p"),
            "24 rows .* lie outside the interval .* one at 2024",
        ),
        ("clean", Replace(observed(), START, START + 2 * DAY, 5, "p"), "read_version of the table 'clean' is 5"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_and_nothing_changes(
    lake: Lake, table: str, change: Append | Replace, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        lake.commit({table: change}, run="run", based_on=lake.version())
    assert lake.version().number == 0


def test_intervals_have_zones_and_end_after_they_start() -> None:
    with pytest.raises(InputError, match="start must have a zone, got '2024-01-01T00:00:00'"):
        Replace(observed(), START.replace(tzinfo=None), START, 0, "p")
    with pytest.raises(InputError, match="end must lie after start"):
        Replace(observed(), START, START, 0, "p")
    with pytest.raises(InputError, match="read_from must have a zone"):
        Replace(observed(), START, START + DAY, 0, "p", START.replace(tzinfo=None))


def test_questions_that_make_no_sense_are_refused(lake: Lake) -> None:
    version = append(lake, observed(hours=1))
    with pytest.raises(InputError, match="has no table 'clean'; it has observations"):
        version.table("clean")
    with pytest.raises(InputError, match=r"ids must be a list of series, got the text 'a'. Write \['a'\]"):
        version.table("observations").read(ids="a")
    with pytest.raises(InputError, match="start must have a zone"):
        version.table("observations").read(START.replace(tzinfo=None))


def test_sweeping_takes_what_no_version_refers_to_once_it_is_old_enough(lake: Lake) -> None:
    append(lake, observed(hours=30))
    publish(lake, observed(hours=24), "2024-01-01", "2024-01-02")
    publish(lake, observed(hours=24, y=1), "2024-01-01", "2024-01-02", params="q")
    orphans = ["tables/clean/data/2024-01-01/0-dead.parquet", "versions/00000002-dead.json", "versions/00000009-x.json"]
    for path in orphans:
        lake._storage.write(path, b"half of some")
    assert lake.sweep(timedelta(hours=1)) == []
    assert lake.sweep(timedelta(seconds=-5)) == orphans
    # Also what only an old version refers to is kept.
    assert [lake.version(n).table("clean").read()["y"][0] for n in (2, 3)] == [0.0, 1.0]
    assert lake.version(1).table("observations").read().height == 30


def test_a_version_is_found_among_those_that_came_second(lake: Lake) -> None:
    for hour in range(3):
        append(lake, observed(start=START + hour * HOUR, hours=1), run=f"run {hour}")
    other = lake.version(2).commit
    for name in ("0", "f"):
        lake._storage.write(f"versions/00000002-{name * 32}.json", other.encoded().replace(b"run 1", b"second"))
    assert [lake.version(n).run for n in (1, 2, 3)] == ["run 0", "run 1", "run 2"]


@FOLDER
def test_rows_of_hours_that_the_clock_shows_twice_or_not_at_all_fall_on_their_day(place: str) -> None:
    lake = create_lake(place, zone="Europe/Berlin")
    table = append(lake, observed(start=at("2024-03-30 22:00"), hours=48)).table("observations")
    # 31 March 2024 has 23 hours in Berlin.
    assert [(file.partition, file.rows) for file in table.files()] == [
        ("2024-03-30", 1),
        ("2024-03-31", 23),
        ("2024-04-01", 24),
    ]


def test_tidy_rows_are_equal_however_they_were_cut(tmp_path_factory: pytest.TempPathFactory) -> None:
    frame, found = observed("abc", hours=100), []
    for partition in ("day", "month", "year"):
        lake = create_lake(str(tmp_path_factory.mktemp(partition) / "lake"), partition=partition, buckets=5)
        found.append(append(lake, frame).table("observations").read())
    assert tidy(found[0]) == tidy(frame)
    assert_frame_equal(found[0], found[1])
    assert_frame_equal(found[0], found[2])


@FOLDER
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partition": "week"}, "partition must be one of day, month, year, got 'week'"),
        ({"buckets": 0}, "buckets must lie between 1 and 4096, got 0"),
        ({"zone": "Berlin"}, "zone must be an IANA time zone"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(place: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        create_lake(place, **options)  # type: ignore[arg-type]
    assert not is_lake(place)


@pytest.mark.parametrize(("uri", "said"), [("", "the lake is empty"), ("gs://bucket/x", "got 'gs://…'")])
def test_a_lake_lies_in_a_folder_or_on_s3(uri: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_lake(uri)


@FOLDER
def test_too_many_lost_races_are_an_error(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkhu.lake.lakes.ATTEMPTS", 3)

    def never_first(version: Version) -> pl.DataFrame:
        append(lake, observed(hours=1), run="faster")
        return observed(hours=1)

    with pytest.raises(SparkhuError, match="other publishers were first 3 times"):
        lake.commit({"observations": Append(never_first)}, run="slower", based_on=lake.version())
    assert {lake.version(n).run for n in (1, 2, 3)} == {"faster"}


@FOLDER
def test_a_version_that_only_changed_other_tables_is_no_newer_observation(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lakes of before recorded the newest version of all as the one that was read: here 2 in the place of 1.
    append(lake, observed())
    lake.commit({"other": Append(observed(hours=1))}, run="other", based_on=lake.version())
    with monkeypatch.context() as patch:
        patch.setattr(Version, "last_change", lambda _, number: number)
        publish(lake, observed(hours=24), "2024-01-01", "2024-01-02", read=2)
    version = lake.version()
    assert version.table("clean").intervals[0].read_version == 2
    assert [version.last_change(number) for number in range(4)] == [0, 1, 1, 1]
    same = publish(lake, observed(hours=24, y=1), "2024-01-01", "2024-01-02", read=1)
    assert same.number == version.number
    other = publish(lake, observed(hours=24, y=1), "2024-01-01", "2024-01-02", read=1, params="q")
    assert other.notes == ()
    assert other.table("clean").read()["y"].to_list() == [float(hour) for hour in range(1, 25)]
