"""Limits of a run that are settings of a section, as the components hand them to the steps."""

from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.frame import SCHEMA
from sparkhu.shards import open_dataset
from sparkhu.steps.regularity import detect_regularity
from tests.components.chain import Chain, written
from tests.sparkhu.made_shard import hours


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    """Hours 0 to 3 and 10: six are missing between, and a grid of the median gap, an hour, has eleven points."""
    ds = [hours(i) for i in (0, 1, 2, 3, 10)]
    rows = pl.DataFrame({"unique_id": ["a"] * 5, "ds": ds, "y": [1.0] * 5, "available_at": ds}, schema=SCHEMA)
    flags = pl.DataFrame({"y_raw": [1.0] * 5, "is_outlier": [False] * 5, "needs_fill": [False] * 5})
    profile = detect_regularity(rows).frames["profile"]
    return {
        "observations": written(tmp_path / "rows", "rows", rows),
        "flags": written(tmp_path / "flags", "columns", flags),
        "profile": written(tmp_path / "profile", "series", profile),
    }


def test_the_most_rows_of_gaps_are_a_setting(tmp_path: Path, made: dict[str, Path]) -> None:
    marked = Chain(tmp_path).run("mark_gaps", **made, settings={"max_new_rows": 6})["marked"]
    assert open_dataset(marked).scan().collect().height == 11
    with pytest.raises(SparkhuError, match="max_new_rows = 5"):
        Chain(tmp_path).run("mark_gaps", "refused", **made, settings={"max_new_rows": 5})


def test_the_most_points_of_an_even_grid_are_a_setting(tmp_path: Path, made: dict[str, Path]) -> None:
    profile = open_dataset(made["profile"]).scan().collect().with_columns(decision=pl.lit("irregular"))
    made["profile"] = written(tmp_path / "irregular", "series", profile)
    grid = Chain(tmp_path).run("resample_irregular", **made, settings={"max_grid_points": 11})["grid"]
    assert open_dataset(grid).scan().collect().height == 11
    with pytest.raises(SparkhuError, match="max_grid_points = 10"):
        Chain(tmp_path).run("resample_irregular", "refused", **made, settings={"max_grid_points": 10})
