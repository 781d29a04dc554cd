from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sparkhu import histories, sequences
from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.histories import History
from sparkhu.sequences import Sequences, blocks, look_up
from sparkhu.steps.segmented import NEVER

ROWS: dict[str, pl.DataType] = {"unique_id": pl.String(), "ds": TIME, "y": pl.Float64(), "available_at": TIME}
MOMENTS: dict[str, pl.DataType] = {"unique_id": pl.String(), "at": TIME}
START = datetime(2024, 3, 1, tzinfo=UTC)

Row = tuple[str, int, float | None, int]
Moment = tuple[str, int]
LookUp = Callable[[pl.DataFrame, pl.DataFrame, int], Sequences]


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def micro(number: int) -> int:
    return int(hour(number).timestamp()) * 1_000_000


def made_rows(*rows: Row) -> pl.DataFrame:
    made = [(name, hour(ds), y, hour(known)) for name, ds, y, known in rows]
    return pl.DataFrame(made, schema=ROWS, orient="row")


def made_moments(*moments: Moment) -> pl.DataFrame:
    return pl.DataFrame([(name, hour(at)) for name, at in moments], schema=MOMENTS, orient="row")


def seen(found: Sequences, column: str = "y") -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in found.values[column]]


def test_a_late_point_is_seen_from_its_arrival_on() -> None:
    # Points at 0, 1, 2, 3 h with 10, 11, 12, 13. The one of 1 h arrives at 5 h only, all others at once.
    # At 0 h: only 0 h has arrived: [-, 10]. At 3 h: 0, 2, 3 h have: the last two are 12, 13. At 4 h: the same.
    # At 5 h all have, and the last two are still 12, 13; the last three are 11, 12, 13, where they were 10, 12, 13.
    rows = made_rows(("a", 0, 10.0, 0), ("a", 1, 11.0, 5), ("a", 2, 12.0, 2), ("a", 3, 13.0, 3))
    moments = made_moments(("a", 0), ("a", 3), ("a", 4), ("a", 5))

    assert seen(look_up(rows, moments, length=2)) == [[None, 10], [12, 13], [12, 13], [12, 13]]
    found = look_up(rows, moments, length=3)
    assert seen(found) == [[None, None, 10], [10, 12, 13], [10, 12, 13], [11, 12, 13]]
    assert found.known.tolist() == [1, 3, 3, 3]
    assert found.ds.tolist() == [
        [NEVER, NEVER, micro(0)],
        [micro(0), micro(2), micro(3)],
        [micro(0), micro(2), micro(3)],
        [micro(1), micro(2), micro(3)],
    ]


def test_a_revision_takes_the_place_of_what_it_revises_from_its_own_arrival_on() -> None:
    # The point of 0 h is 10, from 4 h on 20, from 6 h on nothing (a known gap), from 8 h on 30. 1 h is 11 all along.
    # So the last two are, at 3 h: 10, 11; at 4 h and 5 h: 20, 11; at 7 h: gap, 11; at 8 h: 30, 11.
    rows = made_rows(("a", 0, 10.0, 0), ("a", 1, 11.0, 1), ("a", 0, 20.0, 4), ("a", 0, None, 6), ("a", 0, 30.0, 8))
    found = look_up(rows, made_moments(*[("a", at) for at in (3, 4, 5, 7, 8)]), length=2)

    assert seen(found) == [[10, 11], [20, 11], [20, 11], [None, 11], [30, 11]]
    assert found.known.tolist() == [2] * 5
    assert found.ds.tolist() == [[micro(0), micro(1)]] * 5


def test_of_versions_that_became_available_at_once_the_later_row_counts() -> None:
    rows = made_rows(("a", 0, 1.0, 2), ("a", 0, 2.0, 2), ("a", 0, 3.0, 2), ("a", 0, 9.0, 1))
    assert seen(look_up(rows, made_moments(("a", 1), ("a", 2)), length=1)) == [[9], [3]]
    assert seen(look_up(rows[::-1], made_moments(("a", 2)), length=1)) == [[1]]


