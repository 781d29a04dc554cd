"""A series has one name, whatever type the files of a source give its id."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from sparkhu.catalogue.columns import recognise
from sparkhu.sources import SourceOptions, read_source
from sparkhu.sources.ids import series_names


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (pl.Series([7, None, -1]), ["7", None, "-1"]),
        (pl.Series([7.0, None, -1.0, 2.5, -0.0]), ["7", None, "-1", "2.5", "0"]),
        (pl.Series([2.0**53 + 2]), ["9007199254740994"]),
        (pl.Series([16777216.0, 0.5], dtype=pl.Float32), ["16777216", "0.5"]),
        (pl.Series([Decimal("7.00"), Decimal("2.50"), None]), ["7", "2.50", None]),
        (pl.Series([" a ", "", "1.0", None]), ["a", None, "1.0", None]),
        (pl.Series([float("inf"), float("nan")]), ["inf", "NaN"]),
        (pl.Series([], dtype=pl.Float64), []),
    ],
)
def test_a_whole_number_is_named_without_a_point_and_text_as_it_is(ids: pl.Series, names: list[str | None]) -> None:
    found = series_names(ids)
    assert (found.name, found.dtype, found.to_list()) == ("unique_id", pl.String, names)


def test_a_number_beyond_64_bits_is_named_as_a_float() -> None:
    numbers = [2.0**63, -(2.0**63), 1e300]
    assert [float(name) for name in series_names(pl.Series(numbers))] == numbers


def test_ids_that_are_whole_numbers_in_one_file_and_floats_in_another_name_one_series(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [1, 2], "ds": ["2024-01-01", "2024-01-01"], "y": [1.0, 2.0]})
    frame.write_parquet(tmp_path / "a.parquet")
    # As pandas writes it where an id is missing.
    second = pl.DataFrame({"id": [1.0, None], "ds": ["2024-01-02", "2024-01-02"], "y": [3.0, 4.0]})
    second.write_parquet(tmp_path / "b.parquet")
    raw = read_source(str(tmp_path), SourceOptions())
    assert raw.frame.select("unique_id", "y").rows() == [(None, 4.0), ("1", 1.0), ("1", 3.0), ("2", 2.0)]


def test_metadata_name_a_series_as_its_observations_do() -> None:
    table = pl.DataFrame({"id": [1.0, 2.0], "unit": ["kW", "V"]})
    found = recognise(table, pl.Series([1, 2]), "meta.parquet")
    assert found.frame["unique_id"].to_list() == ["1", "2"]
