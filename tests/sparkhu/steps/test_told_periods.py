"""Which period new data have, told by the median gap between their points."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA
from sparkhu.steps.told_periods import TOLD_SCHEMA, tell_periods

START = datetime(2024, 1, 1, tzinfo=UTC)
LENGTHS = {"1min": 60, "15min": 900, "1h": 3600, "1d": 86_400}


def points(*minutes: float, name: str = "a") -> pl.DataFrame:
    ds = [START + timedelta(minutes=minute) for minute in minutes]
    columns = {"unique_id": [name] * len(ds), "ds": ds, "y": [1.0] * len(ds), "available_at": ds}
    return pl.DataFrame(columns, schema=SCHEMA)


def profile(label: str, name: str = "a", decision: str = "regular") -> pl.DataFrame:
    period = {"period_kind": "fixed", "period_us": LENGTHS[label] * 1_000_000, "period_label": label}
    return pl.DataFrame({"unique_id": name, "decision": decision, **period})


def told(rows: pl.DataFrame, source: str, model: str) -> tuple[bool, str | None]:
    found = tell_periods(rows, profile(source), profile(model), zone="UTC")
    assert found.schema == TOLD_SCHEMA
    return tuple(found.select("brought", "reason").row(0))


def test_hand_worked_hours_of_quarters() -> None:
    # √(15 · 60) = 30 minutes: a median gap of 15 minutes is the source's, one of 60 the model's.
    # 0, 15, 45: gaps 15 and 30, median 22.5 < 30: quarters, one of them missing.
    assert told(points(0, 15, 45), "15min", "1h") == (False, None)
    # 720, 780, 840: gaps of 60 > 30, all on the hour: hours that were made already.
    assert told(points(720, 780, 840), "15min", "1h") == (True, None)
    # Just at the middle, 30 minutes, the points are the source's.
    assert told(points(0, 30, 60), "15min", "1h") == (False, None)


def test_hand_worked_quarters_made_of_hours() -> None:
    # √(60 · 15) = 30 minutes again: below it the points are quarters, brought already, wherever they stand.
    assert told(points(5, 20, 35), "1h", "15min") == (True, None)
    assert told(points(5, 65, 125), "1h", "15min") == (False, None)


def test_hours_that_begin_elsewhere_are_refused() -> None:
    assert told(points(10, 70, 130), "15min", "1h") == (
        False,
        "its points stand as far apart as every 1h, but not all where such a period begins; give every 15min, or those",
    )


@pytest.mark.parametrize(
    ("minutes", "source", "model", "reason"),
    [
        # 7 minutes are less than half of 15; 8 are not.
        (7, "15min", "1h", "closer than every 15min, the period that the model's data came with;"),
        (8, "15min", "1h", None),
        (29, "1h", "1h", "closer than every 1h, the model's period;"),
        (30, "1h", "1h", None),
        # √(60 · 1440) ≈ 294 minutes: 719 minutes are days, and closer than half of one.
        (719, "1h", "1d", "closer than every 1d, the model's period;"),
    ],
)
def test_points_closer_than_half_a_period_are_refused(
    minutes: int, source: str, model: str, reason: str | None
) -> None:
    brought, found = told(points(*(minutes * at for at in range(4))), source, model)
    assert not brought
    assert (found is None) if reason is None else reason in str(found)


def test_series_that_were_not_resampled_have_one_period_wherever_their_points_stand() -> None:
    assert told(points(10, 70, 130, 310), "1h", "1h") == (False, None)


def test_a_single_point_counts_as_one_of_the_sources() -> None:
    assert told(points(10), "15min", "1h") == (False, None)


def test_only_regular_series_with_rows_are_told_each_by_its_own_points() -> None:
    rows = pl.concat([points(0, 60, 120), points(0, 15, 30, name="b"), points(0, 1, 2, name="c")])
    decisions = zip("abcd", ("regular", "regular", "irregular", "regular"), strict=True)
    made = [(profile("15min", *each), profile("1h", *each)) for each in decisions]
    sources, models = (pl.concat(tables) for tables in zip(*made, strict=True))
    found = tell_periods(rows, sources, models, zone="UTC").sort("unique_id")
    assert found.rows() == [("a", True, None), ("b", False, None)]


def test_the_models_day_begins_at_midnight_in_its_zone() -> None:
    # Midnight in Berlin is 23:00 UTC in winter: a day of Berlin, but none of UTC.
    rows = points(*(23 * 60 + 1440 * day for day in range(5)))
    for zone, reason in (("Europe/Berlin", None), ("UTC", "every 1d, but not all where such a period begins")):
        found = tell_periods(rows, profile("1h"), profile("1d"), zone=zone)
        assert found["brought"].to_list() == [reason is None]
        assert (found["reason"][0] is None) if reason is None else reason in found["reason"][0]


def test_no_rows_give_a_typed_empty_table() -> None:
    found = tell_periods(points(), profile("15min"), profile("1h"), zone="UTC")
    assert found.height == 0
    assert found.schema == TOLD_SCHEMA


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="ds"):
        tell_periods(points(0).drop("ds"), profile("15min"), profile("1h"), zone="UTC")