def test_before_everything_and_for_an_unknown_series_nothing_is_known() -> None:
    rows = made_rows(("b", 3, 1.0, 3), ("b", 4, 2.0, 4), ("d", 0, 7.0, 0))
    found = look_up(rows, made_moments(("b", 2), ("a", 9), ("c", 9), ("e", 9), ("b", 3)), length=2)

    assert found.known.tolist() == [0, 0, 0, 0, 1]
    assert seen(found) == [[None, None]] * 4 + [[None, 1]]
    assert (found.ds[:4] == NEVER).all()


def test_a_series_that_ends_where_the_next_begins_is_another_one() -> None:
    rows = made_rows(("a", 0, 1.0, 0), ("a", 1, 2.0, 1), ("b", 1, 3.0, 1), ("c", 1, 4.0, 2))
    found = look_up(rows, made_moments(("a", 2), ("b", 2), ("c", 2), ("c", 1)), length=2)

    assert seen(found) == [[1, 2], [None, 3], [None, 4], [None, None]]


def test_moments_are_answered_in_their_own_order_and_as_often_as_they_are_asked() -> None:
    rows = made_rows(("b", 0, 1.0, 0), ("a", 0, 5.0, 0), ("b", 1, 2.0, 1), ("a", 1, 6.0, 1))
    moments = made_moments(("b", 1), ("a", 0), ("b", 0), ("a", 1), ("b", 1))
    found = look_up(rows, moments, length=1)

    assert seen(found) == [[2], [5], [1], [6], [2]]
    assert found.unique_id.to_list() == ["b", "a", "b", "a", "b"]
    assert found.at.equals(moments["at"])


def test_a_value_known_ahead_of_its_time_is_part_of_the_sequence() -> None:
    rows = made_rows(("a", 5, 50.0, 0), ("a", 1, 10.0, 1))
    assert seen(look_up(rows, made_moments(("a", 0), ("a", 1)), length=2)) == [[None, 50], [10, 50]]


def test_value_columns_stand_beside_each_other() -> None:
    rows = made_rows(("a", 1, 2.0, 1), ("a", 0, 1.0, 0)).with_columns(
        price=pl.Series([7, None], dtype=pl.Int32), alert=pl.Series([True, False]), source=pl.lit("x")
    )
    found = look_up(rows, made_moments(("a", 1), ("a", 0)), length=2, columns=("y", "price", "alert"))

    assert list(found.values) == ["y", "price", "alert"]
    assert seen(found) == [[1, 2], [None, 1]]
    assert seen(found, "price") == [[None, 7], [None, None]]
    assert seen(found, "alert") == [[0, 1], [None, 0]]


