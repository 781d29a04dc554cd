"""The large tables hold what people read."""

import json
from pathlib import Path

import polars as pl
import pytest

from sparkhu.report.reading import read_results
from sparkhu.report.tables import counts_text, ledger_table


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"missing": 1071, "filled": 71, "left_out": 0}, "missing 1,071, filled 71"),
        ({"shifts": 0, "drifts": 0}, "shifts 0, drifts 0"),
        ({"refused: unfilled gap": 3}, "refused: unfilled gap 3"),
        ({}, ""),
    ],
)
def test_counts_are_written_as_people_read_them(counts: dict[str, int], text: str) -> None:
    assert counts_text(json.dumps(counts)) == text


def test_counts_that_are_no_json_stay_as_they_are() -> None:
    assert [counts_text(text) for text in ("3 of 4", "[1]")] == ["3 of 4", "[1]"]


def test_the_ledger_shows_its_counts_as_text_and_nothing_where_there_are_none(tmp_path: Path) -> None:
    rows = [("a", "fill", "ok", None, '{"filled":2,"left":0}'), ("b", "fill", "failed", "why", None)]
    names = ["unique_id", "step", "status", "reason", "counts"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(tmp_path / "ledger.parquet")
    table = ledger_table(read_results(tmp_path))
    assert table is not None
    assert dict(zip(names, table.document["data"], strict=True))["counts"] == [None, "filled 2"]
    assert (table.shown, table.total) == (2, 2)
