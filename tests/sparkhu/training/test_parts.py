from collections.abc import Callable
from datetime import timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.frame import TIME
from sparkhu.steps.filling import fill_last, fill_linear, fill_next
from sparkhu.training.gram import gram_shard
from sparkhu.training.parts import CALIBRATE, CHOOSE, OTHER, TEST, TRAIN, Late
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import hours, laid_out, made_shard, profile_of, sequences_of, shard_of


def parts(**shard: object) -> list[str]:
    made = made_shard("a", **shard)  # type: ignore[arg-type]
    return assemble(*made).table["part"].to_list()


def test_worked_by_hand() -> None:
    # 14 points, L = 2, H = 1: the window from row s has its target at s + 2. Borders 6, 10, 13; the middle of
    # validation is 8. Targets 2..5 train, 6 and 7 choose, 8 and 9 calibrate, 10..12 test, 13 is behind the test part.
    wanted = [TRAIN] * 4 + [CHOOSE] * 2 + [CALIBRATE] * 2 + [TEST] * 3 + [OTHER]
    assert parts(n=14, borders=(6, 10, 13), sizes=(2, 1)) == wanted


def test_targets_across_a_border_are_of_no_part() -> None:
    # L = 1, H = 2: targets s + 1, s + 2. Train: s + 2 < 6. Validation [6, 10), middle 8: s = 5 chooses, s = 6 crosses
    # the middle, s = 7 calibrates. Test [10, 13): s = 9, 10. In between the borders are crossed.
    wanted = [TRAIN] * 4 + [OTHER, CHOOSE, OTHER, CALIBRATE, OTHER, TEST, TEST, OTHER]
    assert parts(n=14, borders=(6, 10, 13), sizes=(1, 2)) == wanted


def test_a_short_validation_part_lends_a_third_of_its_windows_to_each_half() -> None:
    # Validation [6, 10), H = 3: targets 6..8 and 7..9, both across the middle. The earlier chooses.
    wanted = [TRAIN] * 3 + [OTHER] * 2 + [CHOOSE, CALIBRATE, OTHER]
    assert parts(n=11, borders=(6, 10, 14), sizes=(1, 3)) == wanted
    # One window alone chooses.
    assert CHOOSE in parts(n=11, borders=(6, 10, 14), sizes=(1, 4))
    assert CALIBRATE not in parts(n=11, borders=(6, 10, 14), sizes=(1, 4))
    # Validation [6, 13), H = 3: five windows, the middle at 9.5. 6..8 alone lies before it, 10..12 alone behind it;
    # ⌈5 / 3⌉ = 2 choose and 2 calibrate.
    validation = parts(n=13, borders=(6, 13, 13), sizes=(1, 3))[5:]
    assert validation == [CHOOSE] * 2 + [OTHER] + [CALIBRATE] * 2


def test_two_horizons_of_validation_leave_enough_windows_to_choose_and_to_calibrate() -> None:
    # 96 rows, H = 48: 49 windows, of which clean halves would be one each. ⌈49 / 3⌉ = 17.
    of = parts(n=300, borders=(200, 296, 300), sizes=(1, 48))
    assert (of.count(CHOOSE), of.count(CALIBRATE)) == (17, 17)


def test_no_length_of_the_validation_part_is_a_cliff() -> None:
    # H = 6. One row more changes the number of windows of a half by one at most, and never lowers it.
    counts = []
    for valid in range(6, 50):
        of = parts(n=40 + valid, borders=(40, 40 + valid, 40 + valid), sizes=(1, 6))
        counts.append((of.count(CHOOSE), of.count(CALIBRATE)))
    steps = np.diff(np.array(counts), axis=0)
    assert steps.min() == 0
    assert steps.max() == 1
    assert counts[6] == (3, 3)


def known_late(late: dict[int, int], borders: tuple[int, int, int], sizes: tuple[int, int] = (2, 1)) -> list[str]:
    """Parts of the windows of 14 points, where point `row` was known only at `hour`."""
    made = made_shard("a", n=14, borders=borders, sizes=sizes)
    times = [hours(late.get(row, row)) for row in range(14)]
    rows = made.sequences.with_columns(available_at=pl.Series(times, dtype=TIME))
    return assemble(*shard_of(rows, made.profile)).table["part"].to_list()


