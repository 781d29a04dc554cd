"""Plans beside a slow planner in plain Python, and what they say in words."""

import importlib.util
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu_retention.items import ITEMS, items
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning import planner
from sparkhu_retention.planning.action import ACTIONS
from sparkhu_retention.planning.planner import plan, plan_parts
from sparkhu_retention.planning.summary import added_up, held_back, kept, totals
from sparkhu_retention.policies.policy import Policy, PolicyVersion, policy_of

spec = importlib.util.spec_from_file_location("slow_planner", Path(__file__).with_name("slow_planner.py"))
assert spec
assert spec.loader
slow_planner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(slow_planner)

STORAGE = "s3://plant/data"
FIRST, NOW = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
datasets = st.sampled_from(["a", "b", "b/c"])
moments = st.integers(0, 100).map(lambda number: FIRST + number * 5 * DAY)
ends = st.none() | moments
tags = st.lists(st.sampled_from(["team=x", "team=y", "kind=z"]), max_size=2, unique=True)
things = st.fixed_dictionaries(
    {
        "dataset": datasets,
        "line": st.sampled_from([None, "", "m", "n"]),
        "start": ends,
        "end": ends,
        "tags": tags,
        "holds": st.sampled_from([[], [], [], ["legal hold of the bucket"]]),
    }
)
periods = st.sampled_from(["30 days", "2 months", "1 year", "5 weeks"])
ways: Any = st.one_of(
    st.fixed_dictionaries({"archive_after": periods}, optional={"keep_newest": st.integers(1, 3)}),
    st.fixed_dictionaries({"without_archive": st.just(value=True), "delete_after": periods}),
    st.fixed_dictionaries({"keep_newest": st.integers(1, 3)}, optional={"without_archive": st.just(value=True)}),
    st.fixed_dictionaries(
        {"floor": st.dates(date(2023, 1, 1), date(2024, 3, 1))},
        optional={"archive_after": periods, "keep_newest": st.integers(1, 2)},
    ),
    st.fixed_dictionaries({"no_policy": st.just(value=True)}),
    st.fixed_dictionaries({"hold": st.just("case 1")}, optional={"archive_after": periods}),
)
# Each match has a rank of its own, so that none of them meets its equal.
matches = [
    {"dataset": "**"},
    {"dataset": "a"},
    {"dataset": "b/**"},
    {"dataset": "b/*"},
    {"dataset": "**", "tags": {"team": "x"}},
    {"dataset": "a", "tags": {"kind": "z"}},
]
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])


@st.composite
def rules(draw: Any) -> list[Policy]:
    chosen = draw(st.lists(st.sampled_from(range(len(matches))), max_size=4, unique=True))
    return [
        policy_of({"name": f"p{number}", "match": matches[number], "zone": draw(zones), **draw(ways)}, now=NOW)
        for number in chosen
    ]


@st.composite
def wants(draw: Any) -> list[Need]:
    count = draw(st.integers(0, 4))
    return [
        Need(
            by=f"need {number}",
            storage=draw(st.sampled_from([STORAGE, f"{STORAGE}/", ""])),
            dataset=draw(st.none() | datasets | st.just("b/**")),
            start=draw(ends),
            end=draw(ends),
            ids=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"1", "3", "none"})])),
        )
        for number in range(count)
    ]


def frame_of(there: list[dict[str, Any]]) -> pl.DataFrame:
    columns = {name: [each.get(name) for each in there] for name in ITEMS}
    columns["tags"], columns["holds"] = ([each or [] for each in columns[name]] for name in ("tags", "holds"))
    return items({**columns, "rows": [10] * len(there), "bytes": [100] * len(there), "content": ["v"] * len(there)})


def planned(frame: pl.DataFrame, policies: list[Policy], now: datetime = NOW, **more: Any) -> pl.DataFrame:
    return plan(STORAGE, [frame], [PolicyVersion(each, 3) for each in policies], now=now, **more)


