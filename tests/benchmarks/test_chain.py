"""The chain that is measured: both sides do the same work, and what is told of them is what was measured."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import pandas_chain
from benchmarks.chain import write_shards
from benchmarks.shard_chain import HOUR, OUT, copied, decomposed, everything, preprocessed, stationarity, write_raw

STEPS = ["read", "validate", "drop_duplicates", "describe", "detect_regularity", "split", "flag_outliers", "mark_gaps"]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "0.parquet"
    write_raw(path, range(4), 400, step=HOUR, season=24)
    return path


def test_the_chain_names_every_step_and_writes_every_row_of_the_grid(shard: Path) -> None:
    assert list(preprocessed(shard)) == [*STEPS, "fill in 5 ways", "pool_fills", "fit_scalers", "scale", "write"]
    done = pl.read_parquet(shard.with_suffix(OUT))
    spans = done.group_by("unique_id").agg(
        rows=pl.len(), hours=(pl.col("ds").max() - pl.col("ds").min()).dt.total_hours()
    )
    assert (spans["rows"] == spans["hours"] + 1).all()
    assert done["y"].null_count() == 0


def test_a_copy_holds_the_same_rows(shard: Path) -> None:
    assert list(copied(shard)) == ["copy"]
    assert pl.read_parquet(shard.with_suffix(OUT)).equals(pl.read_parquet(shard))


def test_the_peer_scales_its_values_to_ours(shard: Path) -> None:
    # Both fit mean and deviation on the training part; the peer counts its rows, the steps end it at an instant.
    decomposed(shard)
    ours = pl.read_parquet(shard.with_suffix(OUT))
    assert {"trend", "seasonal", "resid"} <= set(ours.columns)
    table = pl.read_parquet(shard).select("unique_id", "ds", "y").to_pandas()
    theirs = pandas_chain.preprocess(table, stl=True)
    assert len(theirs) == ours.height
    assert np.abs(theirs["scaled"].to_numpy() - ours["y"].to_numpy()).mean() < 0.02
    assert theirs[["trend", "seasonal", "resid"]].notna().all(axis=None)


def test_both_sides_test_every_series_for_stationarity(shard: Path) -> None:
    assert list(stationarity(shard)) == ["ADF", "KPSS"]
    table = pl.read_parquet(shard).select("unique_id", "ds", "y").to_pandas()
    assert pandas_chain.stationarity(table).shape == (4, 2)


def test_the_whole_preprocessing_handles_anomalies(shard: Path) -> None:
    told = everything(shard)
    assert {"fill in 9 ways", "decompose", "handle clip", "pool_handling", "write"} <= set(told)
    assert "handled" in pl.read_parquet(shard.with_suffix(OUT)).columns


def test_series_are_shared_out_over_shards_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.chain.ROWS_PER_SHARD", 100)
    shards = write_shards(tmp_path, 5, 50, HOUR, 24)
    assert [pl.read_parquet(path)["unique_id"].n_unique() for path in shards] == [2, 2, 1]
