import os
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from sparkhu import ledger
from sparkhu.errors import SparkhuError
from sparkhu.execution import recorded
from sparkhu.mapping import ShardFrames, map_shards, open_inputs
from sparkhu.shards import write_manifest, write_shard

SERIES = {"a": [1.0, 2.0], "b": [3.0], "c": [4.0, 5.0, 6.0], "d": [7.0, 8.0]}


def write_rows(folder: Path, *, failed: Sequence[str] = ()) -> Path:
    """Write SERIES as a dataset of two shards, of which some series failed."""
    parts = {name: list(SERIES)[first : first + 2] for name, first in (("s0", 0), ("s1", 2))}
    frames = {
        name: pl.DataFrame({"unique_id": ids, "y": [SERIES[each] for each in ids]}) for name, ids in parts.items()
    }
    with recorded("ingest", inputs=[], outputs=[folder]) as (notes, (draft,)):
        written = [write_shard(draft, name, frame.explode("y")) for name, frame in frames.items()]
        write_manifest(draft, "rows", written)
        states = pl.Series(["failed" if name in failed else "ok" for name in SERIES])
        notes.entries = ledger.entries(list(SERIES), status=states, reason=pl.Series(["broken"] * len(SERIES)))
    return folder


def total(of: str, shard: ShardFrames) -> tuple[str, float]:
    return shard.name, shard.frames[of]["y"].sum()


def ids(shard: ShardFrames) -> list[str]:
    return shard.frames["observations"]["unique_id"].unique().sort().to_list()


def width(shard: ShardFrames) -> list[int]:
    return [frame.width for frame in shard.frames.values()]


def killed_in_the_second(shard: ShardFrames) -> None:
    if shard.name == "s1":
        os.kill(os.getpid(), signal.SIGKILL)


def test_one_result_a_shard_in_order(tmp_path: Path) -> None:
    sources = open_inputs({"observations": write_rows(tmp_path / "rows")})
    found = map_shards(partial(total, "observations"), sources, step="sum", workers=2)
    assert list(found) == [("s0", 6.0), ("s1", 30.0)]


def test_series_that_failed_in_any_input_are_left_out(tmp_path: Path) -> None:
    first, second = write_rows(tmp_path / "first", failed=["a", "c"]), write_rows(tmp_path / "second", failed=["b"])
    both = open_inputs({"observations": first, "others": second})
    assert list(map_shards(ids, both, step="count", workers=1)) == [[], ["d"]]


def test_only_the_named_columns_are_read(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows")
    both = open_inputs({"observations": rows, "others": rows})
    found = map_shards(width, both, step="width", workers=1, columns={"observations": ["unique_id"]})
    assert list(found) == [[1, 2], [1, 2]]


def test_a_killed_worker_is_told_with_the_shard_and_its_series(tmp_path: Path) -> None:
    sources = open_inputs({"observations": write_rows(tmp_path / "rows")})
    with pytest.raises(SparkhuError, match=r"shard s1 \(2 series, 'c' to 'd', 5 rows\): a worker process was killed"):
        list(map_shards(killed_in_the_second, sources, step="sum", workers=2))