def test_without_rows_nothing_is_known_and_without_moments_nothing_is_asked() -> None:
    nothing = look_up(made_rows(), made_moments(("a", 1)), length=3)
    assert seen(nothing) == [[None] * 3]
    assert nothing.known.tolist() == [0]
    unasked = look_up(made_rows(("a", 0, 1.0, 0)), made_moments(), length=3)
    assert unasked.ds.shape == unasked.values["y"].shape == (0, 3)
    assert [str(part.dtype) for part in (unasked.ds, unasked.values["y"], unasked.known)] == [
        "int64",
        "float64",
        "int64",
    ]
    assert look_up(made_rows(), made_moments(), length=1).known.tolist() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drop": "available_at"}, r"column 'available_at' is missing; the frame has unique_id, ds, y\. Rename"),
        ({"drop": "y"}, r"column 'y' is missing; the frame has unique_id, ds, available_at\. Rename"),
        (
            {"ds": pl.col("ds").dt.replace_time_zone(None)},
            r"column 'ds' has type Datetime\(.*\), expected .*UTC.* Cast",
        ),
        ({"available_at": pl.lit(1)}, "column 'available_at' has type Int32, expected Datetime.* Cast it first"),
        ({"unique_id": pl.lit(1)}, "column 'unique_id' has type Int32, expected String. Cast it first"),
        ({"y": pl.lit("x")}, "column 'y' has type String, expected Float64. Cast it first"),
        (
            {"unique_id": pl.lit(None, pl.String)},
            r"column 'unique_id' is null in row 0\. Fill it, or drop",
        ),
        ({"ds": pl.when(pl.col("y") > 1).then(None).otherwise("ds")}, "column 'ds' is null in row 1"),
        ({"available_at": pl.when(pl.col("y") > 1).then(None).otherwise("ds")}, "'available_at' is null in row 1"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(change: dict[str, object], said: str) -> None:
    rows = made_rows(("a", 0, 1.0, 0), ("a", 1, 2.0, 1))
    broken = rows.drop(change["drop"]) if "drop" in change else rows.with_columns(**change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        look_up(broken, made_moments(("a", 1)), length=1)


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        (pl.DataFrame({"unique_id": ["a"]}), r"column 'at' is missing; the frame has unique_id\. Rename"),
        (
            pl.DataFrame({"unique_id": ["a"], "at": [1]}),
            "column 'at' has type Int64, expected Datetime.* Cast it",
        ),
        (pl.DataFrame({"unique_id": [1], "at": [START]}), "column 'unique_id' has type Int64, expected String"),
        (pl.DataFrame({"unique_id": ["a"], "at": [None]}, schema=MOMENTS), "column 'at' is null in row 0"),
        (pl.DataFrame({"unique_id": [None], "at": [START]}, schema=MOMENTS), "column 'unique_id' is null in row 0"),
    ],
)
def test_moments_that_cannot_be_used_are_refused(moments: pl.DataFrame, said: str) -> None:
    rows = made_rows(("a", 0, 1.0, 0))
    with pytest.raises(InputError, match=said):
        look_up(rows, moments, length=1)
    with pytest.raises(InputError, match=said):
        blocks(History.of(rows), moments, length=1)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ((), r"columns must list one value column or more, got \(\)\. Give columns=\('y',\)"),
        ("y", "columns must list one value column or more, got 'y'"),
        (("source",), "column 'source' has type String, expected numbers. Cast it or leave it out"),
        (("ds",), "column 'ds' has type Datetime.*, expected numbers"),
        (("price",), "column 'price' is missing"),
    ],
)
def test_columns_without_numbers_are_refused(columns: Sequence[str], said: str) -> None:
    rows = made_rows(("a", 0, 1.0, 0)).with_columns(source=pl.lit("x"))
    with pytest.raises(InputError, match=said):
        look_up(rows, made_moments(("a", 1)), length=1, columns=columns)


@pytest.mark.parametrize("length", [0, -3])
def test_a_sequence_has_one_point_at_least(length: int) -> None:
    said = f"length must be at least 1 point, got {length}"
    with pytest.raises(InputError, match=said):
        look_up(made_rows(), made_moments(), length=length)
    with pytest.raises(InputError, match=said):
        blocks(History.of(made_rows()), made_moments(), length=length)


ids = st.sampled_from(["a", "b", "c"])
values = st.none() | st.integers(0, 99).map(float)
any_rows = st.lists(st.tuples(ids, st.integers(0, 8), values, st.integers(0, 10)), max_size=40)
any_moments = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "z"]), st.integers(-1, 11)), max_size=8)
lengths = st.integers(1, 6)


def by_hand(rows: Sequence[Row], moment: Moment, length: int) -> list[tuple[int, float | None]]:
    """Replay what arrived, in the order of arrival, and read the last points off."""
    name, at = moment
    arrived = sorted((row for row in rows if row[0] == name and row[3] <= at), key=lambda row: row[3])
    points = {ds: y for _, ds, y, _ in arrived}
    return sorted(points.items())[-length:]


def check_look_up(look: LookUp, rows: Sequence[Row], moments: Sequence[Moment], length: int) -> None:
    found = look(made_rows(*rows), made_moments(*moments), length)
    for number, moment in enumerate(moments):
        wanted = by_hand(rows, moment, length)
        padding = length - len(wanted)
        assert found.known[number] == len(wanted)
        assert found.ds[number].tolist() == [NEVER] * padding + [micro(ds) for ds, _ in wanted]
        assert seen(found)[number] == [None] * padding + [y for _, y in wanted]


def point_in_time(rows: pl.DataFrame, moments: pl.DataFrame, length: int) -> Sequences:
    return look_up(rows, moments, length=length)


@given(any_rows, any_moments, lengths)
def test_every_look_up_gives_the_newest_that_was_known_and_nothing_else(
    rows: list[Row], moments: list[Moment], length: int
) -> None:
    check_look_up(point_in_time, rows, moments, length)


