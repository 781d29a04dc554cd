"""What runs over a lake still need of it, asked of real lakes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.lake import Append, Bury, Lake, Replace, create_lake
from sparkhu.lake.purging import purge_files
from sparkhu.lake.readers import Reader, announcing
from sparkhu_retention.needs.gathering import gathered_needs
from sparkhu_retention.needs.lakes import lake_needs
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.planner import plan
from sparkhu_retention.planning.refreshes import check_refreshes
from sparkhu_retention.policies.policy import PolicyVersion, policy_of
from sparkhu_retention.storages.opening import open_retained
from tests.sparkhu.lake.made_rows import DAY, START, observed

HOUR = timedelta(hours=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of ten days; the first eight are published, each looking back three days, as far as there are some."""
    made = create_lake(str(tmp_path / "lake"))
    made.commit({"observations": Append(observed(hours=240))}, run="ingest", based_on=made.version())
    for day in range(8):
        publish(made, day, min(day, 3))
    return made


def publish(lake: Lake, day: int, lookback: int | None) -> None:
    start = START + day * DAY
    read_from = None if lookback is None else start - lookback * DAY
    read = lake.version().last_change(lake.version().number)
    rows = observed(start=start, hours=24)
    profile = pl.DataFrame(
        {"unique_id": ["a"], "decision": "regular", "period_kind": "fixed", "period_us": 3_600_000_000}
    ).with_columns(period_label=pl.lit("1h"), season_length=24, median_gap_us=3.6e9, ds=pl.lit(start))
    changes = {
        "clean": Replace(rows, start, start + DAY, read, "p", read_from),
        "profiles": Replace(profile.with_columns(rows["ds"][0]), start, start + DAY, read, "p", read_from),
    }
    lake.commit(changes, run=f"run-{day}", based_on=lake.version())


def of_table(needs: list[Need], table: str) -> list[tuple[str, object, object]]:
    return [(need.by, need.start, need.end) for need in needs if need.dataset == table]


def test_the_next_interval_looks_back_as_far_as_the_newest_did(lake: Lake) -> None:
    words = f"the interval behind {(START + 8 * DAY).isoformat()} will look back on it"
    needs = lake_needs(lake.uri)
    assert of_table(needs, "observations") == [(words, START + 4 * DAY, None)]
    assert of_table(needs, "profiles") == [(words, START + 4 * DAY, None)]
    assert {need.storage for need in needs} == {lake.uri}
    # A run over the ninth day begins when the day has ended.
    assert {need.dataset: need.read_at for need in needs} == dict.fromkeys(
        ("observations", "profiles"), START + 9 * DAY
    )


def test_where_the_newest_interval_read_everything_the_seasons_say_how_far_back_the_next_one_looks(lake: Lake) -> None:
    publish(lake, 8, None)
    ((_, start, end),) = of_table(lake_needs(lake.uri), "observations")
    assert (start, end) == (START + 9 * DAY - 70 * DAY - DAY, None)


def late(lake: Lake, day: int) -> None:
    rows = observed("b", start=START + day * DAY, hours=1)
    lake.commit({"observations": Append(rows)}, run=f"late {day}", based_on=lake.version())


def test_intervals_out_of_date_will_be_made_anew_from_what_they_were_made_from(lake: Lake) -> None:
    late(lake, 2)
    needs = lake_needs(lake.uri)
    stale = [need for need in needs if "out of date" in need.by and need.dataset == "observations"]
    assert [(need.start, need.end, need.read_at) for need in stale] == [
        (START + max(day - 3, 0) * DAY, START + (day + 1) * DAY, START + (day + 1) * DAY) for day in (2, 3, 4, 5)
    ]
    assert stale[1].by == (
        "the interval from 2024-01-04T00:00:00+00:00 to 2024-01-05T00:00:00+00:00 is out of date and will be made anew "
        "from it"
    )
    # Of the profiles, those of the four intervals before each, by which it finds how far it looks back.
    found = [(start, end) for by, start, end in of_table(needs, "profiles") if "out of date" in by]
    assert found == [(START + max(day - 4, 0) * DAY, START + day * DAY) for day in (2, 3, 4, 5)]
    assert {need.read_at for need in needs if "out of date" in need.by and need.dataset == "profiles"} == {None}


def test_of_tables_that_looked_back_differently_the_one_that_looked_back_farthest_counts(lake: Lake) -> None:
    start, read = START + 8 * DAY, lake.version().last_change(lake.version().number)
    rows = observed(start=start, hours=24)
    for looked_back in ((5, 1), (1, 5), (1, None)):
        froms = [None if days is None else start - days * DAY for days in looked_back]
        changes = {
            name: Replace(rows, start, start + DAY, read, str(looked_back), begin)
            for name, begin in zip(("clean", "anomalies"), froms, strict=True)
        }
        lake.commit(changes, run="run", based_on=lake.version())
        late(lake, 8)
        read = lake.version().number - 1
        begins = {need.start for need in lake_needs(lake.uri) if need.end == start + DAY and need.read_at}
        assert begins == {None if None in looked_back else start - 5 * DAY}