@given(there=st.lists(things, min_size=1, max_size=12), policies=rules(), needs=wants(), later=st.integers(0, 500))
def test_the_plan_is_that_of_plain_python(
    there: list[dict[str, Any]], policies: list[Policy], needs: list[Need], later: int
) -> None:
    there = [{"id": str(number), **each} for number, each in enumerate(there)]
    now = NOW + later * DAY
    needs = [need for need in needs if need.start is None or need.end is None or need.start < need.end]
    expected = slow_planner.slowly(there, policies, needs, now)
    found = planned(frame_of(there), policies, now, needs=needs[:2], holds=needs[2:])
    assert found.schema == ACTIONS
    told = zip(found["action"], found["policy"], map(set, found["held_by"].to_list()), strict=True)
    assert list(told) == expected
    assert found.select(list(ITEMS)).equals(frame_of(there))
    assert (found["due"].is_not_null() | (found["action"] == "keep")).all()
    assert found["reason"].is_not_null().all()


def day(number: int, **more: Any) -> dict[str, Any]:
    start = FIRST + number * DAY
    return {"id": f"day-{number}", "dataset": "a", "start": start, "end": start + DAY, **more}


def test_a_year_counts_to_the_instant() -> None:
    frame, year = frame_of([day(0)]), policy_of({"name": "p", "archive_after": "1 year"})
    due = datetime(2024, 1, 2, tzinfo=UTC)
    assert planned(frame, [year], due - timedelta(microseconds=1))["action"].to_list() == ["keep"]
    found = planned(frame, [year], due)
    assert found["action"].to_list() == ["archive"]
    assert found["due"].to_list() == [due]
    assert found["reason"].to_list() == ["covers up to 2023-01-02; archived 1 year after it"]
    assert found.select("policy", "policy_version").row(0) == ("p", 3)


def test_midnights_are_those_of_the_zone() -> None:
    berlin = {"name": "p", "floor": "2023-01-02", "zone": "Europe/Berlin"}
    found = planned(frame_of([day(0), day(-1)]), [policy_of(berlin)])
    assert found["action"].to_list() == ["keep", "archive"]
    assert found["reason"][1] == "covers up to 2023-01-01 01:00:00 CET; all before 2023-01-02 is archived"


def test_of_versions_the_newest_stay_and_held_ones_come_on_top() -> None:
    versions = [day(number, line="m", dataset="models") for number in range(5)]
    versions[4]["holds"] = ["legal hold of the bucket"]
    policy = policy_of({"name": "p", "keep_newest": 2})
    needs = [Need("champion 'm' version 0", STORAGE, ids=frozenset({"day-0"}))]
    found = planned(frame_of(versions), [policy], needs=needs)
    assert found["action"].to_list() == ["held", "archive", "keep", "keep", "keep"]
    assert found["held_by"][0].to_list() == ["champion 'm' version 0"]
    assert found["reason"].to_list()[1:3] == ["no longer one of the newest 2", "one of the newest 2, which stay"]
    assert found["due"][1] == FIRST + 4 * DAY


def test_a_need_holds_from_its_start_to_before_its_end() -> None:
    instant = {"id": "instant", "dataset": "a", "start": FIRST + DAY, "end": FIRST + DAY}
    frame = frame_of([day(0), day(1), day(2), instant])
    found = planned(frame, [], needs=[Need("it", STORAGE, "a", FIRST + DAY, FIRST + 2 * DAY)])
    assert [bool(len(names)) for names in found["held_by"]] == [False, True, False, True]


def test_a_version_stays_until_the_one_behind_it_has_ended() -> None:
    ahead = {**day(0, line="m"), "id": "ahead", "end": NOW + 5 * DAY}
    policy = policy_of({"name": "p", "keep_newest": 1, "archive_after": "1 day"})
    frame = frame_of([day(0, line="m"), ahead])
    assert planned(frame, [policy])["action"].to_list() == ["keep", "keep"]
    assert planned(frame, [policy])["due"].to_list() == [NOW + 5 * DAY, None]
    assert planned(frame, [policy], NOW + 5 * DAY)["action"].to_list() == ["archive", "keep"]


def test_an_archive_is_emptied_by_delete_after_alone() -> None:
    policy = policy_of({"name": "p", "archive_after": "1 month", "delete_after": "1 year", "keep_newest": 5})
    frame = frame_of([day(0, line="m"), day(400, line="m")])
    found = planned(frame, [policy], tier="archive", needs=[Need("x", STORAGE, start=FIRST + 5 * DAY)])
    assert found["action"].to_list() == ["delete", "keep"]
    assert found["reason"][0] == "covers up to 2023-01-02; removed from the archive 1 year after it"
    assert found["held_by"].to_list() == [[], ["x"]]