@given(any_rows, any_moments, lengths)
def test_no_value_is_seen_before_its_available_at(rows: list[Row], moments: list[Moment], length: int) -> None:
    # Every value is made to say when it became available.
    telling = [(name, ds, float(known), known) for name, ds, _, known in rows]
    found = look_up(made_rows(*telling), made_moments(*moments), length=length)
    for row, (_, at) in zip(found.values["y"], moments, strict=True):
        assert (row[~np.isnan(row)] <= at).all()


@given(any_rows, any_moments, lengths, st.randoms(use_true_random=False))
def test_the_order_of_rows_says_nothing_where_versions_arrive_apart(
    rows: list[Row], moments: list[Moment], length: int, random: Random
) -> None:
    apart = list({(name, ds, known): (name, ds, y, known) for name, ds, y, known in rows}.values())
    shuffled = list(apart)
    random.shuffle(shuffled)
    asked = made_moments(*moments)
    same(look_up(made_rows(*apart), asked, length=length), look_up(made_rows(*shuffled), asked, length=length))


def test_a_sequence_ends_where_it_is_told_to() -> None:
    # The point of 1 h arrives at 5 h. What ends at 2 h is, as of 5 h: 10, 11, 12; as of 4 h: 10, 12.
    rows = made_rows(("a", 0, 10.0, 0), ("a", 1, 11.0, 5), ("a", 2, 12.0, 2), ("a", 3, 13.0, 3))
    moments = made_moments(("a", 5), ("a", 4), ("a", 5), ("z", 5)).with_columns(
        until=pl.Series([hour(2), hour(2), hour(-1), hour(2)], dtype=TIME)
    )
    assert seen(look_up(rows, moments, length=3)) == [[10, 11, 12], [None, 10, 12], [None] * 3, [None] * 3]


@given(any_rows, any_moments, lengths, st.integers(-1, 9))
def test_points_behind_the_end_that_is_told_might_as_well_not_be_there(
    rows: list[Row], moments: list[Moment], length: int, end: int
) -> None:
    before, asked = [row for row in rows if row[1] <= end], made_moments(*moments)
    ended = asked.with_columns(until=pl.lit(hour(end), TIME))
    same(look_up(made_rows(*rows), ended, length=length), look_up(made_rows(*before), asked, length=length))


def joined_on_ds(rows: pl.DataFrame, moments: pl.DataFrame, length: int) -> Sequences:
    return look_up(rows.with_columns(available_at="ds"), moments, length=length)


def newest_version_whenever(rows: pl.DataFrame, moments: pl.DataFrame, length: int) -> Sequences:
    newest = pl.col("y").sort_by("available_at").last()
    first = rows.group_by("unique_id", "ds").agg(pl.col("available_at").min(), newest)
    return look_up(first, moments, length=length)


@pytest.mark.parametrize("leak", [joined_on_ds, newest_version_whenever])
def test_a_leak_is_found(leak: LookUp) -> None:
    @settings(report_multiple_bugs=False, phases=[Phase.generate], database=None)
    @given(any_rows, any_moments, lengths)
    def searching(rows: list[Row], moments: list[Moment], length: int) -> None:
        check_look_up(leak, rows, moments, length)

    with pytest.raises(AssertionError):
        searching()


def same(found: Sequences, wanted: Sequences) -> None:
    np.testing.assert_array_equal(found.ds, wanted.ds)
    np.testing.assert_array_equal(found.known, wanted.known)
    for name, column in wanted.values.items():
        np.testing.assert_array_equal(found.values[name], column)