def test_a_lake_that_was_never_processed_needs_all_that_it_has(tmp_path: Path) -> None:
    made = create_lake(str(tmp_path / "new"))
    assert lake_needs(made.uri) == []
    made.commit({"observations": Append(observed(hours=240))}, run="ingest", based_on=made.version())
    needs = lake_needs(made.uri)
    assert needs == [Need("nothing of it was processed yet; sparkhu backfill does that", made.uri, "observations")]
    # That is no reason to refuse a policy: a period is long enough once runs keep up.
    check_refreshes(
        [policy_of({"name": "p", "match": {"dataset": "observations"}, "archive_after": "1 day"})], [], needs
    )


def test_spans_between_published_intervals_are_still_to_be_processed_and_what_these_look_back_on(lake: Lake) -> None:
    for day in (10, 11, 14, 18):
        lake.commit(
            {"observations": Append(observed(start=START + day * DAY, hours=24))}, run="i", based_on=lake.version()
        )
    for day in (9, 11, 16):
        publish(lake, day, 3)
    needs = [need for need in lake_needs(lake.uri) if "not processed" in need.by]
    limits = [(need.dataset, need.start, need.end) for need in needs]
    # Days 12 and 13 have no rows; day 14 has some, and the gap that it lies in is one.
    assert limits == [
        ("observations", START + 4 * DAY, START + 9 * DAY),
        ("profiles", START + 4 * DAY, START + 8 * DAY),
        ("observations", START + 6 * DAY, START + 11 * DAY),
        ("profiles", START + 5 * DAY, START + 10 * DAY),
        ("observations", START + 8 * DAY, START + 16 * DAY),
        ("profiles", START + 6 * DAY, START + 12 * DAY),
    ]
    assert needs[0].by == (
        "the span from 2024-01-09T00:00:00+00:00 to 2024-01-10T00:00:00+00:00 was not processed yet; sparkhu backfill, "
        "which does that, reads it"
    )
    assert {need.read_at for need in needs} == {None}
    for day in (8, 10):
        publish(lake, day, 3)
    assert sum("not processed" in need.by for need in lake_needs(lake.uri)) == 2


def test_what_lies_before_the_first_published_interval_is_still_to_be_processed(tmp_path: Path) -> None:
    made = create_lake(str(tmp_path / "new"))
    made.commit({"observations": Append(observed(hours=240))}, run="ingest", based_on=made.version())
    publish(made, 3, 1)
    (need,) = [need for need in lake_needs(made.uri) if "processed" in need.by]
    by = "nothing up to 2024-01-04T00:00:00+00:00 was processed yet; sparkhu backfill does that"
    assert need == Need(by, made.uri, "observations", None, START + 3 * DAY)


def test_a_reader_that_is_at_work_needs_what_it_announced(lake: Lake) -> None:
    with announcing(lake.version().storage, Reader("a backfill", "observations", START, START + HOUR)) as announcement:
        announcement.renew()
        assert of_table(lake_needs(lake.uri), "observations")[0] == ("a backfill is reading it", START, START + HOUR)
    assert len(of_table(lake_needs(lake.uri), "observations")) == 1


def test_a_lake_that_is_retained_as_plain_files_is_asked_as_well(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert gathered_needs([(lake.uri, "folder")]) == gathered_needs([(lake.uri, "lake")]) == lake_needs(lake.uri)
    assert gathered_needs([(str(tmp_path / "plain"), "folder")]) == []


@pytest.mark.parametrize("within", ["deep/er", "tables/observations/data"])
def test_no_plain_storage_takes_files_of_a_lake_out_of_it(lake: Lake, tmp_path: Path, within: str) -> None:
    files = lake.version().table("clean").files()
    mark, change = "m", Bury(files[:1], (), "m", lake.version().storage.now())
    version = lake.commit({"clean": change}, run=mark, based_on=lake.version())
    purge_files(version.storage, {"clean": version.manifest("clean").buried}, mark)
    root = tmp_path / "lake"
    if within == "deep/er":
        (tmp_path / "outer" / within).mkdir(parents=True)
        root, _ = tmp_path / "outer", root.rename(tmp_path / "outer" / within / "lake")
        (root / "rows.csv").write_text("a plain file")
    else:
        root /= within
    rule = PolicyVersion(policy_of({"name": "p", "archive_after": "1 day"}))
    storage = open_retained(str(root), "folder", {"dates": "modified"})
    found = plan(str(root), storage.items(), [rule], now=datetime.now(UTC) + 900 * DAY)
    assert found.filter(pl.col("action") == "archive")["id"].to_list() == (["rows.csv"] if within == "deep/er" else [])
    held = found.filter(pl.col("action") == "held")
    assert set(held["held_by"].list.first()) <= {
        "it belongs to a lake, whose files go only from a storage of the kind 'lake'"
    }


def test_a_lake_that_cannot_be_asked_is_needed_whole(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "lake" / "current.json").write_text("{")
    (need,) = lake_needs(lake.uri)
    assert need.by.startswith("the lake cannot be asked what it still needs: ")
    assert (need.storage, need.dataset, need.start, need.end) == (lake.uri, None, None, None)
