from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.periods import Period
from sparkhu.training.groups import check_sizes, plan_groups
from sparkhu.training.parts import CALIBRATE, CHOOSE
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard, shard_of

START = datetime(1900, 1, 1, tzinfo=UTC)
SEASONS = {"1y": 1, "1q": 4, "1mo": 12, "1w": 52, "1d": 7, "1bd": 5, "1h": 24, "5min": 288, "2d": 1, "1s": 86400}


def profile(*series: tuple[str, str | None, int], shares: tuple[float, float] = (0.7, 0.1)) -> pl.DataFrame:
    rows = []
    for name, label, n in series:
        period = Period.parse(label or "1h")
        ends = [period.shift(START, round(share * n)) for share in (shares[0], sum(shares), 1.0)]
        rows.append((name, n, label, SEASONS.get(label or ""), *ends))
    times = dict.fromkeys(("train_end", "valid_end", "test_end"), TIME)
    schema = {"unique_id": pl.String, "n": pl.Int64, "period_label": pl.String, "season_length": pl.Int64, **times}
    return pl.DataFrame(rows, schema=schema, orient="row")


def sizes(label: str, n: int, **given_sizes: int) -> tuple[str, int, int]:
    planned = plan_groups(profile(("a", label, n)), **given_sizes).profile
    row = planned.select("group", "input_size", "horizon").row(0)
    return (str(row[0]), int(row[1]), int(row[2]))


@pytest.mark.parametrize(
    ("label", "n", "wanted"),
    [
        ("1y", 1000, ("1y/1", 21, 6)),
        ("1q", 1000, ("1q/4", 28, 8)),
        ("1mo", 1000, ("1mo/12", 72, 18)),
        ("1w", 2000, ("1w/52", 104, 13)),
        ("1d", 2000, ("1d/7", 49, 14)),
        ("1bd", 2000, ("1bd/5", 50, 14)),
        ("1h", 2000, ("1h/24", 168, 48)),
        ("5min", 20000, ("5min/288", 1008, 288)),
        ("2d", 1000, ("2d/1", 21, 6)),
        ("1s", 500000, ("1s/86400", 1008, 288)),
    ],
)
def test_long_series_get_the_conventions_sizes(label: str, n: int, wanted: tuple[str, int, int]) -> None:
    assert sizes(label, n) == wanted


def test_a_hundred_years_still_train() -> None:
    # 70 points train, 10 validate: horizon 10 / 2 = 5, input 3.5 · 5 → 18 ≤ (70 − 5) / 2 = 32.
    assert sizes("1y", 100) == ("1y/1", 18, 5)


def test_short_series_get_what_their_parts_hold() -> None:
    # 40 monthly points: 28 train, 4 validate. Horizon 4 / 2 = 2, input (28 − 2) / 2 = 13.
    assert sizes("1mo", 40) == ("1mo/12", 13, 2)
    # 2 of 20 validate, and 1 of 10: one step at least.
    assert sizes("1mo", 20)[2] == sizes("1mo", 10)[2] == 1
    # 20 validate of 60, 12 train: a quarter of these is 3; input (12 − 3) / 2 = 4.
    planned = plan_groups(profile(("a", "1mo", 60), shares=(0.2, 0.4))).profile
    assert planned.select("input_size", "horizon").row(0) == (4, 3)