@given(any_rows, any_moments, lengths, st.integers(1, 20))
def test_blocks_give_the_same_as_the_whole(rows: list[Row], moments: list[Moment], length: int, points: int) -> None:
    table, asked = made_rows(*rows), made_moments(*moments)
    whole = look_up(table, asked, length=length)
    parts = list(blocks(History.of(table), asked, length=length, points=points))

    per_block = max(points // length, 1)
    assert [len(part.known) for part in parts[:-1]] == [per_block] * (len(parts) - 1)
    assert sum(len(part.known) for part in parts) == len(moments)
    low = 0
    for part in parts:
        high = low + len(part.known)
        assert part.unique_id.to_list() == asked["unique_id"][low:high].to_list()
        assert part.at.equals(asked["at"][low:high])
        same(part, Sequences(part.unique_id, part.at, whole.ds[low:high], {"y": whole.values["y"][low:high]},
                             whole.known[low:high]))  # fmt: skip
        low = high


@given(any_rows, any_moments, lengths)
def test_small_stretches_give_the_same(rows: list[Row], moments: list[Moment], length: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "BLOCK_POINTS", 1)
        patch.setattr(histories, "SORTED_AT_ONCE", 1)
        check_look_up(point_in_time, rows, moments, length)


few = st.lists(st.tuples(ids, st.integers(0, 19), st.integers(1, 6)), max_size=3)


@given(few, few, st.lists(st.tuples(ids, st.integers(-1, 26)), max_size=12), lengths, st.sampled_from([1, 2**16]))
def test_stretches_that_came_in_order_and_others_are_answered_side_by_side(
    late: list[tuple[str, int, int]], revised: list[tuple[str, int, int]], moments: list[Moment], length: int, step: int
) -> None:
    delays = {(name, ds): delay for name, ds, delay in late}
    rows: list[Row] = [(name, ds, float(ds), ds + delays.get((name, ds), 0)) for name in "abc" for ds in range(20)]
    rows += [(name, ds, -1.0, ds + 6 + delay) for name, ds, delay in revised]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histories, "SORTED_AT_ONCE", step)
        check_look_up(point_in_time, rows, moments, length)


def big_rows(rng: np.random.Generator, series: int, points: int) -> pl.DataFrame:
    ds = np.tile(np.arange(points), series)
    known = ds + np.where(rng.random(len(ds)) < 0.1, rng.integers(0, 2 * points, len(ds)), 0)
    names = np.repeat([f"s{number}" for number in range(series)], points)
    first = pl.DataFrame({"unique_id": names, "ds": ds, "y": rng.normal(size=len(ds)), "available_at": known})
    again = first.sample(fraction=0.3, seed=1).with_columns(
        pl.col("y") + 1, available_at=pl.col("available_at") + rng.integers(0, 50, round(len(ds) * 0.3))
    )
    instants = [(pl.col(name) * 3_600_000_000).cast(TIME) for name in ("ds", "available_at")]
    return pl.concat([first, again]).sample(fraction=1.0, shuffle=True, seed=2).with_columns(instants)


def test_long_series_that_are_late_and_revised_agree_with_a_filter_in_polars() -> None:
    rng = np.random.default_rng(3)
    rows = big_rows(rng, 7, 600)
    moments = pl.DataFrame({
        "unique_id": [f"s{number}" for number in rng.integers(0, 8, 60)],
        "at": pl.Series(rng.integers(-5, 1300, 60) * 3_600_000_000).cast(TIME),
    })  # fmt: skip
    found = look_up(rows, moments, length=48)
    for number, (name, at) in enumerate(moments.iter_rows()):
        arrived = rows.filter((pl.col("unique_id") == name) & (pl.col("available_at") <= at))
        newest = arrived.sort("available_at", maintain_order=True).unique("ds", keep="last").sort("ds").tail(48)
        assert found.known[number] == newest.height
        np.testing.assert_array_equal(found.values["y"][number, 48 - newest.height :], newest["y"])


def test_a_long_hole_is_passed_over() -> None:
    # 5,000 points, of which those from 10 to 4,989 arrive at the very end: until then the ten before them count.
    rows = made_rows(*[("a", ds, float(ds), 9_000 if 10 <= ds < 4_990 else ds) for ds in range(5_000)])
    found = look_up(rows, made_moments(("a", 5_000), ("a", 9_000)), length=15)

    assert found.values["y"][0].tolist() == [5, 6, 7, 8, 9, *range(4_990, 5_000)]
    assert found.values["y"][1].tolist() == list(range(4_985, 5_000))


def test_sorted_rows_are_not_copied_and_rows_are_never_changed() -> None:
    rows = made_rows(("a", 0, 1.0, 9), ("a", 1, 2.0, 1), ("b", 0, 3.0, 0))
    history = History.of(rows)
    assert np.shares_memory(history.ds, rows["ds"].to_physical().to_numpy())
    assert np.shares_memory(history.values["y"], rows["y"].to_numpy())
    assert history.reach.tolist() == [micro(1), micro(1), micro(0)]
    assert rows.equals(made_rows(("a", 0, 1.0, 9), ("a", 1, 2.0, 1), ("b", 0, 3.0, 0)))
