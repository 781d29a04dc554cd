"""What the component that chooses fills reads of the strategies that were run."""

from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.frame import SCHEMA
from sparkhu.shards import open_dataset
from sparkhu.steps.regularity import detect_regularity
from tests.components.chain import FILLS, Chain, written
from tests.sparkhu.made_shard import hours

VARIANTS = ["last", "linear"]


@pytest.fixture
def fills(tmp_path: Path) -> dict[str, Path]:
    """A series of 60 hours, of which one is missing, marked and filled in every way; unused layers cannot be read."""
    known = [hour for hour in range(60) if hour != 30]
    ds = [hours(hour) for hour in known]
    y = [float(hour % 24) for hour in known]
    rows = pl.DataFrame({"unique_id": ["a"] * 59, "ds": ds, "y": y, "available_at": ds}, schema=SCHEMA)
    flags = pl.DataFrame({"y_raw": y, "is_outlier": [False] * 59, "needs_fill": [False] * 59})
    chain, observations = Chain(tmp_path), written(tmp_path / "rows", "rows", rows)
    profile = written(tmp_path / "profile", "series", detect_regularity(rows).frames["profile"])
    layer = written(tmp_path / "flags", "columns", flags)
    marked = chain.run("mark_gaps", observations=observations, flags=layer, profile=profile)["marked"]
    made = {name: chain.run(f"fill_{name}", observations=marked, profile=profile) for name in FILLS}
    for name in set(FILLS) - set(VARIANTS):
        (made[name]["filled"] / "shard-0.parquet").write_bytes(b"damaged")
    limits = pl.DataFrame(schema={"unique_id": pl.String, "valid_min": pl.Float64, "valid_max": pl.Float64})
    return {
        "observations": marked,
        "limits": written(tmp_path / "limits", "series", limits),
        **{f"{name}_fill": made[name]["filled"] for name in FILLS},
        **{f"{name}_scores": made[name]["scores"] for name in FILLS},
    }


def test_layers_that_no_variant_has_are_not_read(fills: dict[str, Path], tmp_path: Path) -> None:
    pooled = Chain(tmp_path).run("pool_fills", **fills, settings={"variants": VARIANTS})
    assert open_dataset(pooled["choices"]).scan().collect()["strategy"].to_list() == ["linear"]
    assert open_dataset(pooled["filled"]).scan().collect()["y"].to_list()[30] == 6.0  # between 5 and 7
    scored = open_dataset(pooled["scores"]).scan().collect()["strategy"].unique()
    assert set(scored) == set(FILLS)


def test_the_layer_of_the_strategy_that_is_chosen_by_name_is_read(fills: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(SparkhuError, match="fill_mean-filled' is damaged"):
        Chain(tmp_path).run("pool_fills", **fills, settings={"variants": VARIANTS}, choice="mean")
