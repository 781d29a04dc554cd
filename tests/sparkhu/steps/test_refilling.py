"""Filling new data as training chose."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.filling import fill_linear, fill_moving_average, fill_seasonal, fill_spline
from sparkhu.steps.refilling import fill_as_chosen
from sparkhu.steps.strategies import FITTED, STRATEGIES

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNTS = '{"missing":%d,"filled":%d,"left":%d}'


def series(values: list[float | None], name: str = "a") -> pl.DataFrame:
    ds = [START + hour * HOUR for hour in range(len(values))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def chosen(names: dict[str, str], values: dict[str, float] | None = None) -> pl.DataFrame:
    """Choices of training; what is fitted was known at the third hour."""
    rows = [(name, way, (values or {}).get(name), START + 3 * HOUR if name in (values or {}) else None)
            for name, way in names.items()]  # fmt: skip
    schema = {"unique_id": pl.String, "strategy": pl.String, "fit_value": pl.Float64, "fit_available_at": TIME}
    return pl.DataFrame(rows, schema=schema, orient="row")


def profile(*names: str, season: int | None = None) -> pl.DataFrame:
    schema = {"unique_id": pl.String, "season_length": pl.Int64}
    return pl.DataFrame([(name, season) for name in names], schema=schema, orient="row")


def refill(frame: pl.DataFrame, names: dict[str, str], season: int | None = None, **options: Any) -> Any:
    table = profile(*frame["unique_id"].unique(), season=season)
    return fill_as_chosen(frame, chosen(names), table, **options)


def swinging(size: int, *missing: int) -> list[float | None]:
    return [None if i in missing else float([0, 4, 9, 3][i % 4] + i) for i in range(size)]


def test_hand_worked_each_series_is_filled_as_chosen_for_it() -> None:
    # Training fitted the mean 50, the median 40 and the mode 30; the line from 0 to 4 passes 2, the mean around the
    # gap of the known 0, 4 and 11 is 5. The cubic through (0,0), (2,4), (3,11), (4,8) at 1 is, by Lagrange,
    # 0·… + 4·(1−0)(1−3)(1−4)/((2−0)(2−3)(2−4)) + 11·(1)(−1)(−3)/((3)(1)(−1)) + 8·(1)(−1)(−2)/((4)(2)(1))
    # = 4·6/4 − 11·3/3 + 8·2/8 = 6 − 11 + 2 = −3.
    values = {"mean": 50.0, "median": 40.0, "mode": 30.0}
    names = [name for name in STRATEGIES if name != "seasonal"]
    frame = pl.concat([series([0.0, None, 4.0, 11.0, 8.0], name) for name in sorted(names)])
    choices = chosen({name: name for name in names}, values)
    found = fill_as_chosen(frame, choices, profile(*names), window=2).frames["filled"]
    assert found.columns == ["y", "y_raw", "available_at", "fill_strategy"]
    rows = frame.select("unique_id").hstack(found).filter(pl.col("fill_strategy").is_not_null())
    filled = {row["unique_id"]: row for row in rows.to_dicts()}
    wanted = values | {"last": 0.0, "next": 4.0, "linear": 2.0, "spline": -3.0, "moving_average": 5.0}
    assert {name: row["y"] for name, row in filled.items()} == pytest.approx(wanted)
    assert all(row["fill_strategy"] == name for name, row in filled.items())
    hours = {name: (row["available_at"] - START) / HOUR for name, row in filled.items()}
    assert hours == dict.fromkeys(FITTED, 3) | {"last": 1, "next": 2, "linear": 2, "spline": 4, "moving_average": 3}


def test_new_data_are_filled_inside_the_range_that_training_knew() -> None:
    # The cubic is -3 at hour 1, as above.
    frame = series([0.0, None, 4.0, 11.0, 8.0])
    choices = chosen({"a": "spline"}).with_columns(valid_min=pl.lit(1.0), valid_max=pl.lit(None, dtype=pl.Float64))
    found = fill_as_chosen(frame, choices, profile("a")).frames["filled"]
    assert found["y"].to_list() == pytest.approx([0.0, 1.0, 4.0, 11.0, 8.0])


def test_hand_worked_gaps_before_within_and_behind_new_data() -> None:
    # Linear from 3 at hour 0 to 12 at hour 3: (12 − 3)/3 = 3 an hour, so 6 and 9, known at hour 3; behind it nothing.
    # Mean 7.5, fitted at hour 3: at hour 1 known at max(1, 3) = 3, at hour 4 at max(4, 3) = 4.
    # Last: the 3 of hour 0 at hours 1 and 2, the 12 of hour 3 at hour 4, each known with its row.
    names = ("last", "linear", "mean")
    frame = pl.concat([series([3.0, None, None, 12.0, None], name) for name in names])
    found = fill_as_chosen(frame, chosen({name: name for name in names}, {"mean": 7.5}), profile(*names))
    filled = found.frames["filled"]
    assert filled["y"].to_list() == [
        *(3.0, 3.0, 3.0, 12.0, 12.0),
        *(3.0, 6.0, 9.0, 12.0, None),
        *(3.0, 7.5, 7.5, 12.0, 7.5),
    ]
    hours = [(moment - START) / HOUR for moment in filled["available_at"]]
    assert hours == [0, 1, 2, 3, 4, 0, 3, 3, 3, 4, 0, 3, 3, 3, 4]
    assert found.ledger["counts"].to_list() == [COUNTS % (3, 3, 0), COUNTS % (3, 2, 1), COUNTS % (3, 3, 0)]


@pytest.mark.parametrize(
    ("name", "function"),
    [("linear", fill_linear), ("spline", fill_spline), ("moving_average", fill_moving_average),
     ("seasonal", lambda frame: fill_seasonal(frame, season_length=4))],
)  # fmt: skip
def test_what_fits_nothing_fills_new_data_from_themselves(name: str, function: Any) -> None:
    frame = series(swinging(20, 3, 9, 10, 11, 12))
    found = refill(frame, {"a": name}, season=4)
    assert found.frames["filled"].equals(function(frame).select(found.frames["filled"].columns))
    assert found.ledger.rows() == [("a", "ok", None, COUNTS % (5, 5, 0))]


@pytest.mark.parametrize(
    ("name", "size", "season", "need"),
    [
        ("seasonal", 8, 4, "fewer than two seasons of known points, or no season at all"),
        ("seasonal", 20, None, "fewer than two seasons of known points, or no season at all"),
        ("spline", 4, None, "fewer than 4 known points"),
    ],
)
def test_new_data_too_short_for_their_strategy_are_filled_by_lines_and_say_so(
    name: str, size: int, season: int | None, need: str
) -> None:
    frame = pl.concat([series(swinging(size, 1)), series(swinging(40, 5), "b")])
    table = pl.concat([profile("a", season=season), profile("b", season=4)])
    found = fill_as_chosen(frame, chosen({"a": name, "b": name}), table)
    assert found.frames["filled"]["y"][1] == swinging(3)[0] / 2 + swinging(3)[2] / 2  # type: ignore[operator]
    assert found.frames["filled"]["fill_strategy"].drop_nulls().to_list() == ["linear", name]
    assert found.ledger.rows() == [
        ("a", "ok", f"filled with linear: {need} for {name}", COUNTS % (1, 1, 0)),
        ("b", "ok", None, COUNTS % (1, 1, 0)),
    ]


def test_what_was_dropped_or_left_in_training_is_so_in_new_data() -> None:
    frame = pl.concat([series([0.0, None, 4.0], "drop"), series([0.0, None, 4.0], "leave")])
    found = refill(frame, {"drop": "drop", "leave": "leave"})
    assert found.frames["filled"]["y"].to_list() == [0.0, None, 4.0] * 2
    assert found.frames["filled"]["fill_strategy"].to_list() == [None, "drop", None, None, None, None]
    assert found.ledger["counts"].to_list() == [COUNTS % (1, 0, 1)] * 2


def test_a_series_without_a_choice_is_filled_by_lines() -> None:
    frame = pl.concat([series([0.0, None, 4.0], name) for name in ("a", "hour")])
    found = refill(frame, {"hour": "last"}).frames["filled"]
    assert found["y"].to_list() == [0.0, 2.0, 4.0, 0.0, 0.0, 4.0]
    assert found["fill_strategy"].to_list() == [None, "linear", None, None, "last", None]


def test_points_missing_filled_and_left_are_counted_per_series() -> None:
    frame = pl.concat([series([None, 1.0, None, 2.0], name) for name in ("a", "b")])
    assert refill(frame, {"b": "last"}).ledger["counts"].to_list() == [COUNTS % (2, 1, 1)] * 2
    limited = refill(series([1.0, None, None, 2.0]), {}, max_gap_points=1)
    assert limited.ledger["counts"].to_list() == [COUNTS % (2, 0, 2)]


def test_edges_are_left_and_gaps_unlimited_unless_told() -> None:
    found = refill(series([None, 1.0, *[None] * 9, 11.0]), {}).frames["filled"]
    assert found["y"].to_list() == [None, *[float(number) for number in range(1, 12)]]
    near = refill(series([None, 1.0]), {}, edge="nearest").frames["filled"]
    assert near["y"].to_list() == [1.0, 1.0]


def test_bad_parameters_and_unknown_strategies_are_refused() -> None:
    frame = series([1.0, None])
    with pytest.raises(InputError, match="edge"):
        refill(frame, {}, edge="wrap")
    with pytest.raises(InputError, match="max_gap_points"):
        refill(frame, {}, max_gap_points=-1)
    with pytest.raises(InputError, match=r"^window must be 1 or more known points on each side, got 0\."):
        refill(frame, {"a": "moving_average"}, window=0)
    names = f"{', '.join(STRATEGIES)}, drop, leave"
    with pytest.raises(InputError, match=rf"^strategy 'guess' is unknown; there is {names}. Train the model again\.$"):
        refill(frame, {"a": "guess"})


def test_shard_composition_does_not_matter_to_the_last_bit() -> None:
    rng = np.random.default_rng(3)
    names = sorted(STRATEGIES)
    parts = [
        series([None if rng.random() < 0.2 else float(v) for v in rng.normal(size=size)], name)
        for size, name in zip((60, 3, 25, 61, 40, 6, 80, 33, 12), names, strict=True)
    ]
    ways = {name: name for name in names}
    whole = refill(pl.concat(parts), ways, season=5)
    alone = [refill(part, ways, season=5) for part in parts]
    assert whole.frames["filled"].equals(pl.concat([one.frames["filled"] for one in alone]))
    assert whole.ledger.equals(pl.concat([one.ledger for one in alone]))