def test_a_downsample_is_told_and_what_has_no_rows_for_it_is_held() -> None:
    policy = policy_of({"name": "p", "archive_after": "1 month", "downsample": {"to": "1h"}})
    frame = frame_of([day(0), day(1), day(430)]).with_columns(rows=pl.Series([10, None, None], dtype=pl.Int64))
    found = planned(frame, [policy])
    assert found["action"].to_list() == ["archive", "held", "keep"]
    assert found["reason"][0] == ("covers up to 2023-01-02; archived 1 month after it, downsampled to 1h by mean first")
    assert found["held_by"].to_list()[1:] == [["it has no rows to downsample to 1h, as its policy wants"], []]


def test_a_copy_in_the_archive_is_held_until_its_downsample_was_written() -> None:
    policy = policy_of({"name": "p", "archive_after": "1 month", "delete_after": "1 year", "downsample": {"to": "1h"}})
    frame = frame_of([day(0), day(1), day(2), day(3), day(400)]).with_columns(
        rows=pl.Series([10, 10, 10, None, 10], dtype=pl.Int64), content=pl.Series(["1", "2", "3", "4", "5"])
    )
    there = pl.DataFrame({"content": ["1", "2", "9"], "to": ["1h", "1d", "1h"], "by": ["mean"] * 3})
    found = planned(frame, [policy], tier="archive", downsampled=there)
    assert found["action"].to_list() == ["delete", "held", "held", "held", "keep"]
    lacking = "its downsample to 1h by mean is not yet written and verified"
    never = "it has no rows to downsample to 1h, as its policy wants"
    assert found["held_by"].to_list() == [[], [lacking], [lacking], [never], []]
    unknown = planned(frame, [policy], tier="archive")
    assert unknown["action"].to_list() == ["held", "held", "held", "held", "keep"]


@pytest.mark.parametrize(
    ("needed", "held"),
    [
        ("s3://plant", [True, True]),
        ("s3://plant/data/logs", [True, False]),
        ("s3://plant/data/logs/2023.csv", [True, False]),
        ("s3://plant/data/log", [False, False]),
        ("s3://plant/data2", [False, False]),
        ("s3://other/data", [False, False]),
        ("", [True, True]),
    ],
)
def test_a_need_of_a_place_around_or_within_the_storage_counts(needed: str, held: list[bool]) -> None:
    frame = frame_of([day(0, id="logs/2023.csv"), day(0, id="rows.csv")])
    found = planned(frame, [], needs=[Need("a model", needed)])
    assert [names == ["a model"] for names in found["held_by"].to_list()] == held


def test_files_that_models_were_trained_on_are_found_whatever_else_is_named_like_them() -> None:
    names = ["a", "a-b", "a.csv", "a/b", "a/b.csv", "a/b/c", "a0", "ä/x", "b/ä", "", "z"]
    there = [f"{one}/{other}".strip("/") for one in names for other in names]
    there = [name for name in dict.fromkeys(there) if name]
    paths = [*there[::7], "nothing", "a/nothing"]
    found = planned(frame_of([day(0, id=each) for each in there]), [], needs=[Need(p, f"{STORAGE}/{p}") for p in paths])
    for each, held in zip(there, found["held_by"].to_list(), strict=True):
        wanted = [path for path in paths if each == path or each.startswith(f"{path}/")]
        assert held == wanted


def test_thousands_of_files_that_models_were_trained_on_are_found_in_one_look() -> None:
    frame = frame_of([day(0, id=f"day={number:06}/rows.csv") for number in range(50_000)])
    needs = [Need("a model", f"{STORAGE}/day={number * 25:06}/rows.csv") for number in range(2_000)]
    began = time.perf_counter()
    found = planned(frame, [], needs=needs)
    assert found["held_by"].list.len().sum() == 2_000
    assert time.perf_counter() - began < 2


def test_a_folder_is_the_same_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for name in ("data", "./data/", str(tmp_path / "data"), (tmp_path / "data").as_uri(), "link"):
        found = plan(str(tmp_path / "data"), [frame_of([day(0)])], [], now=NOW, needs=[Need("it", name, "a")])
        assert found["held_by"].to_list() == [["it"]], name


