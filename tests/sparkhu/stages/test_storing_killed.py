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


@pytest.fixture
def _on_spark(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SPARKHU_ENGINE", "spark")
    monkeypatch.setenv("SPARKHU_SPARK_MASTER", "local[1]")
    yield
    stop_classic()


def dying(_: str, windows: ShardWindows) -> int:
    if "s3" in windows.series["unique_id"].to_list():
        os.kill(os.getpid(), signal.SIGKILL)
    return windows.series.height


def series_of(name: str, windows: ShardWindows) -> tuple[str, list[str]]:
    return name, windows.series["unique_id"].to_list()


def killed(made: Made) -> str:
    with pytest.raises(SparkhuError) as told:
        list(map_buckets(dying, made.open(), step="train_linear", workers=2))
    return str(told.value)


@pytest.mark.usefixtures("_on_spark")
def test_a_bucket_that_dies_is_named_with_its_series(made: Made) -> None:
    seen = dict(map_buckets(series_of, made.open(), step="seen"))
    (number, ids), *others = [(number, ids) for number, ids in seen.items() if "s3" in ids]
    assert not others
    assert 1 < len(ids) < len(NAMES)
    held = f"{len(ids)} series, '{ids[0]}' to '{ids[-1]}', {200 * len(ids)} rows"
    message = killed(made)
    assert message.startswith(f"bucket {number} ({held}): an executor or its Python was killed")
    assert "Give executors more memory" in message


def test_a_worker_of_this_machine_that_dies_is_told_with_a_way_out(made: Made) -> None:
    assert "2 were at work. Set SPARKHU_WORKERS to a smaller number." in killed(made)
