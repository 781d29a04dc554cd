import polars as pl
import pytest

from sparkhu import ledger
from sparkhu.errors import InputError, SparkhuError


def full(*rows: tuple[str, str, str, str | None]) -> pl.DataFrame:
    frames = [
        ledger.with_step(ledger.entries([unique_id], status=status, reason=reason), step)  # type: ignore[arg-type]
        for unique_id, step, status, reason in rows
    ]
    return ledger.merge(frames)


def test_entries_stand_one_a_series() -> None:
    frame = ledger.entries(["a", "b"], counts={"outliers": pl.Series([3, 0]), "points": 9})
    assert frame.schema == pl.Schema(ledger.ENTRY_SCHEMA)
    assert frame.rows() == [
        ("a", "ok", None, '{"outliers":3,"points":9}'),
        ("b", "ok", None, '{"outliers":0,"points":9}'),
    ]


def test_status_and_reason_may_differ_by_series() -> None:
    frame = ledger.entries(
        pl.Series(["a", "b"]), status=pl.Series(["ok", "failed"]), reason=pl.Series([None, "all values are null"])
    )
    assert frame.rows() == [("a", "ok", None, "{}"), ("b", "failed", "all values are null", "{}")]


def test_entries_of_no_series_keep_their_types() -> None:
    assert ledger.empty().schema == ledger.entries([]).schema == pl.Schema(ledger.ENTRY_SCHEMA)
    assert ledger.entries([], counts={"n": 1}).schema == pl.Schema(ledger.ENTRY_SCHEMA)


def test_the_step_completes_the_columns() -> None:
    frame = ledger.with_step(ledger.entries(["a"]), "fill_mean")
    assert frame.schema == pl.Schema(ledger.SCHEMA)
    assert frame.row(0) == ("a", "fill_mean", "ok", None, "{}")


def test_entries_shared_by_two_ledgers_stand_once_first_seen_first() -> None:
    first = full(("b", "validate", "ok", None), ("a", "describe", "ok", None))
    second = full(("b", "validate", "ok", None), ("c", "describe", "ok", None))
    merged = ledger.merge([first, second])
    assert merged.select("unique_id", "step").rows() == [("b", "validate"), ("a", "describe"), ("c", "describe")]
    assert ledger.merge([]).schema == pl.Schema(ledger.SCHEMA)


def test_failed_ids_are_those_that_failed_anywhere_each_once() -> None:
    entries = full(
        ("b", "x", "failed", "r"), ("a", "x", "skipped", "r"), ("c", "x", "ok", None), ("b", "y", "failed", "r")
    )
    assert ledger.failed_ids(entries).to_list() == ["b"]


def test_a_run_goes_on_up_to_the_allowed_share_of_failed_series() -> None:
    entries = full(("a", "x", "failed", "flat"), ("b", "x", "ok", None))
    ledger.check_share_of_failed(entries, 0.5)
    ledger.check_share_of_failed(ledger.merge([]), 0.0)
    with pytest.raises(SparkhuError, match=r"1 of 2 series failed, more than max_failed_share = 0\.49 allows"):
        ledger.check_share_of_failed(entries, 0.49)


def test_the_most_frequent_reason_is_told() -> None:
    entries = full(
        ("a", "x", "failed", "flat"),
        ("b", "y", "failed", "too short"),
        ("c", "y", "failed", "too short"),
        ("c", "z", "ok", None),
        ("d", "z", "ok", None),
    )
    said = r"3 of 4 series failed.*most often at y: too short \(2 series\)\. Mend the source or raise max_failed_share"
    with pytest.raises(SparkhuError, match=said):
        ledger.check_share_of_failed(entries, 0.5)


def test_where_no_series_can_go_on_it_is_the_input_that_is_refused() -> None:
    entries = full(("a", "x", "failed", "too short"), ("b", "x", "failed", "too short"))
    with pytest.raises(InputError, match=r"^no series can go on; most often at x: too short \(2 of 2 series\)\.$"):
        ledger.check_share_of_failed(entries, 1.0)


def test_failed_series_of_a_group_count_as_a_share_of_all_series_of_the_run() -> None:
    failed = ledger.with_step(ledger.entries(["a", "b"], status="failed", reason="no rows"), "validate")
    ledger.check_share_of_failed(failed, 0.5, of=4)
    with pytest.raises(SparkhuError, match=r"^2 of 4 series failed, more than max_failed_share = 0\.4 allows"):
        ledger.check_share_of_failed(failed, 0.4, of=4)
    with pytest.raises(InputError, match=r"2 of 2 series"):
        ledger.check_share_of_failed(failed, 0.5, of=2)