def test_a_window_known_only_behind_a_border_is_of_no_part_before_it() -> None:
    # Borders 6, 10, 13, middle 8. Point 5 known at 6 spoils training windows 3 (its target) only: windows 4 and 5,
    # which hold it among their X, choose, and it was known before the middle.
    choose, calibrate, test = [CHOOSE] * 2, [CALIBRATE] * 2, [TEST] * 3
    assert known_late({5: 6}, (6, 10, 13)) == [TRAIN] * 3 + [OTHER] + choose + calibrate + test + [OTHER]
    # Point 3 known at 6: target of window 1; windows 2 and 3, whose Y at 4 and 5 were seen before that X, are none.
    assert known_late({3: 6}, (6, 10, 13)) == [TRAIN, OTHER, *choose, *calibrate, *test, OTHER]
    # Point 7 known at the middle: target of window 5, which may not choose; 6 and 7 calibrate with it.
    assert known_late({7: 8}, (6, 10, 13)) == [TRAIN] * 4 + [CHOOSE, OTHER] + calibrate + test + [OTHER]
    # Validation [6, 13), H = 3: of windows 5..9 the first two choose, with targets 6..9, across the middle at 9.5.
    # Row 8, a target of both, may have been known at 9 but not at 10; then window 8, whose Y at 9 was seen before, is
    # none, and of 5, 6, 7, 9 the last two calibrate.
    short = {"borders": (6, 13, 13), "sizes": (1, 3)}
    assert known_late({8: 9}, **short)[5:10] == [*choose, OTHER, *calibrate]
    assert known_late({8: 10}, **short)[5:9] == [OTHER, OTHER, *calibrate]
    # Point 9 known at valid_end: target of window 7, which may not calibrate. Test windows may be known at any time,
    # and point 12 is no X of the window behind them, whose Y was seen before.
    late = known_late({9: 10, 12: 99}, (6, 10, 13))
    assert late == [TRAIN] * 4 + choose + [CALIBRATE, OTHER] + test


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.sampled_from([fill_linear, fill_next, fill_last]))
def test_training_sees_nothing_at_or_behind_its_end(seed: int, fill: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    # A gap from 65 to 72 straddles train_end = 70: `linear` and `next` fill it from point 73 of validation.
    random = np.random.default_rng(seed)
    values = random.normal(size=100)
    values[65:73] = np.nan
    changed = np.where(np.arange(100) >= 70, random.normal(size=100), values)
    sums = []
    for version in (values, np.where(np.isnan(values), np.nan, changed)):
        rows = fill(sequences_of({"a": version})).with_columns(is_gap=pl.col("y_raw").is_null())
        sums.append(gram_shard(assemble(*shard_of(rows, profile_of(["a"]))))["1h/3"].train)
    assert sums[0].windows == sums[1].windows > 0
    np.testing.assert_array_equal(sums[0].matrix, sums[1].matrix)


def test_each_series_is_halved_by_itself() -> None:
    both = laid_out(*made_shard("a", "b", n=20, borders=(8, 12, 20), sizes=(1, 3))).table
    assert both.filter(code=0)["part"].to_list() == both.filter(code=1)["part"].to_list()
    assert both.filter(code=1)["start"].to_list() == list(range(20, 37))


@given(st.integers(1, 5), st.integers(1, 4), st.integers(5, 20), st.integers(0, 10), st.integers(0, 10))
def test_no_part_sees_anothers_targets(L: int, H: int, train: int, valid: int, test: int) -> None:
    borders = (train, train + valid, train + valid + test)
    table = laid_out(*made_shard("a", n=40, borders=borders, sizes=(L, H))).table
    targets = {part: set() for part in (TRAIN, CHOOSE, CALIBRATE, TEST, OTHER)}
    for start, part in table.select("start", "part").iter_rows():
        targets[part] |= set(range(start + L, start + L + H))
    assert all(row < train for row in targets[TRAIN])
    assert all(train <= row < borders[1] for row in targets[CHOOSE] | targets[CALIBRATE])
    assert all(borders[1] <= row < borders[2] for row in targets[TEST])
    if valid >= 4 * H:
        assert not targets[CHOOSE] & targets[CALIBRATE]
        assert targets[CALIBRATE]


def late_by(delay: float, *, valid_end: int = 80, names: str = "ab") -> Late:
    """Count where the values of `b` are final so many hours after their time, those of `a` at once."""
    rows = sequences_of({name: np.arange(100.0) for name in names})
    known = pl.when(pl.col("unique_id") == "b").then(pl.col("ds") + timedelta(hours=delay)).otherwise("ds")
    plan = profile_of(list(names), borders=(70, valid_end, 100))
    windows = assemble(*shard_of(rows.with_columns(available_at=known), plan))
    return Late.of(windows.table, windows.series)


def test_series_whose_final_values_come_behind_their_validation_part_are_counted() -> None:
    # Validation is hours 70 to 79, the middle 75, H = 2. Four hours late: targets 70, 71 are known at 75 and do not
    # choose; targets 74, 75 are known at 79 and calibrate. Ten hours late: none is known by 80.
    assert late_by(0) == Late(2, 0, 0)
    assert late_by(3) == Late(2, 0, 0)
    assert late_by(4) == Late(2, 1, 0)
    assert late_by(10) == Late(2, 1, 1)
    # More than twice the delay and two horizons: 10 + 10 + 2 + 2 = 24 hours, and 25 do.
    assert late_by(10, valid_end=95) == Late(2, 0, 0)
    # A validation part without a window is no matter of arrivals: borders 70 and 71, H = 2.
    assert late_by(10, valid_end=71) == Late(2, 0, 0)


def test_what_is_lacking_is_said_with_what_helps() -> None:
    assert Late.added([Late(2, 1, 1), Late(3, 1, 0)]) == Late(5, 2, 1)
    assert Late(5, 0, 0).note() is None
    note = Late(5, 2, 1).note()
    assert note is not None
    assert note.startswith(
        "2 of 5 series have no window to choose a model by, 1 none to calibrate intervals on: the final"
    )
    assert "Give a longer validation part (split)" in note