@pytest.mark.parametrize("valid", [2, 3, 7, 11, 12, 13])
def test_a_chosen_horizon_leaves_windows_that_choose_and_windows_that_calibrate(valid: int) -> None:
    made = made_shard("a", n=120 + 2 * valid, borders=(120, 120 + valid, 120 + 2 * valid))
    planned = plan_groups(made.profile.with_columns(period_label=pl.lit("1h"), season_length=pl.lit(24))).profile
    horizon = int(planned["horizon"][0])
    assert horizon == valid // 2
    shard = shard_of(made.sequences, planned)
    found = assemble(*shard).table["part"].to_list()
    # valid − horizon + 1 windows lie in the validation part; a third of them, rounded up, in each half at least.
    third = -(-(valid - horizon + 1) // 3)
    assert min(found.count(CHOOSE), found.count(CALIBRATE)) == third


def test_given_sizes_are_kept() -> None:
    assert sizes("1h", 2000, horizon=96, input_size=336) == ("1h/24", 336, 96)
    assert sizes("1h", 2000, horizon=96) == ("1h/24", 336, 96)
    assert sizes("1h", 2000, input_size=30) == ("1h/24", 30, 48)
    assert sizes("1y", 100, horizon=69) == ("1y/1", 1, 69)


def test_the_median_series_decides_for_its_group() -> None:
    planned = plan_groups(profile(("a", "1mo", 40), ("b", "1mo", 40), ("c", "1mo", 4000))).profile
    assert planned["horizon"].to_list() == [2, 2, 2]


def test_groups_are_periods_with_seasons() -> None:
    table = profile(("a", "1h", 2000), ("b", None, 3), ("c", "1y", 100), ("d", "1h", 3000))
    plan = plan_groups(table.with_columns(group=pl.lit("old"), horizon=pl.lit(3), input_size=pl.lit(4)))
    assert plan.profile.select("unique_id", "group", "input_size", "horizon").rows() == [
        ("a", "1h/24", 168, 48),
        ("b", None, None, None),
        ("c", "1y/1", 18, 5),
        ("d", "1h/24", 168, 48),
    ]
    assert plan.profile.schema["horizon"] == plan.profile.schema["input_size"] == pl.Int64
    assert plan.notes == [
        "1h/24: 2 series, horizon 48 (the M4 convention), input_size 168 (7 seasons)",
        "1y/1: 1 series, horizon 5 (half of the validation part), input_size 18 (3.5 horizons)",
    ]


def test_the_notes_say_what_limited_a_size() -> None:
    (note,) = plan_groups(profile(("a", "1mo", 40))).notes
    assert note == (
        "1mo/12: 1 series, horizon 2 (half of the validation part), "
        "input_size 13 (half of what the horizon leaves of the training part)"
    )
    notes = plan_groups(profile(("a", "1s", 500000)), horizon=60).notes
    assert notes == [
        "1s/86400: 1 series, horizon 60 (given), input_size 1008 (the most that is chosen)",
        "1s/86400: input_size 1008 holds no season of 86400; seasonal naive repeats the last value",
    ]


def test_a_horizon_longer_than_every_series_is_refused() -> None:
    table = profile(("a", "1y", 80), ("b", "1y", 100))
    message = (
        "^horizon 100 is longer than every series; the longest, 'b', has 100 points. "
        "Give a horizon below 100, or none to choose it from the data.$"
    )
    with pytest.raises(InputError, match=message):
        plan_groups(table, horizon=100)
    assert plan_groups(table, horizon=99).profile["horizon"].to_list() == [99, 99]


def test_an_input_that_fits_in_no_series_is_refused() -> None:
    table = profile(("a", "1y", 100))
    with pytest.raises(
        InputError, match=r"^input_size 95 with a horizon of 6 fits in no series; the longest, 'a', has"
    ):
        plan_groups(table, horizon=6, input_size=95)
    assert plan_groups(table, horizon=6, input_size=94).profile["input_size"].to_list() == [94]
    with pytest.raises(InputError, match=r"^input_size 100 with a horizon of 1"):
        plan_groups(table, input_size=100)


@pytest.mark.parametrize("name", ["horizon", "input_size"])
def test_negative_sizes_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"^{name} must be positive, or 0 to choose it from the data, got -1$"):
        check_sizes(**({"horizon": 0, "input_size": 0} | {name: -1}))
    with pytest.raises(InputError, match=name):
        plan_groups(profile(("a", "1h", 50)), **{name: -1})


def test_no_series_need_no_plan() -> None:
    plan = plan_groups(profile(), horizon=5)
    assert plan.profile.is_empty()
    assert plan.notes == []


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="column 'season_length' is missing"):
        plan_groups(profile(("a", "1h", 50)).drop("season_length"))


@given(st.sampled_from(sorted(SEASONS)), st.integers(10, 3000))
def test_whatever_is_chosen_leaves_training_windows(label: str, n: int) -> None:
    _, L, H = sizes(label, n)
    assert H >= 1
    assert L >= 1
    assert int(0.7 * n) - L - H + 1 >= 1
    assert max((n // 10 + 1) // 2, 1) >= H
