"""One row an instant, by a stated policy; what stood there is reported as what it is."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA
from sparkhu.sources import SourceOptions, read_source
from sparkhu.steps.deduplication import DUPLICATES, drop_duplicates, resolve_duplicates
from sparkhu.steps.validation import validate

START = datetime(2014, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)


def observed(*rows):
    """Rows of (unique_id, steps after the start, y[, steps until known]) in source order."""
    return pl.DataFrame(
        [
            (id_, START + at * STEP, y, START + (late[0] if late else at) * STEP, number)
            for number, (id_, at, y, *late) in enumerate(rows, start=1)
        ],
        schema={**SCHEMA, "source_row": pl.Int64},
        orient="row",
    )


def series(*points):
    return observed(*[("a", at, float(value)) for value, at in enumerate(points)])


def kinds(frame):
    report = drop_duplicates(frame).frames["duplicates"]
    return {(ds - START) / STEP: kind for ds, kind in report.select("ds", "kind").rows()}


# At step 1 stand 5, 1, 3 in source order, known at 4, 9 and 6; step 2 has 7 alone.
CONFLICT = observed(("a", 1, 5.0, 4), ("a", 2, 7.0), ("a", 1, 1.0, 9), ("a", 1, 3.0, 6), ("b", 1, 5.0))


@pytest.mark.parametrize(
    ("policy", "kept", "known"),
    [
        ("last", 3.0, 6),
        ("first", 5.0, 4),
        ("mean", 3.0, 9),
        ("median", 3.0, 9),
    ],  # (5 + 1 + 3) / 3 = 3; middle of 1, 3, 5
)
def test_the_policy_decides_between_distinct_values(policy, kept, known):
    result = drop_duplicates(CONFLICT, policy=policy)
    assert result.frames["observations"].rows() == [
        ("a", START + STEP, kept, START + known * STEP, False),
        ("a", START + 2 * STEP, 7.0, START + 2 * STEP, False),
        ("b", START + STEP, 5.0, START + STEP, False),
    ]
    assert result.frames["duplicates"].rows() == [("a", START + STEP, 3, 3, "conflict", kept)]
    assert result.counts == {"dropped": 2, "conflicts": 1, "failed_rows": 0}
    assert result.ledger.rows() == [
        ("a", "ok", None, '{"dropped":2,"conflicts":1}'),
        ("b", "ok", None, '{"dropped":0,"conflicts":0}'),
    ]


def test_mean_and_median_differ_where_values_are_skewed():
    frame = observed(("a", 0, 1.0), ("a", 0, 2.0), ("a", 0, 6.0), ("a", 0, 7.0))
    # mean (1 + 2 + 6 + 7) / 4 = 4; median (2 + 6) / 2 = 4, and with 1, 2, 9: mean 4, median 2
    assert resolve_duplicates(frame, policy="mean")["y"].to_list() == [4.0]
    skewed = observed(("a", 0, 1.0), ("a", 0, 2.0), ("a", 0, 9.0))
    assert resolve_duplicates(skewed, policy="mean")["y"].to_list() == [4.0]
    assert resolve_duplicates(skewed, policy="median")["y"].to_list() == [2.0]


def test_an_even_number_of_values_worked_by_hand():
    # −3, 5, 5 and 8 at one instant: mean (−3 + 5 + 5 + 8)/4 = 15/4 = 3.75; the middle two are 5 and 5, median 5; three
    # distinct values, 4 − 1 = 3 rows dropped; known with the latest, 6.
    frame = observed(("a", 0, 5.0, 2), ("a", 0, 8.0, 6), ("a", 0, -3.0, 4), ("a", 0, 5.0, 1))
    for policy, kept in (("mean", 3.75), ("median", 5.0)):
        result = drop_duplicates(frame, policy=policy)
        assert result.frames["observations"].select("y", "available_at").rows() == [(kept, START + 6 * STEP)]
        assert result.frames["duplicates"].select("rows", "distinct_values").rows() == [(4, 3)]
        assert result.counts == {"dropped": 3, "conflicts": 1, "failed_rows": 0}


def test_last_is_the_default():
    assert resolve_duplicates(CONFLICT).equals(resolve_duplicates(CONFLICT, policy="last"))


def test_under_error_a_series_with_distinct_values_fails_and_its_rows_are_counted():
    result = drop_duplicates(CONFLICT, policy="error")
    assert result.frames["observations"]["unique_id"].to_list() == ["b"]
    assert result.counts == {"dropped": 2, "conflicts": 1, "failed_rows": 2}
    assert result.frames["duplicates"]["kept"].to_list() == [None]
    assert result.ledger.select("unique_id", "status", "reason").rows() == [
        ("a", "failed", "distinct values meet at 1 instants and the policy is error; choose another"),
        ("b", "ok", None),
    ]


def test_under_error_two_distinct_values_are_enough():
    result = drop_duplicates(observed(("a", 0, 1.0), ("a", 0, 2.0)), policy="error")
    assert result.counts == {"dropped": 1, "conflicts": 1, "failed_rows": 1}
    assert result.ledger.select("status", "counts").rows() == [("failed", '{"dropped":1,"conflicts":1}')]


def test_under_error_exact_duplicates_do_no_harm():
    result = drop_duplicates(observed(("a", 0, 1.0), ("a", 0, 1.0), ("a", 0, None)), policy="error")
    assert result.frames["observations"]["y"].to_list() == [1.0]
    assert result.ledger["status"].to_list() == ["ok"]


@pytest.mark.parametrize("policy", ["last", "first", "mean", "median"])
def test_an_exact_duplicate_keeps_its_value_and_its_earliest_moment(policy):
    frame = observed(("a", 0, 0.1, 7), ("a", 0, 0.1, 3), ("a", 0, 0.1, 5))
    result = drop_duplicates(frame, policy=policy)
    assert result.frames["observations"].rows() == [("a", START, 0.1, START + 3 * STEP, False)]
    assert result.frames["duplicates"].select("rows", "distinct_values", "kept").rows() == [(3, 1, 0.1)]


@pytest.mark.parametrize("policy", ["last", "first", "mean", "median"])
def test_a_value_wins_over_a_marked_gap(policy):
    frame = observed(("a", 0, None, 1), ("a", 0, 4.0, 2), ("a", 0, None, 0))
    result = drop_duplicates(frame, policy=policy)
    assert result.frames["observations"].rows() == [("a", START, 4.0, START + 2 * STEP, False)]
    assert result.frames["duplicates"].select("distinct_values", "kind").rows() == [(1, "exact")]


def test_marked_gaps_at_one_instant_are_one_gap():
    result = drop_duplicates(observed(("a", 0, None, 2), ("a", 0, None, 1)))
    assert result.frames["observations"].rows() == [("a", START, None, START + STEP, False)]
    assert result.frames["duplicates"].select("distinct_values", "kind", "kept").rows() == [(0, "exact", None)]


def test_equal_instants_of_two_series_are_no_duplicates():
    assert drop_duplicates(observed(("a", 0, 1.0), ("b", 0, 1.0))).frames["duplicates"].height == 0


# Twelve rows squeezed into step 13 after step 0, as a clock set forward leaves them; step 14 goes on.
SQUEEZED = (-3, -2, -1, 0, *[13] * 12, 14, 15, 16)


def test_rows_that_would_fill_the_hole_around_them_are_a_burst():
    assert kinds(series(*SQUEEZED)) == {13: "burst"}


@pytest.mark.parametrize(
    ("points", "kind"),
    [
        # Three rows fill (3 + 1) usual gaps; holes of 3 to 5 count as about as long.
        ((-2, -1, 0, 3, 3, 3, 4, 5, 6), "burst"),  # 0 to 4: 4
        ((-2, -1, 0, 2, 2, 2, 3, 4, 5), "burst"),  # 0 to 3: 3
        ((-2, -1, 0, 4, 4, 4, 5, 6, 7), "burst"),  # 0 to 5: 5
        ((-2, -1, 0, 1, 1, 1, 2, 3, 4), "conflict"),  # 0 to 2: no hole
        ((-2, -1, 0, 5, 5, 5, 6, 7, 8), "conflict"),  # 0 to 6: twice as long
        ((-2, -1, 0, 3, 3, 4, 5, 6), "conflict"),  # two rows are no burst
        ((-4, -3, -2, -1, 0, 3, 3, 3), "burst"),  # at the end: 3 and one usual gap
        ((3, 3, 3, 6, 7, 8, 9), "burst"),  # at the beginning: one usual gap and 3
        ((3, 3, 3, 4, 5, 6, 7), "conflict"),  # at the beginning without a hole
        ((3, 3, 3), "conflict"),  # nothing around
    ],
)
def test_a_burst_is_told_from_a_conflict_by_the_hole(points, kind):
    assert list(kinds(series(*points)).values()) == [kind]


@pytest.mark.parametrize(("at", "kind"), [(9, "conflict"), (10, "burst"), (16, "burst"), (17, "conflict")])
def test_a_long_burst_may_miss_a_quarter_of_its_hole(at, kind):
    # 13 rows fill 14 usual gaps, give or take (13 - 1) / 4 = 3. From step 0 to the step after `at` are at + 1 gaps.
    points = (-5, -4, -3, -2, -1, 0, *[at] * 13, at + 1, at + 2, at + 3, at + 4, at + 5)
    assert kinds(series(*points)) == {at: kind}


@pytest.mark.parametrize(("at", "kind"), [(19, "conflict"), (20, "burst"), (32, "burst"), (33, "conflict")])
def test_a_quarter_is_meant_to_the_half_gap(at, kind):
    # As above with a usual gap of two steps: (at + 2) / 2 gaps lie around the burst, 14 ± 3 are as many as it fills.
    points = (-10, -8, -6, -4, -2, 0, *[at] * 13, at + 2, at + 4, at + 6, at + 8, at + 10)
    assert kinds(series(*points)) == {at: kind}


def test_a_burst_is_measured_by_the_usual_gap_of_its_own_series():
    slow = observed(*[("slow", at, float(at)) for at in range(0, 400, 20)])
    fast = series(*SQUEEZED).with_columns(pl.col("source_row") + 100)
    assert kinds(pl.concat([fast, slow])) == {13: "burst"}


def test_a_stretch_passed_twice_with_other_values_is_a_repeated_interval():
    assert kinds(series(0, 1, 2, 3, 2, 3, 4, 5)) == {2: "repeated_interval", 3: "repeated_interval"}


@pytest.mark.parametrize(
    ("points", "repeated"),
    [
        ((0, 1, 2, 3, 1, 2, 4), {1: "repeated_interval", 2: "repeated_interval"}),  # begins anywhere behind
        (
            (0, 1, 2, 3, 1, 3, 4),
            {1: "repeated_interval", 3: "repeated_interval"},
        ),  # a row of the second pass is missing
        ((0, 1, 2, 1, 3, 4), {1: "conflict"}),  # one instant is no stretch
        ((0, 1, 1, 2, 2, 3), {1: "conflict", 2: "conflict"}),  # no jump back
        ((0, 1, 2, 3, 3, 2, 4), {2: "conflict", 3: "conflict"}),  # the second pass runs backwards
        ((0, 2, 1, 3, 1, 2, 4), {1: "conflict", 2: "conflict"}),  # the first pass was in another order
    ],
)
def test_a_repeated_interval_is_a_jump_back_and_a_second_pass_in_order(points, repeated):
    assert kinds(series(*points)) == repeated


def test_a_stretch_sent_again_with_the_same_values_is_exact():
    assert kinds(observed(*[("a", at, float(at)) for at in (0, 1, 2, 1, 2, 3)])) == {1: "exact", 2: "exact"}


def test_one_other_value_makes_the_whole_stretch_repeated():
    rows = [(0, 0.0), (1, 1.0), (2, 2.0), (1, 1.0), (2, 9.0), (3, 3.0)]
    assert kinds(observed(*[("a", *row) for row in rows])) == {1: "repeated_interval", 2: "repeated_interval"}


def test_series_that_take_turns_in_the_source_are_looked_at_one_by_one():
    points = (0, 1, 2, 3, 2, 3, 4)
    rows = [(id_, at, float(turn)) for turn, at in enumerate(points) for id_ in "ab"]
    report = drop_duplicates(observed(*rows)).frames["duplicates"]
    assert report["kind"].to_list() == ["repeated_interval"] * 4
    tail = [("a", at, 1.0) for at in (0, 1, 2)] + [("b", at, float(at)) for at in (0, 1, 0)]
    assert drop_duplicates(observed(*tail)).frames["duplicates"]["kind"].to_list() == ["exact"]


def test_without_source_rows_the_order_of_rows_is_the_order_of_the_source():
    assert resolve_duplicates(CONFLICT.drop("source_row")).equals(resolve_duplicates(CONFLICT))


def test_an_empty_shard_gives_empty_typed_frames():
    result = drop_duplicates(observed())
    assert dict(result.frames["observations"].schema) == {**SCHEMA, "is_alert": pl.Boolean()}
    assert dict(result.frames["duplicates"].schema) == DUPLICATES
    assert dict(drop_duplicates(CONFLICT).frames["duplicates"].schema) == DUPLICATES
    assert dict(drop_duplicates(CONFLICT).frames["observations"].schema) == {**SCHEMA, "is_alert": pl.Boolean()}
    assert (result.ledger.height, result.counts) == (0, {"dropped": 0, "conflicts": 0, "failed_rows": 0})


def test_an_unknown_policy_and_a_missing_column_are_named():
    with pytest.raises(InputError, match=r"^policy must be one of last, first, mean, median, error, got 'newest'$"):
        drop_duplicates(CONFLICT, policy="newest")
    with pytest.raises(InputError, match="column 'available_at' is missing"):
        drop_duplicates(CONFLICT.drop("available_at"))


ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.one_of(st.none(), st.integers(0, 3).map(float))), max_size=25
)
POLICIES = st.sampled_from(["last", "first", "mean", "median"])


@given(ROWS, st.sampled_from(["last", "first"]))
def test_last_and_first_are_those_of_pandas(rows, policy):
    frame = observed(*rows)
    table = frame.filter(pl.col("y").is_not_null()).to_pandas()
    expected = table.drop_duplicates(["unique_id", "ds"], keep=policy).sort_values(["unique_id", "ds"])["y"].tolist()
    assert resolve_duplicates(frame, policy=policy)["y"].drop_nulls().to_list() == expected


@given(ROWS, st.sampled_from(["mean", "median"]))
def test_mean_and_median_are_those_of_pandas(rows, policy):
    frame = observed(*rows)
    grouped = frame.to_pandas().groupby(["unique_id", "ds"])["y"].agg(policy).dropna()
    assert resolve_duplicates(frame, policy=policy)["y"].drop_nulls().to_list() == pytest.approx(grouped.tolist())


@given(ROWS, POLICIES)
def test_rows_balance_instants_are_unique_and_a_second_pass_changes_nothing(rows, policy):
    frame = observed(*rows)
    result = drop_duplicates(frame, policy=policy)
    kept = result.frames["observations"]
    assert frame.height == kept.height + result.counts["dropped"]
    assert kept.select("unique_id", "ds").is_unique().all()
    assert kept.select("unique_id", "ds").equals(kept.select("unique_id", "ds").sort("unique_id", "ds"))
    assert (result.frames["duplicates"]["rows"] - 1).sum() == result.counts["dropped"]
    again = drop_duplicates(kept, policy=policy)
    assert again.frames["observations"].equals(kept)
    assert again.counts == {"dropped": 0, "conflicts": 0, "failed_rows": 0}


@given(ROWS, POLICIES, st.randoms())
def test_the_order_of_rows_plays_no_part_beside_their_source_rows(rows, policy, random):
    frame = observed(*rows)
    order = list(range(frame.height))
    random.shuffle(order)
    mixed, straight = drop_duplicates(frame[order], policy=policy), drop_duplicates(frame, policy=policy)
    assert mixed.frames["observations"].equals(straight.frames["observations"])
    assert mixed.frames["duplicates"].equals(straight.frames["duplicates"])


def test_a_pandas_frame_comes_back_as_one():
    table = pd.DataFrame({"unique_id": ["a", "a"], "ds": [pd.Timestamp("2014-01-01")] * 2, "y": [1.0, 2.0]})
    assert resolve_duplicates(table)["y"].tolist() == [2.0]


def cleaned(path, **options):
    raw = read_source(str(path), SourceOptions(**options))
    return drop_duplicates(validate(raw.frame).frames["observations"])


def local_clock(tmp_path, zone, first, rows, minutes):
    """Write half a day of five-minute rows as a clock on the wall of `zone` shows them."""
    stamps = pd.date_range(first, periods=rows, freq=f"{minutes}min", tz="UTC").tz_convert(zone).tz_localize(None)
    lines = "".join(f"{stamp},{number}\n" for number, stamp in enumerate(stamps))
    (tmp_path / "clock.csv").write_text("time,value\n" + lines)
    return tmp_path / "clock.csv"


def test_an_autumn_stamped_in_local_time_is_a_repeated_interval_unless_its_zone_is_said(tmp_path):
    path = local_clock(tmp_path, "Europe/Berlin", "2014-10-25 20:00", 144, 5)
    assert cleaned(path).frames["duplicates"]["kind"].to_list() == ["repeated_interval"] * 12
    placed = cleaned(path, zone="Europe/Berlin")
    assert placed.frames["duplicates"].height == 0
    assert placed.frames["observations"]["ds"].diff().drop_nulls().unique().to_list() == [STEP]


def test_a_spring_stamped_in_local_time_has_no_duplicates_and_no_hole_in_its_zone(tmp_path):
    path = local_clock(tmp_path, "Europe/Berlin", "2014-03-29 20:00", 144, 5)
    assert cleaned(path).frames["duplicates"].height == 0
    placed = cleaned(path, zone="Europe/Berlin").frames["observations"]
    assert placed["ds"].diff().drop_nulls().unique().to_list() == [STEP]


@pytest.mark.parametrize(
    ("name", "rows", "kinds_found", "first", "last"),
    [
        ("ambient_temperature_system_failure", 7267, {}, None, None),
        ("cpu_utilization_asg_misconfiguration", 18050, {}, None, None),
        ("ec2_request_latency_system_failure", 4032, {"burst": 1}, "2014-03-09 03:00", "2014-03-09 03:00"),
        (
            "machine_temperature_system_failure",
            22695,
            {"repeated_interval": 12},
            "2014-01-07 02:00",
            "2014-01-07 02:55",
        ),
        ("nyc_taxi", 10320, {}, None, None),
        ("rogue_agent_key_hold", 1882, {}, None, None),
        ("rogue_agent_key_updown", 5315, {}, None, None),
    ],
)
def test_published_files_are_reported_as_what_they_are(evaluation_data, name, rows, kinds_found, first, last):
    result = cleaned(evaluation_data / "nab" / f"{name}.csv")
    report = result.frames["duplicates"]
    assert result.frames["observations"].height + result.counts["dropped"] == rows
    assert dict(report["kind"].value_counts().rows()) == kinds_found
    if first:
        assert f"{report['ds'].min():%Y-%m-%d %H:%M}" == first
        assert f"{report['ds'].max():%Y-%m-%d %H:%M}" == last
    assert report["rows"].to_list() == {"burst": [12], "repeated_interval": [2] * 12}.get(
        next(iter(kinds_found), ""), []
    )