def test_many_holders_are_counted_and_not_all_named() -> None:
    needs = [Need(f"need {number}", STORAGE, "a") for number in range(1_200)]
    found = planned(frame_of([day(0)]), [], needs=needs)
    assert len(found["held_by"][0]) == 6
    assert found["held_by"][0][-1] == "1,195 more of these"


def test_totals_balance_and_name_what_holds() -> None:
    policies = [policy_of({"name": "p", "archive_after": "1 month", "match": {"dataset": "a"}})]
    frame = frame_of([day(0), day(1), day(2), day(430), {**day(0), "id": "x", "dataset": "z"}])
    found = planned(
        frame, policies, needs=[Need("one", STORAGE, "a", end=FIRST + DAY), Need("two", STORAGE, end=FIRST + 2 * DAY)]
    )
    assert totals(found).rows() == [
        ("p", 3, "archive", 1, 10, 100),
        ("p", 3, "held", 2, 20, 200),
        ("p", 3, "keep", 1, 10, 100),
        (None, None, "keep", 1, 10, 100),
    ]
    assert held_back(found).rows() == [("two", 2, 20, 200), ("one", 1, 10, 100)]


def test_why_the_rest_stays_is_added_up_without_the_dates_of_single_items() -> None:
    policies = [
        policy_of({"name": "p", "archive_after": "1 month", "match": {"dataset": "a"}}),
        policy_of({"name": "models", "keep_newest": 2, "match": {"dataset": "m"}}),
        policy_of({"name": "none", "no_policy": True, "match": {"dataset": "n"}}),
        policy_of({"name": "old", "floor": "2023-01-01", "match": {"dataset": "f"}}),
    ]
    there = [day(0), day(420), day(430), {"id": "undated", "dataset": "a"}]
    there += [day(number, line="m", dataset="m") for number in range(3)]
    there += [day(number, dataset=name) for name in "nfz" for number in range(2)]
    found = planned(frame_of(there), policies).with_columns(
        rows=pl.when(pl.col("dataset") != "z").then(pl.col("rows")).otherwise(None)
    )
    parts = [kept(part) for part in found.iter_slices(2)]
    expected = [
        ("models", "one of the newest 2, which stay", 2, 20, 200, None),
        ("none", "its policy is that there is none: nothing is archived or removed", 2, 20, 200, None),
        ("old", "no period ends", 2, 20, 200, None),
        ("p", "covers no interval, so that no period ends", 1, 10, 100, None),
        ("p", "not due yet: archived 1 month after its end", 2, 20, 200, datetime(2024, 3, 26, tzinfo=UTC)),
        (None, "no policy is about it", 2, None, 200, None),
    ]
    assert kept(found).rows() == expected
    assert added_up(parts).sort("policy", "reason", nulls_last=True).rows() == expected


@pytest.mark.parametrize("keep", [None, 2])
def test_a_plan_in_parts_is_the_plan(monkeypatch: pytest.MonkeyPatch, keep: int | None) -> None:
    there = [day(number, line=f"m{number % 3}", holds=["x"] if number % 7 == 0 else []) for number in range(400, 440)]
    policy = PolicyVersion(policy_of({"name": "p", "archive_after": "1 week", "keep_newest": keep}))
    whole = plan(STORAGE, [frame_of(there)], [policy], now=NOW)
    assert set(whole["action"]) == {"archive", "held", "keep"}
    monkeypatch.setattr(planner, "BATCH", 7)
    parts = list(plan_parts(STORAGE, (frame_of([each]) for each in there), [policy], now=NOW))
    assert [part.height for part in parts] == [7, 7, 7, 7, 7, 5]
    assert pl.concat(parts).equals(whole)
    assert added_up([totals(part) for part in parts]).sort("action").equals(totals(whole).sort("action"))


def test_nothing_is_planned_of_nothing_and_other_frames_are_refused() -> None:
    assert plan(STORAGE, [], [], now=NOW).schema == ACTIONS
    with pytest.raises(InputError, match="schema of items"):
        plan(STORAGE, [pl.DataFrame({"id": ["a"]})], [], now=NOW)
    with pytest.raises(InputError, match="now must have a zone"):
        plan(STORAGE, [], [], now=datetime(2024, 1, 1))
