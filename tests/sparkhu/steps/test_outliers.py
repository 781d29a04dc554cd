"""Outliers by Tukey's fences."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.outliers import check_outliers, flag_iqr, flag_outliers, sample_quartiles

START = datetime(2024, 1, 1, tzinfo=UTC)
VALUES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 30.0]


def series(values: list[float | None], name: str = "a") -> pl.DataFrame:
    ds = [START + timedelta(hours=i) for i in range(len(values))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def quartiles(q1: float | None, q3: float | None, name: str = "a") -> pl.DataFrame:
    schema = {"unique_id": pl.String, "q1": pl.Float64, "q3": pl.Float64}
    return pl.DataFrame({"unique_id": [name], "q1": [q1], "q3": [q3]}, schema=schema)


def test_hand_worked_one_spike() -> None:
    # Sorted values have positions 0…8: q1 at 0.25·8 = 2 → 3, q3 at 6 → 7, IQR 4.
    # Fences 3 − 1.5·4 = −3 and 7 + 1.5·4 = 13: only 30 lies outside.
    frame = series(VALUES)
    assert sample_quartiles(frame).rows() == [("a", 3.0, 7.0)]
    flagged = flag_iqr(frame, sample_quartiles(frame))
    assert flagged["is_outlier"].to_list() == [False] * 8 + [True]


def test_hand_worked_quartiles_between_two_values() -> None:
    # Four values: q1 at position 0.75 → 10 + 0.75·(20 − 10) = 17.5, q3 at 2.25 → 30 + 0.25·10 = 32.5.
    assert sample_quartiles(series([40.0, 10.0, 30.0, 20.0])).rows() == [("a", 17.5, 32.5)]


def test_a_value_on_the_fence_is_no_outlier() -> None:
    # q1 = 0, q3 = 2, width 1.5: fences −3 and 5.
    frame = series([-3.0, 5.0, float(np.nextafter(-3.0, -9.0)), float(np.nextafter(5.0, 9.0))])
    assert flag_iqr(frame, quartiles(0.0, 2.0))["is_outlier"].to_list() == [False, False, True, True]


def test_width_widens_the_fences() -> None:
    assert flag_iqr(series([5.5, 8.5]), quartiles(0.0, 2.0), width=3)["is_outlier"].to_list() == [False, True]


def test_width_of_zero_puts_the_fences_on_the_quartiles() -> None:
    flagged = flag_iqr(series([0.0, 2.0, 2.1, -0.1]), quartiles(0.0, 2.0), width=0)
    assert flagged["is_outlier"].to_list() == [False, False, True, True]


def test_equal_quartiles_leave_every_other_value_outside() -> None:
    flagged = flag_iqr(series([4.0, 4.0, 4.1, 3.9]), quartiles(4.0, 4.0))
    assert flagged["is_outlier"].to_list() == [False, False, True, True]


def test_a_null_is_no_outlier() -> None:
    flagged = flag_iqr(series([None, 99.0]), quartiles(0.0, 1.0))
    assert flagged["is_outlier"].to_list() == [False, True]
    assert flagged["y_raw"].to_list() == [None, 99.0]


@pytest.mark.parametrize("table", [quartiles(None, None), quartiles(0.0, None), quartiles(0.0, 1.0, "other")])
def test_without_quartiles_nothing_is_an_outlier(table: pl.DataFrame) -> None:
    assert flag_iqr(series(VALUES), table)["is_outlier"].to_list() == [False] * 9


@pytest.mark.parametrize(
    ("action", "y", "needs_fill"),
    [("flag", 30.0, True), ("flag_only", 30.0, False), ("null", None, True), ("clip", 13.0, False)],
)
def test_each_action_does_its_own_to_an_outlier(action: str, y: float | None, needs_fill: bool) -> None:
    flagged = flag_iqr(series(VALUES), quartiles(3.0, 7.0), action=action)  # type: ignore[arg-type]
    assert flagged["y"].to_list() == [*VALUES[:8], y]
    assert flagged["y_raw"].to_list() == VALUES
    assert flagged["needs_fill"].to_list() == [False] * 8 + [needs_fill]
    assert flagged["is_outlier"].to_list() == [False] * 8 + [True]


def test_clip_takes_the_nearer_fence() -> None:
    clipped = flag_iqr(series([-50.0, 50.0]), quartiles(0.0, 2.0), action="clip")
    assert clipped["y"].to_list() == [-3.0, 5.0]


@pytest.mark.parametrize("action", ["flag", "flag_only", "null", "clip"])
def test_a_second_pass_changes_nothing(action: str) -> None:
    once = flag_iqr(series(VALUES), quartiles(3.0, 7.0), action=action)  # type: ignore[arg-type]
    assert flag_iqr(once, quartiles(3.0, 7.0), action=action).equals(once)  # type: ignore[arg-type]


def test_quartiles_come_from_the_half_open_sample_interval() -> None:
    frame = series([0.0, 10.0, 20.0, 1000.0])
    sample = sample_quartiles(frame, start=START + timedelta(hours=1), end=START + timedelta(hours=3))
    assert sample.rows() == [("a", 12.5, 17.5)]


def test_quartiles_of_an_empty_sample_are_null() -> None:
    assert sample_quartiles(series(VALUES), end=START).rows() == [("a", None, None)]


def test_every_series_has_its_own_fences() -> None:
    frame = pl.concat([series([1.0, 2.0, 3.0, 50.0]), series([100.0, 200.0, 300.0, 50.0], "b")])
    table = pl.concat([quartiles(1.0, 3.0), quartiles(100.0, 300.0, "b")])
    assert flag_iqr(frame, table)["is_outlier"].to_list() == [False, False, False, True] + [False] * 4


def test_a_pandas_frame_with_pandas_quartiles_gives_a_pandas_frame() -> None:
    frame = series(VALUES).to_pandas()
    flagged = flag_iqr(frame, sample_quartiles(frame))
    assert isinstance(flagged, pd.DataFrame)
    assert flagged["is_outlier"].tolist() == [False] * 8 + [True]


@given(st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=40), st.floats(0, 4))
def test_flags_agree_with_pandas(values: list[float | None], width: float) -> None:
    frame = series(values)
    flagged = flag_iqr(frame, sample_quartiles(frame), width=width)
    reference = pd.Series(values, dtype=float)
    q1, q3 = reference.quantile(0.25), reference.quantile(0.75)
    outside = (reference < q1 - width * (q3 - q1)) | (reference > q3 + width * (q3 - q1))
    near = np.isclose(reference, q1 - width * (q3 - q1)) | np.isclose(reference, q3 + width * (q3 - q1))
    assert ((flagged["is_outlier"].to_numpy() == outside) | near).all()


@given(st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=30), st.sampled_from(["flag", "null", "clip"]))
def test_flags_explain_every_changed_value(values: list[float | None], action: str) -> None:
    flagged = flag_iqr(series(values), quartiles(-1.0, 1.0), action=action)  # type: ignore[arg-type]
    changed = flagged.filter(pl.col("y").ne_missing(pl.col("y_raw")))
    assert changed["is_outlier"].all()
    assert flagged["y_raw"].to_list() == values


@pytest.mark.parametrize("width", [-0.1, float("nan"), float("inf")])
def test_an_unusable_width_is_refused(width: float) -> None:
    with pytest.raises(InputError, match=rf"width must be a number of interquartile ranges, 0 or more, got {width}\."):
        check_outliers(width=width, action="flag")
    with pytest.raises(InputError, match="width"):
        flag_iqr(series(VALUES), quartiles(3.0, 7.0), width=width)


def test_what_is_no_number_is_refused_as_a_parameter() -> None:
    with pytest.raises(InputError, match="width must be a number of interquartile ranges, 0 or more, got None"):
        flag_iqr(series(VALUES), quartiles(3.0, 7.0), width=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="max_share must be a share from 0 to 1, got half"):
        check_outliers(width=1.5, action="flag", max_share="half")  # type: ignore[arg-type]


def test_quartiles_that_are_no_numbers_are_refused() -> None:
    text = quartiles(3.0, 7.0).with_columns(pl.col("q1").cast(pl.String))
    with pytest.raises(InputError, match="column 'q1' has type String, expected numbers"):
        flag_iqr(series(VALUES), text)
    with pytest.raises(InputError, match="column 'q3' holds NaN, first in row 0; a missing value is null"):
        flag_iqr(series(VALUES), quartiles(3.0, float("nan")))


def test_quartiles_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(InputError, match=r"^q1 must not lie above q3, got q1 7\.0 and q3 3\.0 for series 'a'"):
        flag_iqr(series(VALUES), quartiles(7.0, 3.0))


def test_nan_is_no_observed_value() -> None:
    for call in (sample_quartiles, lambda frame: flag_iqr(frame, quartiles(3.0, 7.0))):
        with pytest.raises(InputError, match="column 'y' holds NaN, first in row 1"):
            call(series([1.0, float("nan")]))  # type: ignore[operator]
    with pytest.raises(InputError, match="column 'y_raw' holds NaN"):
        flag_iqr(series([1.0]).with_columns(y_raw=pl.lit(float("nan"))), quartiles(3.0, 7.0))


@pytest.mark.parametrize("hours", [0, 1])
def test_a_sample_that_ends_before_it_starts_is_refused(hours: int) -> None:
    start = START + timedelta(hours=hours)
    with pytest.raises(InputError, match=r"^end must lie after start, got start 2024.* and end 2024"):
        sample_quartiles(series(VALUES), start=start, end=START)


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(InputError, match=r"^action must be one of flag, flag_only, null, clip, got 'drop'\.$"):
        check_outliers(width=1.5, action="drop")


def test_quartiles_that_hold_a_series_twice_are_refused() -> None:
    with pytest.raises(InputError, match="unique_id 'a' more than once"):
        flag_iqr(series(VALUES), pl.concat([quartiles(3.0, 7.0)] * 2))


def stats(*rows: tuple[str, float | None, float | None]) -> pl.DataFrame:
    schema = {"unique_id": pl.String, "fit_q1": pl.Float64, "fit_q3": pl.Float64}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def test_the_step_gives_a_layer_aligned_with_the_rows_and_counts_outliers() -> None:
    frame = pl.concat([series(VALUES), series([4.0, 4.0, 5.0], "b"), series([1.0], "c")])
    result = flag_outliers(frame, stats(("b", 4.0, 4.0), ("a", 3.0, 7.0), ("c", None, None)), action="null")
    flags = result.frames["flags"]
    assert flags.columns == ["y", "y_raw", "available_at", "observed_available_at", "is_outlier", "needs_fill"]
    assert flags["y"].to_list() == [*VALUES[:8], None, 4.0, 4.0, None, 1.0]
    assert result.ledger.rows() == [
        ("a", "ok", None, '{"outliers":1,"kept":0,"equal_quartiles":0}'),
        ("b", "ok", None, '{"outliers":1,"kept":0,"equal_quartiles":1}'),
        (
            "c",
            "skipped",
            "no quartiles: the training part, or the interval from sample_start to sample_end given for it, is empty",
            '{"outliers":0,"kept":0,"equal_quartiles":0}',
        ),
    ]


def test_the_step_flags_by_default_at_one_and_a_half_ranges() -> None:
    result = flag_outliers(series([13.0, 13.1]), stats(("a", 3.0, 7.0)))
    flags = result.frames["flags"].drop("available_at", "observed_available_at")
    assert flags.rows() == [(13.0, 13.0, False, False), (13.1, 13.1, True, True)]


def test_a_series_without_stats_is_skipped() -> None:
    result = flag_outliers(series(VALUES), stats(("z", 0.0, 1.0)))
    assert result.ledger["status"].to_list() == ["skipped"]


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    result = flag_outliers(series([]), stats())
    assert result.frames["flags"].schema == {
        "y": pl.Float64,
        "y_raw": pl.Float64,
        "available_at": TIME,
        "observed_available_at": TIME,
        "is_outlier": pl.Boolean,
        "needs_fill": pl.Boolean,
    }
    assert result.ledger.height == 0


def test_the_step_refuses_stats_without_fitted_quartiles() -> None:
    with pytest.raises(InputError, match="column 'fit_q1' is missing"):
        flag_outliers(series(VALUES), quartiles(1.0, 2.0))


def test_shard_composition_does_not_matter() -> None:
    rng = np.random.default_rng(7)
    parts = [series(rng.normal(size=20).tolist(), name) for name in "abc"]
    table = stats(*[(name, -0.5, 0.5) for name in "abc"])
    whole = flag_outliers(pl.concat(parts), table)
    alone = [flag_outliers(part, table) for part in parts]
    assert whole.frames["flags"].equals(pl.concat([one.frames["flags"] for one in alone]))
    assert [json.loads(c) for c in whole.ledger["counts"]] == [json.loads(one.ledger["counts"][0]) for one in alone]


def fitted(until: int, q1: float = 3.0, q3: float = 7.0) -> pl.DataFrame:
    """Statistics of a training part of `until` rows; fences at 3 − 6 = −3 and 7 + 6 = 13."""
    return stats(("a", q1, q3)).with_columns(fit_until=pl.lit(START + timedelta(hours=until)).dt.cast_time_unit("us"))


def test_a_series_that_leaves_its_fences_for_good_keeps_its_newest_points() -> None:
    # 20 points in training, then 10 beyond the fence at 13. With a share of 0.1 the k-th of them is changed while
    # k ≤ 1 + 0.1·(20 + k), that is k ≤ 3.33: three count as missing, seven are flagged and kept.
    frame = series([5.0] * 20 + [20.0] * 10)
    result = flag_outliers(frame, fitted(20), max_share=0.1)
    flags = result.frames["flags"]
    assert flags["is_outlier"].to_list() == [False] * 20 + [True] * 10
    assert flags["needs_fill"].to_list() == [False] * 20 + [True] * 3 + [False] * 7
    assert result.ledger.rows() == [
        (
            "a",
            "ok",
            "10 of 30 points lie beyond the fences, more than a share of 0.1: 7 of them are flagged and kept",
            '{"outliers":10,"kept":7,"equal_quartiles":0}',
        )
    ]


@pytest.mark.parametrize(("action", "changed"), [("null", None), ("clip", 13.0)])
def test_what_is_kept_is_neither_removed_nor_clipped(action: str, changed: float | None) -> None:
    frame = series([5.0] * 20 + [20.0] * 10)
    flags = flag_outliers(frame, fitted(20), action=action, max_share=0.1).frames["flags"]
    assert flags["y"].to_list() == [5.0] * 20 + [changed] * 3 + [20.0] * 7
    assert flags["y_raw"].to_list() == [5.0] * 20 + [20.0] * 10


def test_the_training_part_is_judged_as_a_whole() -> None:
    # 4 of 20 lie outside, more than 1 + 0.1·20 = 3: all four are kept; 3 of 20 are not more than 3: all are changed.
    for count, filled in ((4, 0), (3, 3)):
        frame = series([20.0] * count + [5.0] * (20 - count) + [5.0] * 5)
        flags = flag_outliers(frame, fitted(20), max_share=0.1).frames["flags"]
        assert (flags["is_outlier"].sum(), flags["needs_fill"].sum()) == (count, filled)


def test_nulls_are_no_points_of_the_share() -> None:
    # 4 known points of 12 in training: 2 outliers are more than 1 + 0.2·4 = 1.8, with the nulls they would not be.
    frame = series([20.0, 20.0, 5.0, 5.0, *[None] * 8])
    assert flag_outliers(frame, fitted(12), max_share=0.2).frames["flags"]["needs_fill"].sum() == 0


@given(st.lists(st.sampled_from([5.0, 20.0, None]), min_size=12, max_size=40), st.integers(10, 39))
def test_no_mark_behind_training_depends_on_later_points(values: list[float | None], cut: int) -> None:
    frame = series(values)
    whole = flag_outliers(frame, fitted(10), max_share=0.1).frames["flags"]
    early = flag_outliers(frame.head(cut), fitted(10), max_share=0.1).frames["flags"]
    assert whole.head(cut).equals(early)


def test_a_clipped_value_is_known_when_the_training_part_was() -> None:
    # Training ends before hour 10. Its latest row is that of hour 4, known at hour 12; fences −3 and 13. The 20 at
    # hour 1 is clipped and known at 12 then, that of hour 11 too, that of hour 14 at its own time.
    values = [5.0] * 20
    values[1] = values[11] = values[14] = 20.0
    own = [START + timedelta(hours=12 if hour == 4 else hour) for hour in range(20)]
    frame = series(values).with_columns(available_at=pl.Series(own).cast(TIME))  # type: ignore[arg-type]
    flags = flag_outliers(frame, fitted(10), action="clip", max_share=0.2).frames["flags"]
    assert [values[i] != y for i, y in enumerate(flags["y"])] == [hour in {1, 11, 14} for hour in range(20)]
    known = [START + timedelta(hours=12 if hour in {1, 4, 11} else hour) for hour in range(20)]
    assert flags["available_at"].to_list() == known


@pytest.mark.parametrize("action", ["flag", "flag_only", "null"])
def test_what_is_not_clipped_keeps_the_time_it_was_known(action: str) -> None:
    frame = series([20.0, *[5.0] * 19])
    flags = flag_outliers(frame, fitted(10), action=action).frames["flags"]  # type: ignore[arg-type]
    assert flags["available_at"].equals(frame["available_at"])
    kept = flag_outliers(series([20.0] * 5 + [5.0] * 15), fitted(10), action="clip").frames["flags"]
    assert kept["available_at"].equals(frame["available_at"])


def test_no_series_lends_another_its_training_part() -> None:
    frame = pl.concat([series([20.0, *[5.0] * 19]), series([20.0, *[5.0] * 29], "b")])
    flags = flag_outliers(frame, stats(("a", 3.0, 7.0), ("b", 3.0, 7.0)), action="clip").frames["flags"]
    assert [flags["available_at"][row] for row in (0, 20)] == [START + timedelta(hours=h) for h in (19, 29)]


def test_series_do_not_share_their_shares() -> None:
    drifting, calm = series([20.0] * 10), series([5.0] * 9 + [20.0], "b")
    flags = flag_outliers(pl.concat([drifting, calm]), stats(("a", 3.0, 7.0), ("b", 3.0, 7.0))).frames["flags"]
    assert flags["needs_fill"].to_list() == [False] * 19 + [True]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=rf"^max_share must be a share from 0 to 1, got {share}\. Usual is 0\.05\.$"):
        check_outliers(width=1.5, action="flag", max_share=share)


def test_the_limits_of_a_sample_are_instants_in_any_zone() -> None:
    # 02:00 in Berlin's winter is 01:00 UTC: the sample [01:00, 03:00) UTC holds the second and third value.
    berlin = ZoneInfo("Europe/Berlin")
    frame = series([1.0, 2.0, 4.0, 100.0])
    found = sample_quartiles(
        frame, start=datetime(2024, 1, 1, 2, tzinfo=berlin), end=datetime(2024, 1, 1, 4, tzinfo=berlin)
    )
    assert found.rows() == [("a", 2.5, 3.5)]


def moved(level: float | None, points: int = 40) -> pl.DataFrame:
    return fitted(20).with_columns(fit_level=pl.lit(level, dtype=pl.Float64), fit_points=pl.lit(points))


@pytest.mark.parametrize(
    ("level", "points", "changed"),
    [(3.0, 5, 1), (7.0, 5, 1), (5.0, 4, 0), (2.9, 40, 0), (7.1, 40, 0), (5.0, 40, 1)],
)
def test_nothing_is_done_to_a_series_that_has_moved_by_the_end_of_training(
    level: float, points: int, changed: int
) -> None:
    # Quartiles 3 and 7: a newest level outside them, or fewer than five values, says that the fences mislead.
    frame = series([*[5.0] * 20, 20.0, 5.0])
    flags = flag_outliers(frame, moved(level, points)).frames["flags"]
    assert (flags["is_outlier"].sum(), flags["needs_fill"].sum()) == (1, changed)


def test_a_share_of_one_does_it_to_all_outliers() -> None:
    frame = series([5.0] * 20 + [20.0] * 10)
    assert flag_outliers(frame, moved(9.0), max_share=1.0).frames["flags"]["needs_fill"].sum() == 10
