"""What a forecaster is given: the four variants of each row, and which steps change something."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.bucket_values import How
from sparkhu.steps.cleaning import (
    INPUT_SCHEMA,
    VARIANTS,
    clean_inputs,
    find_candidates,
)
from sparkhu.steps.joining import SEQUENCE_SCHEMA, join_series
from sparkhu.steps.resampling import resample
from sparkhu.steps.windows import index_windows

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(hour: float | None) -> datetime | None:
    return None if hour is None else START + timedelta(hours=hour)


def row(
    hour: int,
    y: float | None,
    raw: float | None,
    *,
    known: float | None = None,
    filled: str | None = None,
    handled: float | None = None,
    handled_known: float | None = None,
    strategy: str | None = None,
    name: str = "a",
) -> dict[str, Any]:
    """A row of a sequence; without `strategy` no anomaly was handled."""
    known = hour if known is None else known
    untouched = strategy is None
    return {
        "unique_id": name,
        "ds": at(hour),
        "y": y,
        "y_raw": raw,
        "available_at": at(known),
        "is_gap": raw is None,
        "is_outlier": raw is not None and y != raw,
        "fill_strategy": filled,
        "observed_available_at": None if raw is None else at(hour),
        "is_anomaly": not untouched,
        "handled": y if untouched else handled,
        "handled_available_at": at(known) if untouched else at(handled_known),
        "anomaly_strategy": strategy,
    }


def sequences(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SEQUENCE_SCHEMA)


def profile(*names: str, train: int = 5, valid: int = 8) -> pl.DataFrame:
    borders = {"train_end": pl.lit(at(train)).cast(TIME), "valid_end": pl.lit(at(valid)).cast(TIME)}
    return pl.DataFrame({"unique_id": list(names or ("a",))}, schema={"unique_id": pl.String}).with_columns(**borders)


# Hours 0 to 6, the training part ends at hour 5: as observed; an outlier refilled from hour 2 on; a gap filled; an
# anomaly handled; one that was dropped; behind the training part an outlier refilled, and an anomaly handled.
EXAMPLE = sequences(
    row(0, 1.0, 1.0),
    row(1, 2.0, 90.0, known=2, filled="linear"),
    row(2, 3.0, None, known=3, filled="linear"),
    row(3, 30.0, 30.0, handled=4.0, handled_known=4.5, strategy="clip"),
    row(4, 50.0, 50.0, strategy="drop"),
    row(5, 6.0, 60.0, known=6, filled="linear"),
    row(6, 70.0, 70.0, handled=7.0, handled_known=6, strategy="clip"),
)


@pytest.mark.parametrize(
    ("variant", "y", "known", "filled", "handled"),
    [
        (
            "none",
            [1.0, 90.0, 3.0, 30.0, 50.0, 60.0, 70.0],
            [0, 1, 3, 3, 4, 5, 6],
            [None, None, "linear", None, None, None, None],
            [None] * 7,
        ),
        (
            "outliers",
            [1.0, 2.0, 3.0, 30.0, 50.0, 6.0, 70.0],
            [0, 2, 3, 3, 4, 6, 6],
            [None, "linear", "linear", None, None, "linear", None],
            [None] * 7,
        ),
        (
            "anomalies",
            [1.0, 90.0, 3.0, 4.0, None, 60.0, 70.0],
            [0, 1, 3, 4.5, 4, 5, 6],
            [None, None, "linear", None, None, None, None],
            [None, None, None, "clip", "drop", None, None],
        ),
        (
            "outliers+anomalies",
            [1.0, 2.0, 3.0, 4.0, None, 6.0, 70.0],
            [0, 2, 3, 4.5, 4, 6, 6],
            [None, "linear", "linear", None, None, "linear", None],
            [None, None, None, "clip", "drop", None, None],
        ),
    ],
)
def test_hand_worked_variants(
    variant: str, y: list[float | None], known: list[float], filled: list[str | None], handled: list[str | None]
) -> None:
    # The handled value at hour 3 was known at 4:30, as its limits were; the dropped point is known as it was observed.
    found = clean_inputs(EXAMPLE, profile(), variant)
    assert dict(found.schema) == INPUT_SCHEMA
    assert found["y"].to_list() == y
    assert found["available_at"].to_list() == [at(hour) for hour in known]
    assert found["fill_strategy"].to_list() == filled
    assert found["anomaly_strategy"].to_list() == handled


def test_hand_worked_handling_on_top_of_a_refilled_outlier() -> None:
    # 90 was refilled by 2, known at hour 2; the handled value 1.5 was known at hour 1: it stands on the fill, so both
    # had to be known, hour 2. On top of the observed value hour 1 is late enough.
    frame = sequences(row(1, 2.0, 90.0, known=2, filled="linear", handled=1.5, handled_known=1, strategy="ema"))
    both, alone = (clean_inputs(frame, profile(), variant) for variant in ("outliers+anomalies", "anomalies"))
    assert both.row(0) == (1.5, at(2), "linear", "ema")
    assert alone.row(0) == (1.5, at(1), None, "ema")


def test_the_training_part_ends_before_its_border() -> None:
    last, border = (row(hour, 9.0, 9.0, handled=1.0, handled_known=4, strategy="clip") for hour in (4, 5))
    assert clean_inputs(sequences(last, border), profile(train=5), "anomalies")["y"].to_list() == [1.0, 9.0]


def test_a_handled_value_is_known_no_earlier_than_its_own_row() -> None:
    frame = sequences(row(3, 30.0, 30.0, handled=4.0, handled_known=0, strategy="clip"))
    assert clean_inputs(frame, profile(), "anomalies")["available_at"].to_list() == [at(3)]


def test_observed_values_without_a_time_of_their_own_are_known_when_their_row_is() -> None:
    frame = EXAMPLE.with_columns(observed_available_at=pl.lit(None, TIME))
    assert clean_inputs(frame, profile(), "none")["available_at"].to_list() == EXAMPLE["available_at"].to_list()


def test_every_series_has_the_variant_that_was_kept_for_it() -> None:
    names = ("a", "b", "c")
    frame = pl.concat([EXAMPLE.with_columns(unique_id=pl.lit(name)) for name in names])
    kept = pl.DataFrame({"unique_id": ["c", "a"], "kept": ["outliers", "anomalies"], "gain": [0.1, 0.2]})
    found = clean_inputs(frame, profile(*names), kept)
    for number, variant in enumerate(("anomalies", "none", "outliers")):
        assert_frame_equal(found[7 * number : 7 * number + 7], clean_inputs(EXAMPLE, profile(), variant))


def test_nothing_is_handled_where_no_training_part_ends() -> None:
    unknown = profile().with_columns(train_end=pl.lit(None, TIME))
    assert_frame_equal(clean_inputs(EXAMPLE, unknown, "anomalies"), clean_inputs(EXAMPLE, unknown, "none"))
    assert_frame_equal(clean_inputs(EXAMPLE, profile("z"), "anomalies"), clean_inputs(EXAMPLE, profile("z"), "none"))


def test_a_handled_value_that_does_not_say_when_it_was_known_is_caught() -> None:
    planted = sequences(row(0, 1.0, 1.0), row(1, 2.0, 2.0, handled=9.0, strategy="clip", name="b"))
    message = "^series 'b' has handled values that do not say from when they were known; handled_available_at must be"
    with pytest.raises(InputError, match=message):
        clean_inputs(planted, profile("a", "b"), "anomalies")
    assert clean_inputs(planted, profile("a", "b"), "outliers")["y"].to_list() == [1.0, 2.0]


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(InputError, match=r"^kept must be one of none, outliers, .*, outliers\+anomalies, got 'both'"):
        clean_inputs(EXAMPLE, profile(), "both")


@pytest.mark.parametrize("column", [name for name in SEQUENCE_SCHEMA if name not in {"is_gap", "is_anomaly"}])
def test_missing_columns_are_named(column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        clean_inputs(EXAMPLE.drop(column), profile(), "none")


def test_missing_columns_of_the_tables_are_named() -> None:
    with pytest.raises(InputError, match="'train_end'"):
        clean_inputs(EXAMPLE, profile().drop("train_end"), "none")
    with pytest.raises(InputError, match="'kept'"):
        clean_inputs(EXAMPLE, profile(), profile())
    with pytest.raises(InputError, match="'valid_end'"):
        find_candidates(EXAMPLE, profile().drop("valid_end"))


def test_no_rows_give_typed_tables() -> None:
    empty = EXAMPLE.clear()
    assert dict(clean_inputs(empty, profile(), "none").schema) == INPUT_SCHEMA
    candidates = find_candidates(empty, profile())
    assert candidates.schema == {"unique_id": pl.String, "candidates": pl.String}
    assert candidates.height == 0


def windows_of(frame: pl.DataFrame, variant: str) -> list[str | None]:
    table = profile().with_columns(input_size=pl.lit(2), horizon=pl.lit(1), period_label=pl.lit("1h"))
    rows = frame.with_columns(clean_inputs(frame, profile(), variant).get_columns())
    return index_windows(rows, table).frames["windows"]["reason"].to_list()


def test_windows_take_handled_values_as_targets_alone() -> None:
    # X is two points, Y the third. Hour 2 was handled with what was known at hour 4: no window has it in X but one
    # whose last X is at hour 4 or later. Dropped, it is no Y either.
    plain = [row(hour, float(hour), float(hour)) for hour in range(5)]
    clipped = sequences(*plain[:2], row(2, 9.0, 9.0, handled=2.0, handled_known=4, strategy="clip"), *plain[3:])
    dropped = sequences(*plain[:2], row(2, 9.0, 9.0, strategy="drop"), *plain[3:])
    assert windows_of(clipped, "none") == [None, None, None]
    assert windows_of(clipped, "anomalies") == [None, "input not yet known", "input not yet known"]
    assert windows_of(dropped, "anomalies") == ["dropped point"] * 3


CHANGES = {
    "none": [row(1, 2.0, 2.0)],
    "outliers": [row(1, 2.0, 90.0, known=2, filled="linear")],
    "anomalies": [row(1, 30.0, 30.0, handled=4.0, handled_known=4, strategy="clip")],
    "outliers+anomalies": [
        row(1, 2.0, 90.0, known=2, filled="linear"),
        row(2, 30.0, 30.0, handled=4.0, handled_known=4, strategy="clip"),
    ],
}


@pytest.mark.parametrize("candidates", VARIANTS)
def test_a_step_that_changes_nothing_is_no_candidate(candidates: str) -> None:
    found = find_candidates(sequences(row(0, 1.0, 1.0), *CHANGES[candidates]), profile())
    assert found.rows() == [("a", candidates)]


def test_what_cleaning_changes_is_told_apart_series_by_series() -> None:
    frame = pl.concat(
        [sequences(*rows).with_columns(unique_id=pl.lit(str(number))) for number, rows in enumerate(CHANGES.values())]
    )
    assert find_candidates(frame, profile("3", "1", "0", "2")).rows() == [
        (str(number), candidates) for number, candidates in enumerate(CHANGES)
    ]


@pytest.mark.parametrize(
    "changed",
    [
        row(8, 2.0, 90.0, filled="linear"),
        row(8, 2.0, 90.0, handled=3.0, handled_known=8, strategy="ema"),
        row(7, 9.0, 9.0, handled=3.0, handled_known=8, strategy="ema"),
        row(3, 9.0, 9.0, handled=9.0, handled_known=3, strategy="ema"),
        row(3, 2.0, None, known=4, filled="linear"),
        row(3, None, None),
    ],
)
def test_the_test_part_gaps_and_anomalies_behind_the_training_part_leave_nothing_to_choose(
    changed: dict[str, Any],
) -> None:
    assert find_candidates(sequences(row(0, 1.0, 1.0), changed), profile())["candidates"].to_list() == ["none"]


def test_where_no_validation_part_ends_there_is_nothing_to_choose() -> None:
    unknown = profile().with_columns(valid_end=pl.lit(None, TIME))
    assert find_candidates(EXAMPLE, unknown)["candidates"].to_list() == ["none"]


OUTLYING = {"is_outlier": True}


@pytest.mark.parametrize(
    "changed",
    [row(7, 5.0, 90.0), row(7, 90.0, 90.0, known=7.5), row(7, 90.0, 90.0, filled="last"), row(7, None, 9.0)],
)
def test_a_value_its_time_or_its_label_make_a_candidate_where_an_outlier_is(changed: dict[str, Any]) -> None:
    there = sequences(row(0, 1.0, 1.0), changed | OUTLYING)
    assert find_candidates(there, profile())["candidates"].to_list() == ["outliers"]
    elsewhere = sequences(row(0, 1.0, 1.0) | OUTLYING, changed | {"is_outlier": False})
    assert find_candidates(elsewhere, profile())["candidates"].to_list() == ["none"]


@pytest.mark.parametrize("how", ["mean", "min", "max", "last", "sum"])
def test_buckets_that_differ_by_filled_points_alone_are_no_candidates(how: How) -> None:
    # Four points an hour; one of hour 1 was filled by 40: mean, largest, last and sum differ from the observed.
    # The same hour with an outlier of 90 in it, replaced by 3, is one.
    def hours_of(outlier: bool) -> pl.DataFrame:
        rows = [row(minute, float(minute), float(minute)) for minute in range(12)]
        rows[7] = row(7, 40.0, None, filled="linear")
        if outlier:
            rows[5] = row(5, 3.0, 90.0, filled="linear")
        return resample(sequences(*rows), "4h", how=how, period="1h")

    for outlier in (False, True):
        buckets = hours_of(outlier)
        frame = join_series(buckets, buckets.clear(), profile(), profile().clear()).frames["sequences"]
        assert buckets["y"].ne_missing(buckets["y_raw"]).to_list() == [False, how != "min" or outlier, False]
        found = find_candidates(frame, profile(train=8, valid=12))["candidates"].to_list()
        # Its sum was not observed, so there is nothing to put in its place.
        assert found == (["outliers"] if outlier and how != "sum" else ["none"])
        assert clean_inputs(frame, profile(train=8, valid=12), "none")["y"][0] == buckets["y"][0]


def test_hand_worked_bucket_with_a_fill_and_an_outlier() -> None:
    # Mean of 4, 90 (an outlier, replaced by 5), 6 and a fill of 7: cleaned 22 / 4 = 5.5; as observed (4 + 90 + 6) / 3.
    # Without the outlier the fill stands in both: (4 + 5 + 6 + 7) / 4 = 5.5, and not 5.
    rows = [row(4, 4.0, 4.0), row(5, 5.0, 90.0, filled="linear"), row(6, 6.0, 6.0), row(7, 7.0, None, filled="linear")]
    plain = [rows[0], row(5, 5.0, 5.0), *rows[2:]]
    for made, none in ((rows, 100 / 3), (plain, 5.5)):
        bucket = resample(sequences(*made), "4h", period="1h")
        frame = join_series(bucket, bucket.clear(), profile(), profile().clear()).frames["sequences"]
        assert clean_inputs(frame, profile(), "none")["y"].to_list() == [none]
        assert clean_inputs(frame, profile(), "outliers")["y"].to_list() == [5.5]
