"""The whole chain of steps on Spark, classic and through Spark Connect, and with every task done twice."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from sparkhu.engines.base import Item, Result
from sparkhu.engines.spark.serving import served
from sparkhu.stages.storing import open_stored
from tests.components.test_chain import results
from tests.result_files import timeless
from tests.sparkhu.engines.spark_data import stop_classic, stop_connect

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("spark")]
TABLE = "store_sequences-table"


class TwiceEngine:
    """Does every item twice, as a cluster does whose executor is lost after its work and before its answer."""

    at_once = 0

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        for item in items:
            function(item)
            yield function(item)


def chain(folder: Path) -> dict[str, bytes | pl.DataFrame]:
    """Run all steps over four shards and read every file of data that they wrote."""
    results(folder, rows_per_shard=500, workers=1)
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".parquet", ".safetensors")]
    aside = (folder / "home", folder / TABLE / "lake")
    found: dict[str, bytes | pl.DataFrame] = {
        str(path.relative_to(folder)): timeless(path)
        for path in files
        if not any(path.is_relative_to(other) for other in aside)
    }
    version = open_stored(folder / TABLE)
    return found | {f"table {name}": version.table(name).read() for name in version.tables}


def assert_equal(found: dict[str, bytes | pl.DataFrame], expected: dict[str, bytes | pl.DataFrame]) -> None:
    assert found.keys() == expected.keys()
    for name, content in expected.items():
        other = found[name]
        same = content.equals(other) if isinstance(content, pl.DataFrame) else content == other  # type: ignore[arg-type]
        assert same, name


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes | pl.DataFrame]:
    found = chain(tmp_path_factory.mktemp("local") / "run")
    # Every step of the chain wrote something: four shards of each of its outputs.
    assert sum(name.endswith("/00003.parquet") for name in found) > 40
    return found


def test_every_step_on_spark_gives_the_same_files(
    local: dict[str, bytes | pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_ENGINE", "spark")
    monkeypatch.setenv("SPARKHU_SPARK_MASTER", "local[2]")
    try:
        assert_equal(chain(tmp_path / "run"), local)
    finally:
        stop_classic()


def test_every_step_through_connect_gives_the_same_files(
    local: dict[str, bytes | pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served("local[2]", {}, tmp_path / "log") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert os.environ["SPARKHU_SPARK_MASTER"].startswith("sc://localhost:")
        try:
            assert_equal(chain(tmp_path / "run"), local)
        finally:
            stop_connect(os.environ["SPARKHU_SPARK_MASTER"])


def test_tasks_that_are_done_twice_change_nothing(
    local: dict[str, bytes | pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sparkhu.mapping", "sparkhu.stages.storing"):
        monkeypatch.setattr(f"{module}.chosen_engine", lambda _: TwiceEngine())
    assert_equal(chain(tmp_path / "run"), local)
