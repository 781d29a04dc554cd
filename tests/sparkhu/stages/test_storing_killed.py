"""A process that the system kills while it has a bucket: what is told of it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkhu.errors import SparkhuError
from sparkhu.stages import storing
from sparkhu.stages.storing import map_buckets
from sparkhu.training.windows import ShardWindows
from tests.sparkhu.engines.spark_data import stop_classic
from tests.sparkhu.stages.test_storing import NAMES, Made, stored

pytestmark = pytest.mark.xdist_group("spark")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Store six series in several buckets, s3 in one with others."""
    monkeypatch.setattr(storing, "ROWS_PER_BUCKET", 500)
    return stored(tmp_path, NAMES)


@pytest.fixture(params=["local", "spark"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Choose an engine; give what it says of a killed process."""
    monkeypatch.setenv("SPARKHU_ENGINE", request.param)
    monkeypatch.setenv("SPARKHU_SPARK_MASTER", "local[1]")
    if request.param == "local":
        yield "a worker process was killed, most often for want of memory; 2 were at work. Set SPARKHU_WORKERS to"
        return
    yield "an executor or its Python was killed, most often for want of memory. Give executors more memory"
    stop_classic()


def dying(_: str, windows: ShardWindows) -> int:
    if "s3" in windows.series["unique_id"].to_list():
        os.kill(os.getpid(), signal.SIGKILL)
    return windows.series.height


def series_of(name: str, windows: ShardWindows) -> tuple[str, list[str]]:
    return name, windows.series["unique_id"].to_list()


def test_a_bucket_that_dies_is_named_with_its_series(made: Made, told: str) -> None:
    seen = dict(map_buckets(series_of, made.open(), step="seen", workers=2))
    ((number, ids),) = [(number, ids) for number, ids in seen.items() if "s3" in ids]
    assert 1 < len(ids) < len(NAMES)
    with pytest.raises(SparkhuError) as error:
        list(map_buckets(dying, made.open(), step="train_linear", workers=2))
    held = f"{len(ids)} series, '{ids[0]}' to '{ids[-1]}', {200 * len(ids)} rows"
    assert str(error.value).startswith(f"bucket {number} ({held}): {told}")
